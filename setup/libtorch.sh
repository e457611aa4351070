#!/bin/sh
# Brings libtorch 2.13.0 into .libtorch/ from PyTorch's wheel: for CUDA where nvidia-smi finds a GPU, for the CPU elsewhere.
# Does nothing when it is there, or when LIBTORCH is set. Nothing is downloaded that this machine's driver and cards cannot run.
#   CPSD_LIBTORCH=cpu|cuda       that one, whatever is found here (login nodes, images for containers)
#   CPSD_CUDA=cu126|cu130|cu132  for that CUDA; cu130 is the default, the others come from PyTorch's own index
set -eu
version=2.13.0
here=$(cd "$(dirname "$0")/.." && pwd)
target=$here/.libtorch
new=$target.new
old=$target.old

# A message, then ways on, one per argument; the first argument is the exit status.
stop() {
    status=$1
    echo "libtorch: $2" >&2
    shift 2
    for way in "$@"; do echo "  $way" >&2; done
    exit "$status"
}

# Sets for a wheel: the name of its CUDA, the oldest driver, the compute capabilities of its kernels (times ten).
# Sources: "PyTorch CUDA Support Matrix" in PyTorch's RELEASE.md, and "Minor Version Compatibility" in NVIDIA's CUDA Compatibility:
# any 12.x runs on drivers from 525 on, any 13.x on drivers from 580 on.
wheel() {
    case $1 in
    cu126) cuda=12.6 driver=525 least=50 most=99 cards="5.0 to 9.0" ;;
    cu130) cuda=13.0 driver=580 least=75 most=129 cards="7.5 to 12.1" ;;
    cu132) cuda=13.2 driver=580 least=75 most=129 cards="7.5 to 12.1" ;;
    *) stop 2 "CPSD_CUDA is \"$1\", expected cu126, cu130 or cu132" ;;
    esac
}

# GPUs of this machine, one line "DRIVER CAPABILITY" each; the capability is 0 where it is not said, as by old drivers.
gpus() {
    command -v nvidia-smi >/dev/null 2>&1 || return 0
    found=$(nvidia-smi --query-gpu=driver_version,compute_cap --format=csv,noheader 2>/dev/null) ||
        found=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null) || found=
    found=$(echo "$found" | sed -n 's/^ *\([0-9][0-9.]*\) *, *\([0-9][0-9.]*\).*$/\1 \2/p; t
        s/^ *\([0-9][0-9.]*\) *\(,.*\)*$/\1 0/p')
    if [ -n "$found" ]; then
        echo "$found"
    else
        said=$(nvidia-smi 2>&1 | sed -n '/./{p;q;}') || true
        echo "== libtorch: nvidia-smi is here but finds no GPU; it says: $said" >&2
        echo "   for a machine with one: CPSD_LIBTORCH=cuda make build" >&2
    fi
}

# Counts in `fit` the GPUs that the wheel last looked at runs on; `unfit` has the reason of the last other one.
judge() {
    fit=0 unfit=
    while read -r installed capability; do
        [ -n "$installed" ] || continue
        tens=${capability%%.*}$(echo "$capability.0" | cut -d. -f2 | cut -c1)
        if [ "$capability" != 0 ] && { [ "$tens" -lt "$least" ] || [ "$tens" -gt "$most" ]; }; then
            unfit="a card of compute capability $capability is here, and torch for CUDA $cuda has kernels for $cards"
        elif [ "${installed%%.*}" -lt "$driver" ]; then
            unfit="driver $installed is here, and CUDA $cuda needs $driver or newer"
        else
            fit=$((fit + 1))
        fi
    done <<END
$seen
END
}

if [ -n "${LIBTORCH:-}" ]; then
    echo "== libtorch: taking LIBTORCH=$LIBTORCH as it is"
    [ -z "${CPSD_LIBTORCH:-}${CPSD_CUDA:-}" ] || echo "   CPSD_LIBTORCH and CPSD_CUDA are of no effect beside it"
    exit 0
