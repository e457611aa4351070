#!/bin/sh
# Brings Slurm, of which tests start a whole cluster of their own on this machine. Does nothing when it is there; where it can't be
# had it says so, and these tests are skipped. Slurm's services, if the packages start any, are left as they are.
set -eu
there() {
    for program in slurmctld slurmd munged sbatch qsub; do
        PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null 2>&1 || return 1
    done
}
there && exit 0
if [ "$(uname -s)" != Linux ]; then
    echo "== Slurm: not on this system; the tests on a cluster will be skipped"
    exit 0
fi
as_root=
[ "$(id -u)" = 0 ] || as_root="sudo -n"
if command -v apt-get >/dev/null 2>&1 && { [ -z "$as_root" ] || $as_root true 2>/dev/null; }; then
    echo "== Slurm: bringing it with apt (12 MB, half a minute)"
    $as_root apt-get update -qq || true
    # Newer ones have their plugins in a package of their own.
    for packages in "slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge" slurm-wlm-torque; do
        # shellcheck disable=SC2086 # several names
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null || true
    done
fi
there || echo "== Slurm: it cannot be had here; the tests on a cluster will be skipped"
[ "$(id -u)" = 0 ] || echo "== Slurm: only root can start one of its own; the tests on a cluster will be skipped"
