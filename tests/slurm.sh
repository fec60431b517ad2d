# make report as Slurm jobs, on a cluster of this machine alone: a controller and two nodes on loopback,
# with munged, started here and ended here. The report must have the numbers of a local one, also where a
# node dies in the middle. make test-slurm installs slurm-wlm and munge where they are missing.
. tests/cli/report.bash
for program in slurmctld slurmd srun munged; do
    command -v $program >/dev/null || { echo "skip slurm: no $program"; exit 0; }
done
if [ "$(id -u)" != 0 ]; then
    echo "skip slurm: node daemons want root"
    exit 0
fi
# The keys and sockets of munged may not lie below a folder that anybody may write to.
cluster=$(mktemp -d /run/kick-slurm.XXXXXX) || exit 1
chmod 755 "$cluster"
daemons=()
started() { # COMMAND…: a daemon in the foreground of a background job
    "$@" >>"$cluster/log" 2>&1 </dev/null &
    daemons+=($!)
}
descend() { # process numbers of PID and all that it started
    local child
    echo "$1"
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do descend "$child"; done
}
# Process numbers of node NAME: its daemon and, in sessions of their own, the steps of its jobs, which have
# its log open, and all that they started.
node() {
    local pid
    for pid in $(find /proc/[0-9]*/fd -lname "$cluster/slurmd.$1.log" 2>/dev/null | cut -d/ -f3 | sort -u); do
        descend "$pid"
    done
}
everything() {
    local pid
    for pid in "${daemons[@]}"; do descend "$pid"; done
    node n1
    node n2
}
stop() {
    local all=($(everything))
    kill "${all[@]}" 2>/dev/null
    sleep 1
    kill -9 "${all[@]}" $(everything) 2>/dev/null
    wait 2>/dev/null
}
trap 'stop; rm -rf "$cluster" "$work"' EXIT

mkdir "$cluster"/{munge,state}
dd if=/dev/urandom of="$cluster/munge/key" bs=128 count=1 2>/dev/null
chmod 400 "$cluster/munge/key"
owner=root
id munge >/dev/null 2>&1 && owner=munge
chown -R $owner "$cluster/munge"
chmod 711 "$cluster/munge"
started setpriv --reuid $owner --clear-groups munged -F --key-file="$cluster/munge/key" --socket="$cluster/munge/socket" \
    --pid-file="$cluster/munge/pid" --log-file="$cluster/munge/log" --seed-file="$cluster/munge/seed"

base=$((20000 + RANDOM % 20000))
host=$(hostname -s)
cat >"$cluster/slurm.conf" <<END
ClusterName=kick
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$base
AuthType=auth/munge
AuthInfo=socket=$cluster/munge/socket
CredType=cred/munge
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool.%n
SlurmctldPidFile=$cluster/ctld.pid
SlurmdPidFile=$cluster/slurmd.%n.pid
SlurmctldLogFile=$cluster/ctld.log
SlurmdLogFile=$cluster/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_min_interval=100000
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=5
KillWait=2
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((base + 1)) CPUs=2 RealMemory=2000
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((base + 2)) CPUs=2 RealMemory=2000
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
END
export SLURM_CONF=$cluster/slurm.conf
started slurmctld -D -i -f "$SLURM_CONF"
started slurmd -D -N n1 -f "$SLURM_CONF"
started slurmd -D -N n2 -f "$SLURM_CONF"
ready() { [ "$(sinfo -h -N -o '%T' 2>/dev/null | grep -c idle)" -eq "$1" ]; }
for ((i = 0; i < 120; i++)); do
    ready 2 && break
    sleep 0.5
done
if ! ready 2; then
    echo "not ok two nodes are idle"
    tail -20 "$cluster/log" "$cluster"/*.log "$cluster/munge/log" 2>/dev/null | sed 's/^/    /'
    exit 0
fi
echo "ok two nodes are idle"
check "srun on both" srun -N2 --mem=50M true

# A job gets what its programs say that they need, and not much more.
"$KICK_BUILD/tests/make-model" "$work/wide" --layers 2 --hidden 1024 --intermediate 4096 --heads 8 --kv-heads 8 --vocab 30000
mkdir "$work/models"
kick-ingest-model -q "$work/wide" -o "$work/models/wide.kick"
kick-ingest-text -q -f ids "$work/data/rows.ids" -o "$work/ids.kick"
pipe="kick-eval-perplexity -d $work/ids.kick $work/models/wide.kick"
needed=$(kick-eval-perplexity -d "$work/ids.kick" --mem-max 1K "$work/models/wide.kick" 2>&1 | sed -n 's/.*needs about \([0-9]*\)\..*/\1/p')
check "memory of a job" reports/slurm.sh bash -c 'squeue -h -j "$SLURM_JOB_ID" -o %m >"$0"' "$work/memory" "$pipe -o $work/x"
given=$(tr -d M <"$work/memory")
check "$given MiB for a program that needs $needed" test "$given" -gt "$needed" -a "$given" -lt $((needed * 6 / 5 + 40))

report "$work/local" >/dev/null 2>&1
dump "$work/local" >"$work/a"
check "make report RUN=reports/slurm.sh" report "$work/jobs" -j4 RUN=reports/slurm.sh
dump "$work/jobs" >"$work/b"
check "has the numbers of a local one" cmp "$work/a" "$work/b"
jobs=$(grep -c 'sched: .*Allocate JobId\|_slurm_rpc_allocate_resources' "$cluster/ctld.log")
echo "# $jobs jobs"
check "every result was a job" test "$jobs" -ge "$(ls "$work/jobs/results" | wc -l)"

# A node dies, with all that runs on it, while jobs are on it.
cat >"$work/slowly" <<'END'
#!/bin/bash
exec reports/slurm.sh bash -c 'sleep 1; exec "$@"' _ "$@"
END
chmod +x "$work/slowly"
report "$work/dies" -j4 RUN="$work/slowly" >"$work/said" 2>&1 &
make=$!
killed=0
for ((i = 0; i < 400 && killed == 0; i++)); do
    kill -0 $make 2>/dev/null || break
    there=($(node n2))
    if [ ${#there[@]} -gt 3 ]; then # the daemon, a step of a job and what that runs
        kill -9 "${there[@]}" 2>/dev/null
        killed=1
    fi
    sleep 0.05
done
check "a node died while jobs were on it" test $killed -eq 1
wait $make
check "the report completes without it" test $? -eq 0
dump "$work/dies" >"$work/b"
check "with the same numbers" cmp "$work/a" "$work/b"
again=$(grep -c 'did not come to its end' "$work/said")
check "jobs of the dead node are run again: $again" test "$again" -ge 1
check "nothing is left over" test -z "$(find "$work/dies" -name '*.tmp'; ls -A | grep '^\.kick-slurm')"
stop
check "and nothing runs any more" test -z "$(find /proc/[0-9]*/fd -lname "$cluster/*" 2>/dev/null)"
