#!/usr/bin/env bash
# A search on several nodes of a Slurm cluster: one Ray per allocation. Its arguments go to
# `raynas search`; --output must be on storage that all nodes see.
#   sbatch --nodes=4 --gpus-per-node=2 launch/slurm.sh --task cifar10 --download --output /shared/first
# Submit it again to continue the run.
#SBATCH --job-name=raynas
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=24:00:00
# Slurm tells the search two minutes before the end, or before it takes the nodes away. The search
# writes checkpoints, and the job is queued again.
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head="${nodes[0]}"
address="$head:$((20000 + SLURM_JOB_ID % 10000))"
# Only who knows the token may use this Ray.
RAY_AUTH_TOKEN="${RAY_AUTH_TOKEN:-$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')}"
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token
amounts=(--num-cpus="${SLURM_CPUS_ON_NODE:-$(nproc)}")
if [[ -n "${SLURM_GPUS_ON_NODE:-}" ]]; then amounts+=(--num-gpus="$SLURM_GPUS_ON_NODE"); fi

on() { # on NODE COMMAND...: run it as a step of the job
    local node="$1"
    shift
    srun --overlap --nodes=1 --ntasks=1 --nodelist="$node" "$@"
}

steps=()
# shellcheck disable=SC2317 # the trap calls it
stop() { # ends the steps, at last by force
    kill "${steps[@]}" 2>/dev/null || true
    for _ in {1..10}; do
        [[ "$(jobs -rp)" ]] || return 0
        sleep 1
    done
    kill -KILL "${steps[@]}" 2>/dev/null || true
}
trap stop EXIT
on "$head" ray start --head --block --node-ip-address="$head" --port="${address##*:}" \
    --include-dashboard=false "${amounts[@]}" &
steps+=($!)
until ray health-check --address "$address" >/dev/null 2>&1; do
    kill -0 "${steps[0]}" || { echo "Ray did not start on $head" >&2; exit 1; }
    sleep 1
done
for node in "${nodes[@]:1}"; do
    on "$node" ray start --block --address="$address" "${amounts[@]}" &
    steps+=($!)
done

# Nodes that come later are used, so the search does not wait for them.
raynas search --address "$address" "$@" &
search=$!
told=""
trap 'told=yes; kill -USR1 "$search"' USR1 TERM
status=0
wait "$search" || status=$?
if [[ $told ]]; then
    status=0
    wait "$search" || status=$?
    scontrol requeue "$SLURM_JOB_ID" || true
fi
exit "$status"
