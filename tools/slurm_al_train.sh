#!/usr/bin/env bash
# Active learning as a slurm job of GPUS tasks, a GPU each; from a shell, or in a batch script.
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] \
#     tools/slurm_al_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [al_train.py's arguments]
# GPUS_PER_NODE=0 asks for no GPU, and GPUS is the number of tasks; nodes can be asked for by SRUN_ARGS. PYTHON names
# another interpreter; MASTER_PORT and MASTER_ADDR are found out if unset. Paths are relative to where you are.
set -euo pipefail

if [ $# -lt 4 ]; then
  echo "slurm_al_train.sh: expected PARTITION JOB_NAME CONFIG WORK_DIR [arguments of al_train.py]; got: $*" >&2
  exit 2
fi
partition=$1 job_name=$2 config=$3 work_dir=$4
gpus=${GPUS:-8}
gpus_per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ ! -f "$root/tools/al_train.py" ]; then  # sbatch copies what it is given to another folder
  echo "slurm_al_train.sh: expected $root/tools/al_train.py, which is not there. Do not give this script to sbatch:" \
    "call it from a batch script, by its path." >&2
  exit 2
fi
command -v srun >/dev/null || { echo "slurm_al_train.sh: srun not found. Call this where slurm is installed." >&2; exit 2; }

options=(-p "$partition" --job-name="$job_name" --ntasks="$gpus" --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1)
[ "$gpus_per_node" = 0 ] || options+=(--gres="gpu:$gpus_per_node" --ntasks-per-node="$gpus_per_node")
read -ra more <<<"${SRUN_ARGS:-}" || true
[ ${#more[@]} = 0 ] || options+=("${more[@]}")
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}  # 1 is what torchrun sets
exec srun "${options[@]}" "${PYTHON:-python}" -u "$root/tools/al_train.py" "$config" --work-dir "$work_dir" \
  --launcher slurm "${@:5}"
