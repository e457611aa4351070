#!/bin/sh
# Brings a few photographs for the tests (from scikit-image, 12 MB, BSD-3-Clause and public domain) into target/pictures/.
# Does nothing when they are there.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
folder=$here/target/pictures
[ -f "$folder/rocket.jpg" ] && exit 0
echo "== pictures: bringing some photographs for the tests (12 MB, some seconds)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-input --no-deps --dest "$work" scikit-image==0.25.2
mkdir -p "$folder"
python3 - "$work" "$folder" <<'END'
import glob, sys, zipfile
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0])
for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
    with open(f"{sys.argv[2]}/{name}", "wb") as file:
        file.write(wheel.read("skimage/data/" + name))
END
echo "== pictures: in target/pictures/"
