#!/usr/bin/env bash
# Replaces the services one by one, each only when the one before is ready again, so that no
# stream breaks: a gateway that is told to stop finishes its streams first (ten minutes at most).
# Which files make the stack is said by COMPOSE_FILE in .env, for this script as for any command.
set -euo pipefail
cd "$(dirname "$0")"
if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi

for service in console gateway-a gateway-b; do
  echo "replacing $service"
  "${compose[@]}" up --detach --no-deps --wait "$service"
  # The ingress asks every second who is ready.
  sleep 3
done
"${compose[@]}" up --detach --wait
