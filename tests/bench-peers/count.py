"""How many events of controllers a journal holds, and whether each source's are numbered from 1 without gaps.

`count.py DATABASE` prints `{"events": …, "gaps": …}`; the same question to both sides' SQLite files.
"""

import json
import sqlite3
import sys

rows = sqlite3.connect(sys.argv[1]).execute(
    "SELECT COUNT(*), COUNT(DISTINCT number), MIN(number), MAX(number) FROM journal"
    " WHERE source LIKE 'controller-%' GROUP BY source, epoch, stream"
)
events = gaps = 0
for count, different, least, most in rows:
    events += count
    gaps += not (count == different == most and least == 1)
print(json.dumps({"events": events, "gaps": gaps}))
