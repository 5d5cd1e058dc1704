#!/bin/sh
# Puts a backup (an RDB file) into an empty data folder, with no Redis running on it:
#   restore.sh BACKUP.rdb DATA_FOLDER
# A Redis with `appendonly yes` starts empty beside a dump.rdb and does not say so; this makes the
# append-only files from the dump first.
set -eu
backup=$1
data=$(cd "$2" && pwd)
if [ -e "$data/appendonlydir" ] || [ -e "$data/dump.rdb" ]; then
  echo "$data is not empty: move what is there away first" >&2
  exit 1
fi
socket=$data/restore.sock
server=
# Whatever goes wrong: no server stays behind, and the folder is as empty as it was.
undo() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$data/dump.rdb" "$data/appendonlydir" "$data/restore.log" "$socket"
}
trap undo EXIT
trap 'exit 1' HUP INT TERM
cp "$backup" "$data/dump.rdb"
redis-server --port 0 --unixsocket "$socket" --dir "$data" --dbfilename dump.rdb \
  --appendonly no --save "" --daemonize no > "$data/restore.log" 2>&1 &
server=$!
ask() { redis-cli -e -s "$socket" "$@" 2>/dev/null; }
tries=0
until [ "$(ask ping || true)" = PONG ]; do
  tries=$((tries + 1))
  if [ $tries -gt 600 ] || ! kill -0 $server 2>/dev/null; then
    cat "$data/restore.log" >&2
    exit 1
  fi
  sleep 0.1
done
ask config set appendonly yes > /dev/null
until ask info persistence | grep -q 'aof_rewrite_in_progress:0' && ask info persistence | grep -q 'aof_rewrite_scheduled:0'; do
  sleep 0.1
done
echo "restored $(ask dbsize) keys"
ask shutdown || true
wait $server || true
trap - EXIT
rm -f "$data/restore.log"
# Files of whoever ran this would be closed to a Redis that runs as the folder's owner.
if [ "$(id -u)" = 0 ]; then chown -R "$(stat -c %u:%g "$data")" "$data"; fi
