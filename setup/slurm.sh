#!/bin/sh
# Brings Slurm, of which tests start a whole cluster of their own on this machine. Does nothing when it is there; where it can't be
# had or used it says so, and these tests are skipped. Slurm's services, if the packages start any, are left as they are.
set -eu
has() {
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1
}
there() {
    for program in slurmctld slurmd munged sbatch; do
        has "$program" || return 1
    done
}
skipped() {
    echo "== Slurm: $1; the tests on a cluster will be skipped"
    exit 0
}
[ "$(uname -s)" = Linux ] || skipped "not on this system"
[ "$(id -u)" = 0 ] || skipped "only root can start one of its own"
if ! there; then
    command -v apt-get >/dev/null 2>&1 || skipped "it cannot be had here"
    echo "== Slurm: bringing it with apt (12 MB, half a minute)"
    apt-get update -qq || true
    # Newer ones have their plugins in a package of their own.
    for packages in "slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge" slurm-wlm-torque; do
        # shellcheck disable=SC2086 # several names
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null || true
    done
    there || skipped "it cannot be had here"
fi
has qsub || echo "== Slurm: without qsub (package slurm-wlm-torque) the test of a queue by commands will be skipped"
