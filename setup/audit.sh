#!/bin/sh
# Licences, duplicates, sources and advisories of all dependencies, as deny.toml says.
set -u
cd "$(dirname "$0")/.."
if ! cargo deny --version >/dev/null 2>&1; then
    echo "== Installing cargo-deny: ten minutes on two cores, once"
    cargo install --locked --quiet cargo-deny || { echo "cargo-deny cannot be installed"; exit 1; }
fi
failed=0
cargo deny check licenses bans sources || failed=1
log=$(mktemp)
if cargo deny check advisories >"$log" 2>&1; then
    tail -n 1 "$log"
elif grep -q "failed to fetch advisory database\|unable to fetch advisory\|failed to load advisory database\|failed to prepare fetch" "$log"; then
    echo "advisories: NOT CHECKED, since the advisory database cannot be reached from here"
else
    cat "$log"
    failed=1
fi
rm -f "$log"
exit $failed
