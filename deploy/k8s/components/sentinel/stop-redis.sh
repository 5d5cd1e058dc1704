#!/bin/sh
# Before one Redis of the group ends: a primary hands over first, so that a rollout costs a second of
# writes and not the time the Sentinels need to find it gone.
set -eu
: "${SELF:?this Redis, as the others reach it}"
: "${SENTINELS:?host:port of every Sentinel, separated by spaces}"
: "${GROUP:=codex-proapi}" "${PORT:=6379}" "${HANDOVER:=20}"

redis-cli -p "$PORT" --raw role 2>/dev/null | head -n 1 | grep -q master || exit 0

sentinel() { # SENTINEL ARGUMENTS...: what one Sentinel answers
  at=$1
  shift
  timeout 2 redis-cli -h "${at%:*}" -p "${at##*:}" --raw sentinel "$@" 2>/dev/null
}

for one in $SENTINELS; do
  answer=$(sentinel "$one" failover "$GROUP") || continue
  if [ "$answer" != OK ]; then continue; fi
  # Until this Sentinel, and so the services, call another one primary.
  while [ "$HANDOVER" -gt 0 ]; do
    # shellcheck disable=SC2046 # two words: host and port
    set -- $(sentinel "$one" get-master-addr-by-name "$GROUP")
    if [ "${1:-}:${2:-}" != "$SELF" ]; then exit 0; fi
    HANDOVER=$((HANDOVER - 1))
    sleep 1
  done
  exit 0
done
