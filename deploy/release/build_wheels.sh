#!/usr/bin/env bash
# Builds a wheel of each member, with the locked build backend.
#   build_wheels.sh UV FOLDER
# Together they are an index: uvx --find-links FOLDER codex-proapi --version
set -euo pipefail
uv=$(realpath "$1")
mkdir -p "$2"
folder=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."
rm -f "$folder"/codex_proapi*.whl
for member in shared services/gateway services/console services/simulator deploy/local; do
  "$uv" build --quiet --wheel --require-hashes --build-constraints locks/build.txt --out-dir "$folder" "$member"
done
ls "$folder"/*.whl
