#!/bin/sh
# Finds a Chromium for the browser tests, or installs one, or prints how to install it. CHROMIUM names another one.
# `make test` calls it.
set -eu
python=${1:-python3}

found() {
    for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome-stable google-chrome \
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
        if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then return 0; fi
    done
    "$python" - 2>/dev/null <<'PY'
import os, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not os.path.exists(playwright.chromium.executable_path))
PY
}

found && exit 0
echo "No Chromium found: installing one for the browser tests."
if command -v apt-get >/dev/null 2>&1; then
    as_root=""
    if [ "$(id -u)" != 0 ]; then as_root="sudo -n"; fi
    if $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends chromium; then
        found && exit 0
    fi
fi
"$python" -m playwright install chromium && found && exit 0
echo "The browser tests need Chromium and it could not be installed here. Install it with your system's packages" >&2
echo "(Debian and Ubuntu: apt-get install chromium; macOS: brew install --cask google-chrome), or name one with CHROMIUM=/path" >&2
echo "make test. Everything else: make lint types, then make tests ARGS='--ignore=tests/browser'." >&2
exit 1