fi
case ${CPSD_LIBTORCH:-} in
"" | cpu | cuda) ;;
*) stop 2 "CPSD_LIBTORCH is \"$CPSD_LIBTORCH\", expected cpu or cuda" ;;
esac
wheel "${CPSD_CUDA:-cu130}"
if [ "${CPSD_LIBTORCH:-}" = cpu ] && [ -n "${CPSD_CUDA:-}" ]; then
    stop 2 "CPSD_LIBTORCH=cpu and CPSD_CUDA=$CPSD_CUDA exclude each other"
fi
# Two at once would delete each other's files.
if command -v flock >/dev/null 2>&1; then
    exec 9<"$here/setup/libtorch.sh"
    flock -n 9 2>/dev/null || { echo "== libtorch: waiting for another that brings it" && flock 9; } || true
fi

# Stopped between two renames.
[ -e "$target" ] || [ ! -e "$old" ] || mv "$old" "$target"

# What was asked for by a variable stays until another is asked for; so does CUDA, which computes on the CPU too.
has=$(sed -n 1p "$target/version" 2>/dev/null) || has=
asked=$(sed -n 2p "$target/version" 2>/dev/null) || asked=
reason=
if [ -n "${CPSD_LIBTORCH:-}${CPSD_CUDA:-}" ]; then
    reason="asked for by ${CPSD_LIBTORCH:+CPSD_LIBTORCH=$CPSD_LIBTORCH}${CPSD_CUDA:+ CPSD_CUDA=$CPSD_CUDA}"
else
    case $has in
    "$version cuda "*) exit 0 ;;
    "$version cpu") [ -z "$asked" ] || exit 0 ;;
    esac
fi
seen=
kind=${CPSD_LIBTORCH:-}
[ "$kind" = cpu ] || seen=$(gpus)
if [ -z "$kind" ]; then
    if [ -n "$seen" ] || [ -n "${CPSD_CUDA:-}" ]; then kind=cuda; else kind=cpu; fi
fi
case $kind in
cuda) wanted="$version cuda $cuda" ;;
cpu) wanted="$version cpu" ;;
esac
if [ "$has" = "$wanted" ]; then
    # Also when it came otherwise: from now on it stays.
    if [ -n "$reason" ] && [ -z "$asked" ]; then printf '%s\n' "$wanted" "$reason" >"$target/version"; fi
    exit 0
fi

if [ "$kind" = cuda ] && [ -n "$seen" ]; then
    judge
    why=$unfit
    if [ "$fit" -gt 0 ]; then
        [ -z "$why" ] || echo "== libtorch: not every GPU of this machine can be used: $why"
    elif [ -n "${CPSD_LIBTORCH:-}" ]; then
        echo "== libtorch: this machine's GPU cannot run it: $why; bringing it all the same, as CPSD_LIBTORCH=cuda asks for"
    else
        cuda_here=$cuda
        case $why in
        driver*) newer="a driver of version $driver or newer, then the same again" ;;
        *) newer= ;;
        esac
        other=
        for name in cu126 cu130; do
            wheel "$name"
            judge
            [ "$fit" = 0 ] || other="CPSD_CUDA=$name make build      torch $version for CUDA $cuda: driver $driver or newer, compute capability $cards"
        done
        stop 1 "torch $version for CUDA $cuda_here does not run on this machine's GPU: $why. Nothing was downloaded. Ways on:" \
            ${other:+"$other"} ${newer:+"$newer"} \
            "CPSD_LIBTORCH=cpu make build    computing on the CPU" \
            "CPSD_LIBTORCH=cuda make build   all the same, for another machine"
    fi
fi

# The wheels, what pip unpacks of them, and pip's cache, for a while all at once.
if [ "$kind" = cuda ]; then gigabytes=10; else gigabytes=2; fi
free=$(df -Pk "$here" | awk 'NR == 2 { print $4 }')
if [ "$free" -lt $((gigabytes * 1000000)) ]; then
    stop 1 "bringing torch $version needs $gigabytes GB of free disk at $here, and $((free / 1000000)) GB are free"
