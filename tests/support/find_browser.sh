#!/usr/bin/env bash
# Makes sure the page tests have a Chromium: on the PATH, else from Debian, else Playwright's own.
set -euo pipefail
python=$1

for name in chromium chromium-browser google-chrome google-chrome-stable; do
  if path=$(command -v "$name"); then echo "browser: $path"; exit 0; fi
done
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  echo "browser: none found, installing Debian's chromium"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null && exit 0
fi
echo "browser: none found, asking Playwright for its own"
"$python" -m playwright install chromium || {
  echo "No Chromium could be had; the page tests will fail. Cure: apt-get install chromium" >&2
}
