#!/bin/sh
# A throw-away PostgreSQL for tests, shared by all test processes of this user and gone a few seconds after the last.
# Every test process holds a shared lock on "$1/users" for as long as it lives, however it dies.
set -eu
home=$1 bin=$2
rm -rf "$home/data"
"$bin/initdb" -D "$home/data" -U gatehouse --auth=trust --locale=C --encoding=UTF8 --no-sync --no-instructions >"$home/log" 2>&1
"$bin/postgres" -D "$home/data" -k "$home" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off -c max_connections=300 -c shared_buffers=32MB >>"$home/log" 2>&1 &
server=$!
trap 'kill -QUIT $server 2>/dev/null || true' EXIT
trap 'exit 1' TERM INT
while kill -0 $server 2>/dev/null; do
    # The last user has gone when the lock can be had; a run of tests has pauses, so it must stay free for a while.
    flock -x "$home/users" true
    sleep 3
    if flock -x -n "$home/users" true; then break; fi
done
kill -QUIT $server
wait $server || true
rm -rf "$home/data"
