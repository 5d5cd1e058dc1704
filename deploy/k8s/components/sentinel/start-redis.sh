#!/bin/sh
# Starts one Redis of the group: as a replica of whoever the Sentinels call primary, and as the
# primary only if no Sentinel answers and this is the first of the group (a new cluster).
set -eu
: "${SELF:?this Redis, as the others reach it}" "${FIRST:?the one that begins as primary}"
: "${SENTINELS:?host:port of every Sentinel, separated by spaces}"
: "${GROUP:=codex-proapi}" "${PORT:=6379}" "${CONFIG:=/usr/local/etc/redis/redis.conf}" "${PATIENCE:=30}"

ask() { # the primary's host and port, by the first Sentinel that knows
  for sentinel in $SENTINELS; do
    answer=$(timeout 2 redis-cli -h "${sentinel%:*}" -p "${sentinel##*:}" --raw \
      sentinel get-master-addr-by-name "$GROUP" 2>/dev/null) || continue
    # shellcheck disable=SC2086 # two words: host and port
    set -- $answer
    if [ $# = 2 ]; then echo "$1 $2"; return 0; fi
  done
  return 1
}

primary=
tries=0
# The first waits a little too: after an outage of the whole group another may hold more data,
# and the Sentinels remember which.
until primary=$(ask); do
  tries=$((tries + 1))
  if [ "$SELF" = "$FIRST" ] && [ "$tries" -gt "${FIRST_PATIENCE:-5}" ]; then break; fi
  if [ "$tries" -gt "$PATIENCE" ]; then primary="${FIRST%:*} ${FIRST##*:}"; break; fi
  sleep 1
done

host=${SELF%:*}
# An old primary that was cut off must not go on taking writes: a credential refreshed there
# would be lost when it returns. So it needs one replica that listens.
set -- "$CONFIG" --port "$PORT" --replica-announce-ip "$host" --replica-announce-port "$PORT" \
  --min-replicas-to-write 1 --min-replicas-max-lag 10
if [ -n "$primary" ] && [ "$primary" != "$host $PORT" ]; then
  set -- "$@" --replicaof "${primary% *}" "${primary#* }"
fi
echo "starting as ${primary:+part of the group of }${primary:-the first primary}"
exec redis-server "$@"
