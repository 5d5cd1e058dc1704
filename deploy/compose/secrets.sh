#!/usr/bin/env bash
# Makes the secrets of the compose stack, once; what exists is left alone.
# Their folder is closed to others; the files in it are readable, because the containers read
# them as users of their own.
set -euo pipefail
folder=${1:-$(dirname "$0")/secrets}
python=${PYTHON:-python3}

umask 077
mkdir -p "$folder"
chmod 700 "$folder"
word() { "$python" -c 'import secrets; print(secrets.token_urlsafe(32), end="")'; }
key() { "$python" -c 'import base64, secrets; print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(), end="")'; }
put() { # NAME COMMAND...: what the command prints becomes the secret, unless it exists
  name=$1
  shift
  if [ -e "$folder/$name" ]; then echo "kept    $name"; return; fi
  "$@" > "$folder/$name.part"
  chmod 444 "$folder/$name.part"
  mv "$folder/$name.part" "$folder/$name"
  echo "made    $name"
}

put encryption_keys key
put admin_password word
put grafana_password word
put redis_password word
redis=$(cat "$folder/redis_password")
put redis_auth printf 'requirepass %s\nmasterauth %s\n' "$redis" "$redis"
put redis_url printf 'redis://:%s@redis:6379/0' "$redis"
# Compose reaches it by its name, the exporter in its own pod by localhost.
put redis_exporter printf '{"redis://redis:6379": "%s", "redis://localhost:6379": "%s"}\n' "$redis" "$redis"
echo "The first sign-in at the console asks for $folder/admin_password."
