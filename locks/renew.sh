#!/usr/bin/env bash
# Writes the locks: hash-pinned, for every platform, and without the address of any registry.
set -euo pipefail
cd "$(dirname "$0")/.."

own=(codex-proapi codex-proapi-commons codex-proapi-gateway codex-proapi-console codex-proapi-native codex-proapi-simulator)
compile=(uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate)
for name in "${own[@]}"; do compile+=(--no-emit-package "$name"); done

"${compile[@]}" "$@" --group pyproject.toml:dev {shared,services/gateway,services/console,services/simulator,deploy/local}/pyproject.toml -o locks/dev.txt
"${compile[@]}" "$@" -c locks/dev.txt services/gateway/pyproject.toml -o locks/gateway.txt
"${compile[@]}" "$@" -c locks/dev.txt services/console/pyproject.toml -o locks/console.txt
"${compile[@]}" "$@" -c locks/dev.txt deploy/local/pyproject.toml -o locks/standalone.txt
# What builds the members themselves, so that an install needs no unpinned build environment.
printf 'editables\nhatchling\nsetuptools\n' | "${compile[@]}" "$@" -c locks/dev.txt - -o locks/build.txt
# What installs all of these.
printf 'uv\n' | "${compile[@]}" "$@" - -o locks/uv.txt
# The tools that check deploy/ live in an environment of their own.
"${compile[@]}" "$@" tests/deploy/tools/python.in -o locks/deploy.txt
