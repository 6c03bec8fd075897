# Sourced by gpu_wheels.sh and gpu_env.sh: where nvcc is, and the headers that mmcv's operators need beside it.

find_nvcc() {  # sets nvcc, empty if there is none, and CUDA_HOME where torch would guess it from a program in another folder
  if [ -z "${CUDA_HOME:-}" ] && [ -x /usr/local/cuda/bin/nvcc ]; then
    export CUDA_HOME=/usr/local/cuda
  fi
  nvcc=${CUDA_HOME:-}/bin/nvcc
  [ -x "$nvcc" ] || nvcc=$(command -v nvcc || true)
}

use_headers_of_torch() {  # PYTHON: a toolkit may be without those of cuBLAS and its like, which torch brought
  [ ! -e "${CUDA_HOME:-}/include/cusparse.h" ] || return 0
  CPATH=$("$1" - <<'PYTHON'
from pathlib import Path
import torch
print(':'.join(map(str, sorted(Path(torch.__file__).parents[1].glob('nvidia/*/include')))))
PYTHON
  )${CPATH:+:$CPATH}
  export CPATH
}
