#!/bin/sh
# Brings what the tests of the language server use: target/lsp-client, a virtual environment with a client from PyPI, and the
# packages of the extension for VS Code. Does nothing when they are there; what can't be had is said, and its test is skipped.
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
client=$here/target/lsp-client
extension=$here/editors/vscode

if [ ! -f "$client/ready" ]; then
    echo "== language server: bringing pygls, a client for a test (5 MB, some seconds)"
    if python3 -m venv "$client" &&
        "$client/bin/python" -m pip install --quiet --disable-pip-version-check --no-input pygls==2.1.1 lsprotocol==2025.0.0; then
        touch "$client/ready"
    else
        echo "== language server: pygls cannot be had here; the test with it will be skipped"
    fi
fi

installed=$extension/node_modules/.package-lock.json
[ -f "$installed" ] && [ ! "$extension/package-lock.json" -nt "$installed" ] && exit 0
if ! command -v npm >/dev/null 2>&1; then
    echo "== extension for VS Code: npm is absent; its test will be skipped (Node.js 20 brings npm)"
    exit 0
fi
echo "== extension for VS Code: bringing its packages with npm (100 MB, half a minute)"
if (cd "$extension" && npm ci --ignore-scripts --no-audit --no-fund --silent); then
    touch "$installed"
else
    rm -rf "$extension/node_modules"
    echo "== extension for VS Code: npm cannot bring its packages; its test will be skipped"
fi
exit 0
