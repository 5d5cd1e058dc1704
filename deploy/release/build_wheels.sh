#!/usr/bin/env bash
# Builds a wheel of each member, with the locked build backend; that of the compiled functions, which
# is for machines like this one, only where there is a compiler, and not with NATIVE_CODE=off.
#   build_wheels.sh UV FOLDER
# Together they are an index: uvx --find-links FOLDER codex-proapi --version
set -euo pipefail
uv=$(realpath "$1")
mkdir -p "$2"
folder=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."
rm -f "$folder"/codex_proapi*.whl
build=("$uv" build --quiet --wheel --require-hashes --build-constraints locks/build.txt --out-dir "$folder")
for member in shared services/gateway services/console services/simulator deploy/local; do
  "${build[@]}" "$member"
done
if [ "${NATIVE_CODE:-on}" != off ] && ! "${build[@]}" shared/native 2>"$folder/native.log"; then
  echo "no wheel of codex-proapi-native, which needs a C compiler and the headers of Python ($folder/native.log)"
else
  rm -f "$folder/native.log"
fi
ls "$folder"/*.whl
