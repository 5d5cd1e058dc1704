#!/bin/sh
# Fills /app, the environment of one image. Runs in the build stages only.
#   install.sh locked LOCK                  the dependencies, by hash
#   install.sh members IMAGE IMPORT FOLDER...     our members, then everything imported once
set -eu
pip="/build/bin/pip --python /app/bin/python install --quiet --no-deps"

case $1 in
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
    /app/bin/python -I deploy/image/import_every_module.py codex_proapi.commons "codex_proapi.$import"
    /app/bin/python -I deploy/image/write_sbom.py "codex-proapi-$name" /app/sbom.cdx.json
    /build/bin/python -m compileall -q /app/lib
    cp deploy/image/healthcheck.py /app/healthcheck.py
    mkdir -p /data
    ;;
esac
