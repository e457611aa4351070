#!/bin/sh
# A Slurm of one machine: sbatch, squeue, scancel and scontrol in one, by the name under which it is called. Each array has a process that
# runs its tasks one after the other.
#
# In the folder $FAKE_STATE: calls (one line per call), jobs/ID (the job's name), tasks/ID_INDEX, begun/ID_INDEX, ended/ID_INDEX (the exit
# code).
program=${0##*/}
echo "$program $*" >> "$FAKE_STATE/calls"
for folder in jobs tasks begun ended; do mkdir -p "$FAKE_STATE/$folder"; done

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
    name=job array=0 node=n1 script= after= output=/dev/null
    take() {
        case $1 in
            --job-name=*) name=${1#*=} ;;
            --array=*) array=${1#*=} ;;
            --output=*) output=${1#*=} ;;
            --exclude=*) node=n2 ;;
            --dependency=afterany:*) after=${1#*afterany:} ;;
            --partition=nowhere) echo 'sbatch: error: invalid partition specified: nowhere' >&2; exit 1 ;;
        esac
    }
    while [ $# -gt 0 ]; do
        case $1 in
            -J | --job-name) name=$2; shift ;;
            -a | --array) array=$2; shift ;;
            -o | --output) output=$2; shift ;;
            -x | --exclude) node=n2; shift ;;
            -d | --dependency) after=${2#*afterany:}; shift ;;
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
    for index in $(numbers "$array"); do : > "$FAKE_STATE/tasks/${id}_$index"; done
    {
        for index in $(numbers "$array"); do
            # After the jobs that it waits for.
            for job in $(echo "$after" | tr ':' ' '); do
                while [ "$(ls "$FAKE_STATE/tasks" | grep -c "^${job}_")" != "$(ls "$FAKE_STATE/ended" | grep -c "^${job}_")" ]; do
                    sleep 0.1
                done
            done
            : > "$FAKE_STATE/begun/${id}_$index"
            log=$(echo "$output" | sed "s/%a/$index/g; s/%A/$id/g")
            SLURM_JOB_ID=$id SLURM_ARRAY_JOB_ID=$id SLURM_ARRAY_TASK_ID=$index SLURMD_NODENAME=$node SLURM_CPUS_ON_NODE=1 \
                sh "$script" > "$log" 2>&1
            echo $? > "$FAKE_STATE/.ended.${id}_$index"
            mv "$FAKE_STATE/.ended.${id}_$index" "$FAKE_STATE/ended/${id}_$index"
        done
    } > /dev/null 2>&1 < /dev/null &
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
    for task in $(ls "$FAKE_STATE/tasks"); do
        id=${task%_*}
        if [ -n "$name" ] && [ "$(cat "$FAKE_STATE/jobs/$id")" != "$name" ]; then continue; fi
        state=PENDING
        if [ -e "$FAKE_STATE/begun/$task" ]; then state=RUNNING; fi
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
