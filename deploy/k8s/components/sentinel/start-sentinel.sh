#!/bin/sh
# Starts one Sentinel. Its file is kept on the volume: it remembers the epoch and who is primary.
set -eu
: "${SELF:?this Sentinel, as the others reach it}" "${FIRST:?the Redis that begins as primary}"
: "${AUTH:=/run/secrets/redis/auth.conf}" "${GROUP:=codex-proapi}" "${QUORUM:=2}"
: "${PORT:=26379}" "${DIR:=/data}" "${DOWN_AFTER_MS:=5000}" "${FAILOVER_MS:=30000}"

file=$DIR/sentinel.conf
if [ ! -s "$file" ]; then
  password=$(sed -n 's/^requirepass //p' "$AUTH")
  umask 077
  cat > "$file.part" <<CONF
port $PORT
dir $DIR
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip ${SELF%:*}
sentinel announce-port $PORT
sentinel monitor $GROUP ${FIRST%:*} ${FIRST##*:} $QUORUM
sentinel auth-pass $GROUP $password
sentinel down-after-milliseconds $GROUP $DOWN_AFTER_MS
sentinel failover-timeout $GROUP $FAILOVER_MS
sentinel parallel-syncs $GROUP 1
CONF
  mv "$file.part" "$file"
fi
exec redis-server "$file" --sentinel
