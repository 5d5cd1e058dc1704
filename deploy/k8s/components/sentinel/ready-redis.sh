#!/bin/sh
# Whether one Redis of the group is ready: it answers, and as a replica it has the primary's data.
# A rollout goes on to the next one only then, so no failover meets a replica that is still loading.
set -eu
port=${PORT:-6379}
# -e: an error reply, such as LOADING, is a failure.
redis-cli -e -p "$port" ping >/dev/null
redis-cli -p "$port" --raw info replication | tr -d '\r' | grep -qE '^(role:master|master_link_status:up)$'
