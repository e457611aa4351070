#!/bin/sh
# Makes target/browser: a link to a Chromium, and a virtual environment whose playwright drives it; a test opens report pages
# with them. Takes a Chromium that is there, else brings one with apt (100 MB, half a minute) where that is allowed, else
# playwright's own. Does nothing when all is there; where none can be had it says so, and the test is skipped.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
folder=$here/target/browser
browser=$folder/chromium
[ -x "$browser" ] && [ -f "$folder/ready" ] && exit 0
mkdir -p "$folder"

if [ ! -f "$folder/ready" ]; then
    echo "== chromium: bringing playwright and two readers of tables for a test (50 MB, some seconds)"
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        playwright==1.65.2 pylatexenc==2.10 markdown-it-py==3.0.0
    touch "$folder/ready"
fi

installed() {
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        # Ubuntu's chromium-browser may be no more than a hint to install a snap.
        if command -v "$name" >/dev/null 2>&1 && "$name" --version >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
    done
}

as_root=
[ "$(id -u)" = 0 ] || as_root="sudo -n"
found=$(installed)
if [ -z "$found" ] && command -v apt-get >/dev/null 2>&1 && { [ -z "$as_root" ] || $as_root true 2>/dev/null; }; then
    echo "== chromium: bringing it with apt (100 MB, half a minute)"
    $as_root apt-get update -qq || true
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null || true
    found=$(installed)
fi
if [ -z "$found" ]; then
    echo "== chromium: apt has none for us, so asking playwright for its own"
    PLAYWRIGHT_BROWSERS_PATH=$folder/playwright timeout 300 "$folder/venv/bin/playwright" install chromium-headless-shell || true
    found=$(find "$folder/playwright" -type f \( -name headless_shell -o -name chrome-headless-shell \) 2>/dev/null | head -n 1)
fi
if [ -z "$found" ]; then
    echo "== chromium: none can be had here; the test that opens pages in a browser will be skipped"
    exit 0
fi
ln -sfn "$found" "$browser"
echo "== chromium: target/browser/chromium is $found"
