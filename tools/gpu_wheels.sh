#!/usr/bin/env bash
# Gather, on a machine with a network, the packages that `make test-gpu WHEELS=FOLDER` installs on one without.
#   tools/gpu_wheels.sh FOLDER [--dry-run]
#   PYTHON=python3.11   the interpreter whose version the GPU machine has, too (default .venv's if there is one, else python3)
#   TORCH_ARGS="--index-url ..."  where torch comes from; the registry's own build has CUDA
#   TORCH_CUDA_ARCH_LIST="8.0;9.0+PTX"  the GPUs that mmcv is compiled for, where this machine has nvcc
# mmcv has no wheel with CUDA operators on the registry. Where nvcc is found here (no GPU is needed for it), a wheel is compiled
# into FOLDER. Else its sources go there, and the GPU machine compiles them, which takes an nvcc and some minutes there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/nvcc.sh
fail() { printf 'gpu-wheels: %s\n' "$*" >&2; exit 1; }
[ $# -ge 1 ] || fail 'expected the folder: make gpu-wheels WHEELS=FOLDER'
folder=$1
run() { "$@"; }
[ "${2:-}" != --dry-run ] || run() { printf '%s ' "$@"; echo; }
if [ -z "${PYTHON:-}" ]; then
  PYTHON=python3
  [ ! -x .venv/bin/python ] || PYTHON=$PWD/.venv/bin/python
fi

mmcv=$(grep onedl-mmcv requirements/onedl.txt)
rest=$(mktemp)
trap 'rm -f "$rest"' EXIT
grep -v onedl-mmcv requirements/onedl.txt >"$rest"
run mkdir -p "$folder"
download=(run "$PYTHON" -m pip --disable-pip-version-check download -q -d "$folder")
"${download[@]}" -r requirements/build.txt
"${download[@]}" ${TORCH_ARGS:-} -r requirements/torch.txt
# torch.txt again: it holds numpy and torch where they are.
"${download[@]}" --find-links "$folder" -r requirements/torch.txt -r "$rest" -r requirements/runtime.txt -r requirements/gpu.txt \
  addict packaging pyyaml yapf opencv-python-headless
find_nvcc
if [ -n "$nvcc" ]; then
  "$PYTHON" -c 'import torch, ninja' 2>/dev/null ||
    fail "there is an nvcc, and mmcv is compiled against torch, which $PYTHON has not: make setup, then call this again"
  use_headers_of_torch "$PYTHON"
  run env FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST="${TORCH_CUDA_ARCH_LIST:-7.5;8.0;8.6;8.9;9.0+PTX}" MAX_JOBS="$(nproc)" \
    CFLAGS="-O2 -g0 -DNDEBUG" "$PYTHON" -m pip --disable-pip-version-check wheel --no-deps --no-cache-dir \
    --no-build-isolation -w "$folder" "$mmcv"
else
  "${download[@]}" --no-deps --no-binary onedl-mmcv "$mmcv"
  echo "gpu-wheels: no nvcc here: mmcv goes as sources, and is compiled on the GPU machine, which needs nvcc and g++"
fi
run "$PYTHON" -c "import platform; open('$folder/python.txt', 'w').write(platform.python_version())"
echo "gpu-wheels: copy $folder and this repository to the GPU machine; there: make test-gpu WHEELS=$folder"
