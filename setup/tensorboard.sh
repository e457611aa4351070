#!/bin/sh
# Makes target/python, a virtual environment with the real tensorboard package, which a test reads event files with.
# Does nothing when it is there.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
folder=$here/target/python
[ -x "$folder/bin/tensorboard" ] && exit 0
echo "== tensorboard: bringing the package for a test (30 MB, half a minute)"
python3 -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input tensorboard==2.20.0
