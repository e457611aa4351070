#!/bin/sh
# Builds the wheel into target/wheels/ around target/release/cpsd, or the program that CPSD_PROGRAM names.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
python3 -m pip --version >/dev/null 2>&1 || { echo "wheel: python3 with pip is needed" >&2; exit 1; }
command -v strip >/dev/null 2>&1 || { echo "wheel: strip is needed (Debian, Ubuntu: apt install binutils)" >&2; exit 1; }
cd "$here"
rm -f target/wheels/cpsd-*.whl
python3 -m pip wheel --quiet --disable-pip-version-check --no-input --no-deps --wheel-dir target/wheels .
ls target/wheels/cpsd-*.whl
