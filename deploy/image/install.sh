#!/bin/sh
# Fills /app, the environment of one image. Runs in the build stages only.
#   install.sh native                       a wheel of the compiled functions, unless NATIVE_CODE=off
#   install.sh locked LOCK                  the dependencies, by hash
#   install.sh members IMAGE IMPORT FOLDER...     our members, then everything imported once
set -eu
pip="/build/bin/pip --python /app/bin/python install --quiet --no-deps"

case $1 in
  native)
    mkdir -p /wheels
    if [ "$NATIVE_CODE" = off ]; then exit; fi
    # A base whose Python is Debian's own has its headers apart.
    include=$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')
    wanted=$(command -v gcc >/dev/null || echo gcc libc6-dev; [ -e "$include/Python.h" ] || echo python3-dev)
    if [ -n "$wanted" ]; then
      # shellcheck disable=SC2086 # several names
      { apt-get update -qq && apt-get install -y -qq --no-install-recommends $wanted; } >/dev/null || {
        echo "no compiler ($wanted): a mirror goes into --secret id=aptconf; --build-arg NATIVE_CODE=off does without" >&2
        exit 1
      }
    fi
    /build/bin/pip wheel --quiet --no-deps --no-index --no-build-isolation -w /wheels shared/native
    ;;
  locked)
    # Without pip: what runs cannot install anything.
    python3 -m venv --without-pip /app
    $pip --require-hashes --only-binary :all: -r "$2"
    ;;
  members)
    name=$2
    import=$3
    shift 3
    for folder in "$@"; do
      (cd "$folder" && /build/bin/python -m hatchling build -t wheel -d /wheels)
    done
    $pip --no-index /wheels/*.whl
    # A member that imports what only another member declares works on a laptop and fails here.
    native=$(find /wheels -name 'codex_proapi_native-*.whl' -exec echo codex_proapi_native \;)
    # shellcheck disable=SC2086 # none or one
    /app/bin/python -I deploy/image/import_every_module.py codex_proapi.commons "codex_proapi.$import" $native
    /app/bin/python -I deploy/image/write_sbom.py "codex-proapi-$name" /app/sbom.cdx.json
    /build/bin/python -m compileall -q /app/lib
    cp deploy/image/healthcheck.py /app/healthcheck.py
    mkdir -p /data
    ;;
esac
