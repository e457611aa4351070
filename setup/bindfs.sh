#!/bin/sh
# Brings bindfs, with which a test mounts one folder twice, as on two hosts of a shared file system. Does nothing when it is
# there; where it can't be had it says so, and the test on two mounts is skipped.
set -eu
command -v bindfs >/dev/null 2>&1 && command -v fusermount3 >/dev/null 2>&1 && exit 0
if [ ! -e /dev/fuse ]; then
    echo "== bindfs: this machine has no /dev/fuse; the test on two mounts will be skipped"
    exit 0
fi
as_root=
[ "$(id -u)" = 0 ] || as_root="sudo -n"
if command -v apt-get >/dev/null 2>&1 && { [ -z "$as_root" ] || $as_root true 2>/dev/null; }; then
    echo "== bindfs: bringing it with apt (1 MB, some seconds)"
    $as_root apt-get update -qq || true
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends bindfs fuse3 >/dev/null || true
fi
command -v bindfs >/dev/null 2>&1 ||
    echo "== bindfs: it cannot be had here; the test on two mounts will be skipped"
