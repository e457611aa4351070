#!/bin/sh
# A Slurm that is one machine and runs each task while sbatch waits: sbatch, squeue, scancel and scontrol in one, by the name under which it
# is called. With FAKE_BESIDE set, tasks run beside sbatch.
#
# In the folder $FAKE_STATE: calls (one line per call), jobs/ID (the job's name), ended/ID_INDEX (a task's exit code).
program=${0##*/}
echo "$program $*" >> "$FAKE_STATE/calls"
mkdir -p "$FAKE_STATE/jobs" "$FAKE_STATE/ended" "$FAKE_STATE/begun"

# The numbers of an array: 0-2,5%3.
numbers() {
    echo "$1" | awk '{
        sub(/%.*/, "")
        n = split($0, parts, ",")
        for (i = 1; i <= n; i++) {
            m = split(parts[i], ends, "-")
            for (j = ends[1]; j <= (m > 1 ? ends[2] : ends[1]); j++) print j
        }
    }'
}

case $program in
sbatch)
    name=job array=0 node=n1 script= output=/dev/null
    take() {
        case $1 in
            --job-name=*) name=${1#*=} ;;
            --array=*) array=${1#*=} ;;
            --output=*) output=${1#*=} ;;
            --exclude=*) node=n2 ;;
            --partition=nowhere) echo 'sbatch: error: invalid partition specified: nowhere' >&2; exit 1 ;;
        esac
    }
    while [ $# -gt 0 ]; do
        case $1 in
            -J | --job-name) name=$2; shift ;;
            -a | --array) array=$2; shift ;;
            -o | --output) output=$2; shift ;;
            -x | --exclude) node=n2; shift ;;
            -*) take "$1" ;;
            *) script=$1 ;;
        esac
        shift
    done
    id=1000
    until mkdir "$FAKE_STATE/numbers.$id" 2>/dev/null; do id=$((id + 1)); done
    if [ -z "$script" ]; then
        script=$FAKE_STATE/$id.sh
        cat > "$script"
    fi
    for option in $(sed -n 's/^#SBATCH //p' "$script"); do take "$option"; done
    echo "$name" > "$FAKE_STATE/jobs/$id"
    for index in $(numbers "$array"); do
        log=$(echo "$output" | sed "s/%a/$index/g; s/%A/$id/g")
        : > "$FAKE_STATE/begun/${id}_$index"
        run() {
            SLURM_JOB_ID=$id SLURM_ARRAY_JOB_ID=$id SLURM_ARRAY_TASK_ID=$index SLURMD_NODENAME=$node SLURM_CPUS_ON_NODE=1 \
                sh "$script" > "$log" 2>&1 < /dev/null
            echo $? > "$FAKE_STATE/ended/${id}_$index"
        }
        if [ -n "$FAKE_BESIDE" ]; then run > /dev/null 2>&1 & else run; fi
    done
    echo "$id"
    ;;
squeue)
    format='%i %T' jobs= name=
    while [ $# -gt 0 ]; do
        case $1 in
            -o | --format) format=$2; shift ;;
            -o?*) format=${1#-o} ;;
            -j | --jobs | --job) jobs=$2; shift ;;
            -j?*) jobs=${1#-j} ;;
            -n | --name) name=$2; shift ;;
            --format=*) format=${1#*=} ;;
            --jobs=* | --job=*) jobs=${1#*=} ;;
            --name=*) name=${1#*=} ;;
            -t | --states | -u | --user) shift ;;
        esac
        shift
    done
    for task in $(ls "$FAKE_STATE/begun"); do
        id=${task%_*}
        if [ -n "$name" ] && [ "$(cat "$FAKE_STATE/jobs/$id")" != "$name" ]; then continue; fi
        state=RUNNING
        if [ -e "$FAKE_STATE/ended/$task" ]; then
            state=FAILED
            if [ "$(cat "$FAKE_STATE/ended/$task")" = 0 ]; then state=COMPLETED; fi
        fi
        echo "$id ${task#*_} $state"
    done | awk -v format="$format" -v jobs="$jobs" '
        BEGIN { n = split(jobs, list, ","); for (i = 1; i <= n; i++) { sub(/_.*/, "", list[i]); wanted[list[i]] = 1 } }
        jobs == "" || $1 in wanted {
            line = format
            gsub(/%\.?[0-9]*i/, $1 "_" $2, line)
            gsub(/%\.?[0-9]*[AF]/, $1, line)
            gsub(/%\.?[0-9]*K/, $2, line)
            gsub(/%\.?[0-9]*T/, $3, line)
            gsub(/%\.?[0-9]*[rR]/, "None", line)
            gsub(/%\.?[0-9]*N/, "n1", line)
            gsub(/%\.?[0-9]*[A-Za-z]/, "0", line)
            print line
        }'
    ;;
scontrol)
    case "$*" in
        *config*) printf 'Configuration data\nMaxArraySize            = 1001\nKillWait                = 5 sec\nJobRequeue              = 1\nSLURM_VERSION           = 22.05.8\n' ;;
    esac
    ;;
esac
exit 0
