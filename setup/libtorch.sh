#!/bin/sh
# Brings libtorch 2.13.0 into .libtorch/ from the torch wheel. Does nothing when it is there, or when LIBTORCH is set.
set -eu
version=2.13.0
here=$(cd "$(dirname "$0")/.." && pwd)
target=$here/.libtorch

if [ -n "${LIBTORCH:-}" ]; then
    echo "== libtorch: taking LIBTORCH=$LIBTORCH as it is"
    exit 0
fi

kind=cpu
if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; then
    kind=cuda
fi
if [ "$(cat "$target/version" 2>/dev/null)" = "$version $kind" ]; then
    exit 0
fi

fetch() {
    # The files are for the linker, not for Python: any interpreter may fetch them.
    python3 -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore \
        --only-binary=:all: --implementation cp --python-version 3.11 --target "$1" "$2" $3 \
        "torch==$version" $4
}

new=$target.new
rm -rf "$new"
if [ "$kind" = cuda ]; then
    echo "== libtorch: a GPU is here, so bringing torch $version with CUDA 13 (about 3 GB, some minutes)"
    fetch "$new" --upgrade "" ""
else
    echo "== libtorch: no GPU is here, so bringing torch $version for the CPU (540 MB, a minute or two)"
    # libtorch_cpu needs only these two of CUDA's libraries, and finds them beside itself.
    fetch "$new" --no-deps "" "nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85"
    # Without libtorch_cuda in the folder, torch-sys makes a CPU build.
    (cd "$new/torch/lib" && rm -rf libtorch_cuda*.so libc10_cuda.so libcaffe2_nvrtc.so libtorch_nvshmem.so)
fi
# Python's own part of the wheel is not needed.
(cd "$new/torch" && find . -mindepth 1 -maxdepth 1 ! -name lib ! -name include -exec rm -rf {} +)
(cd "$new" && find . -mindepth 1 -maxdepth 1 ! -name torch ! -name nvidia -exec rm -rf {} +)
rm -f "$new/torch/lib/libtorch_python.so"
echo "$version $kind" > "$new/version"
rm -rf "$target"
mv "$new" "$target"
echo "== libtorch: in .libtorch/torch"
