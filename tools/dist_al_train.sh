#!/usr/bin/env bash
# Active learning with GPUS processes on this machine, or on each of NNODES machines: call it on every one of them.
#   [NNODES=1] [NODE_RANK=0] [MASTER_ADDR=127.0.0.1] [PORT=...] tools/dist_al_train.sh CONFIG GPUS [al_train.py's arguments]
# Without a GPU, GPUS is the number of processes. PYTHON names another interpreter. Paths are relative to where you are.
set -euo pipefail

if [ $# -lt 2 ] || ! [[ $2 =~ ^[1-9][0-9]*$ ]]; then
  echo "dist_al_train.sh: expected CONFIG GPUS [arguments of al_train.py], with GPUS a number of processes; got: $*" >&2
  exit 2
fi
config=$1 gpus=$2
nnodes=${NNODES:-1}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ "$nnodes" = 1 ] && [ -z "${PORT:-}${MASTER_ADDR:-}" ]; then
  meet=(--standalone)  # takes a free port: jobs on one machine cannot collide
else  # all machines must come to the same port by themselves: it follows from what they have in common
  meet=(--nnodes "$nnodes" --node-rank "${NODE_RANK:-0}" --master-addr "${MASTER_ADDR:-127.0.0.1}"
    --master-port "${PORT:-$((20000 + $(printf '%s\n' "$@" | cksum | cut -d' ' -f1) % 10000))}")
fi
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}  # 1 is what torchrun sets
exec "${PYTHON:-python}" -m torch.distributed.run "${meet[@]}" --nproc-per-node "$gpus" \
  "$root/tools/al_train.py" "$config" --launcher pytorch "${@:3}"
