#!/usr/bin/env bash
# Runs the tests of what is compiled with the compiler's sanitizers for addresses and undefined behaviour.
#   check_native.sh UV PYTHON [OPTION...]
# They are those that are skipped where it is missing; options are pytest's. Before that, its stub is
# compared with it.
set -euo pipefail
uv=$1
python=$2
shift 2
cd "$(dirname "$0")/../.."
if ! "$python" -c 'import codex_proapi_native' 2>/dev/null; then
  echo "the compiled functions are not checked: they could not be built here"
  exit
fi
"$python" -m mypy.stubtest codex_proapi_native

compiler=${CC:-gcc}
libraries=()
for name in libasan.so libubsan.so; do
  # Prints the bare name of what it does not have.
  path=$("$compiler" -print-file-name="$name" 2>/dev/null || true)
  if [[ $path != /* ]]; then
    echo "the compiled functions are not checked: $compiler has no $name (Debian: gcc and libc6-dev)"
    exit
  fi
  libraries+=("$(realpath "$path")")
done

folder=build/sanitized
sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
CC=$compiler CFLAGS="$sanitizers -fno-omit-frame-pointer -g -Werror" LDFLAGS=$sanitizers \
  "$uv" pip install --quiet --python "$python" --no-deps --no-build-isolation --reinstall --no-cache \
  --target "$folder" ./shared/native

mapfile -t tests < <(grep -rl 'skipif(NATIVE.code is None' tests --include='test_*.py')
[ ${#tests[@]} -gt 0 ] || exit 0  # pytest would run all there are
# Python itself leaves memory behind at its end, and has an allocator that hides what is freed.
export LD_PRELOAD="${libraries[*]}" ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc
PYTHONPATH=$folder exec "$python" -m pytest "$@" "${tests[@]}"
