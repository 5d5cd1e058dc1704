#!/usr/bin/env bash
# Makes sure the page tests have a Chromium: on the PATH, else from Debian, else Playwright's own.
# The headless shell comes first: it opens each test's context in a fifth of the time.
set -euo pipefail
python=$1

for name in chromium-headless-shell chrome-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
  if path=$(command -v "$name"); then echo "browser: $path"; exit 0; fi
done
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  echo "browser: none found, installing Debian's chromium-headless-shell"
  apt-get update -qq
  for package in chromium-headless-shell chromium; do
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" fonts-noto-cjk >/dev/null && exit 0
  done
fi
echo "browser: none found, asking Playwright for its own"
"$python" -m playwright install chromium || {
  echo "No Chromium could be had; the page tests will fail. Cure: apt-get install chromium-headless-shell" >&2
}
