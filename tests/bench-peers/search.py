"""faiss on the rows and queries that `gallery`'s example laid into a folder: `search.py FOLDER`.

Says in one line of JSON what it is and how often it was right; then, for every line on standard input that names a
case, one line with the microseconds of thread CPU a query. One query at a time, as a gate asks; one thread.
"""

import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"
import faiss
import numpy as np

DIMENSIONS = 128
folder = sys.argv[1]
load = lambda name, kind: np.fromfile(os.path.join(folder, name), dtype=kind)
rows = load("rows.f32", "<f4").reshape(-1, DIMENSIONS)
queries = load("queries.f32", "<f4").reshape(-1, DIMENSIONS)
best = load("best.u32", "<u4")
faiss.omp_set_num_threads(1)

exact = faiss.IndexFlatIP(DIMENSIONS)
exact.add(rows)

# 4-bit codes of two dimensions each, scanned in registers; the 64 nearest are compared again in float.
codes = faiss.index_factory(DIMENSIONS, "PQ64x4fs,Refine(Flat)", faiss.METRIC_INNER_PRODUCT)
codes.train(rows[:20_000])
codes.add(rows)
codes.k_factor = 64

one = [queries[at : at + 1] for at in range(len(queries))]


def right(index):
    found = [index.search(query, 1)[1][0, 0] for query in one]
    return float(np.mean(np.array(found) == best))


def cost(index):
    start = time.thread_time_ns()
    for query in one:
        index.search(query, 1)
    return (time.thread_time_ns() - start) / len(one) / 1e3


indexes = {"exact": exact, "codes": codes}
said = {name: right(index) for name, index in indexes.items()}
options = faiss.get_compile_options().strip()
print(json.dumps({"version": faiss.__version__, "built_for": options, "right": said}), flush=True)
for line in sys.stdin:
    print(json.dumps({"search": cost(indexes[line.strip()])}), flush=True)
