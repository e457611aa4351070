# Ends all processes of a cluster when the process that started it has ended, however, and removes its folder.
# The first line of standard input is the folder; its end is the end of that process. What belongs to the cluster has the
# folder in its environment (SLURM_CONF, which tasks have too).
read -r root
case $root in /?*) ;; *) exit 1 ;; esac
cat >/dev/null
tries=0
# Twice nothing: what is being started has the environment of its parent, but a moment later.
nothing=0
while [ $tries -lt 200 ] && [ $nothing -lt 2 ]; do
    found=$(printf 'SLURM_CONF=%s/etc/slurm.conf\n' "$root" | grep -lsaF -f - /proc/[0-9]*/environ)
    if [ -z "$found" ]; then
        nothing=$((nothing + 1))
    else
        nothing=0
        for file in $found; do
            pid=${file#/proc/}
            kill -KILL "${pid%/environ}" 2>/dev/null
        done
    fi
    tries=$((tries + 1))
    sleep 0.05
done
rm -rf "$root"