fi
python3 -m pip --version >/dev/null 2>&1 || stop 1 "python3 with pip is needed to fetch torch's wheel" \
    "Debian, Ubuntu: apt install python3-pip" "or unpack libtorch $version elsewhere and set LIBTORCH to its folder"

rm -rf "$new" "$old"
trap 'rm -rf "$new"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir "$new" "$new/tmp"

# The files are for the linker, not for Python: any interpreter may fetch them. What pip unpacks for a while lies beside them, on
# the disk whose room was asked for. pip shows its progress: a slow line takes a quarter of an hour.
fetch() {
    TMPDIR=$new/tmp python3 -m pip install --disable-pip-version-check --no-input --root-user-action=ignore --no-compile \
        --only-binary=:all: --implementation cp --python-version 3.11 --target "$new" "$@"
}

lost() {
    if [ -n "$index" ]; then
        stop 1 "torch $version for CUDA $cuda did not come from $index, the only place where PyTorch has it" \
            "can this machine reach it? What pip says is above" \
            "or unpack libtorch $version for CUDA $cuda elsewhere and set LIBTORCH to its folder"
    fi
    stop 1 "torch $version did not come; what pip says is above. The same again brings it"
}

index=
set --
if [ "$kind" = cuda ]; then
    wheel "${CPSD_CUDA:-cu130}"
    echo "== libtorch: bringing torch $version for CUDA $cuda (about 3 GB, some minutes)"
    torch="torch==$version"
    # The package index has the wheel of CUDA 13.0.
    if [ "$cuda" != 13.0 ]; then
        torch="torch==$version+$CPSD_CUDA"
        index=https://download.pytorch.org/whl/$CPSD_CUDA
        set -- --index-url "$index"
    fi
    fetch "$@" --no-deps "$torch" || lost
    [ -e "$new/torch/lib/libtorch_cuda.so" ] || stop 1 "the wheel of $torch for this machine has no CUDA"
    # The wheel names NVIDIA's libraries that it is linked with; what Python alone needs of it is left out.
    sed -n '/extra *==/d; s/^Requires-Dist: *\(nvidia-.*\)/\1/p; s/^Requires-Dist: *\(cuda-toolkit.*\)/\1/p' \
        "$new"/torch-*.dist-info/METADATA >"$new/tmp/needed.txt"
    [ -s "$new/tmp/needed.txt" ] || stop 1 "the wheel of $torch does not say which of NVIDIA's libraries it needs"
    fetch "$@" -r "$new/tmp/needed.txt" || lost
    main=libtorch_cuda.so
else
    echo "== libtorch: bringing torch $version for the CPU (540 MB, a minute or two)"
    # libtorch_cpu needs only these two of CUDA's libraries, and finds them beside itself.
    fetch --no-deps "torch==$version" "nvidia-cuda-runtime==13.0.96" "nvidia-cuda-cupti==13.0.85" || lost
    # Without libtorch_cuda in the folder, torch-sys makes a CPU build.
    (cd "$new/torch/lib" && rm -rf libtorch_cuda*.so libc10_cuda.so libcaffe2_nvrtc.so libtorch_nvshmem.so)
    main=libtorch_cpu.so
fi
# Python's own part of the wheels is not needed.
(cd "$new/torch" && find . -mindepth 1 -maxdepth 1 ! -name lib ! -name include -exec rm -rf {} +)
(cd "$new" && find . -mindepth 1 -maxdepth 1 ! -name torch ! -name nvidia -exec rm -rf {} +)
rm -f "$new/torch/lib/libtorch_python.so"
# libcuda.so.1 belongs to the driver.
if command -v ldd >/dev/null 2>&1; then
    missing=$(ldd "$new/torch/lib/$main" 2>/dev/null | awk '/not found/ && $1 != "libcuda.so.1" { print $1 }' | sort -u | tr '\n' ' ')
    [ -z "$missing" ] || stop 1 "what came is not whole: $main lacks $missing"
fi
printf '%s\n' "$wanted" ${reason:+"$reason"} >"$new/version"
[ ! -e "$target" ] || mv "$target" "$old"
mv "$new" "$target"
rm -rf "$old"
echo "== libtorch: in .libtorch/torch"
