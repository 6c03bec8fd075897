#!/usr/bin/env bash
# Make an environment with everything mmal needs, or mend a half-made one. `make` calls it; in place, it takes milliseconds.
#   STACK=onedl|openmmlab   onedl's packages and a current torch, in .venv (default), or openmmlab's and torch 2.1, in .venv-openmmlab
#   BASE_PYTHON=python3.12  the interpreter to make it from (default python3)
#   CUDA=0|1                mmcv's operators for the processor only, or for CUDA too (default: whether torch sees a GPU)
#   TORCH_ARGS="--index-url ..."  where torch comes from, e.g. PyTorch's index of CPU-only builds
# What was chosen once is kept in the environment, in .options.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
stack=${STACK:-onedl}
case $stack in
  onedl) venv=$PWD/.venv build=requirements/build.txt torch=requirements/torch.txt tests=requirements/tests.txt newest=99 ;;
  openmmlab)
    venv=$PWD/.venv-openmmlab build=requirements/openmmlab-build.txt torch=requirements/openmmlab-torch.txt
    tests=requirements/openmmlab-tests.txt newest=11
    ;;
  *) echo "set-up: STACK is onedl or openmmlab, not $stack" >&2; exit 1 ;;
esac
py=$venv/bin/python
kept() { sed -n "s/^$1=//p" "$venv/.options" 2>/dev/null || true; }
base=${BASE_PYTHON:-$(kept BASE_PYTHON)}
base=${base:-python3}
case ${CUDA:-} in 0 | 1) ;; *) CUDA=$(kept CUDA) ;; esac
TORCH_ARGS=${TORCH_ARGS:-$(kept TORCH_ARGS)}

fail() { printf '\nset-up: %s\n' "$*" >&2; exit 1; }
say() { printf '\n[set-up] %s\n' "$*" >&2; }
fingerprint() { { echo "$PWD $stack ${CUDA:-} ${TORCH_ARGS:-} $base"; cat requirements/*.txt setup.py tools/setup_env.sh; } | sha256sum; }
pip() { "$py" -m pip --disable-pip-version-check "$@" ||
  fail "pip failed (above). Check the network and the free space (8 GB), then call make again: it goes on from here."; }

want=$(fingerprint)
ready() { [ "$(cat "$venv/.ready" 2>/dev/null)" = "$want" ] && "$py" -c '' 2>/dev/null; }
ready && exit 0

exec 9>"$venv.lock"
flock 9  # a second make waits for the first
ready && exit 0

"$base" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
  fail "Python >= 3.10 is needed ($base is not). Name one by BASE_PYTHON=/path/to/python."
"$base" -c "import sys; sys.exit(sys.version_info >= (3, $newest + 1))" ||
  fail "torch 2.1 has no build for so new a Python ($base). Name Python 3.10 or 3.11 by BASE_PYTHON=/path/to/python."
command -v g++ >/dev/null || fail "a C++ compiler is needed: apt-get install build-essential"
"$base" -c 'import os, sysconfig; p = sysconfig.get_path("include"); raise SystemExit(not os.path.exists(p + "/Python.h"))' ||
  fail "Python's headers are needed to compile mmcv: apt-get install python3-dev"

if [ "$(kept BASE_PYTHON)" != "$base" ] || ! "$py" -m pip --version >/dev/null 2>&1; then
  say "making $venv"
  rm -rf "$venv"
  "$base" -m venv "$venv" || { rm -rf "$venv"; fail "Python's venv is needed: apt-get install python3-venv"; }
fi
printf 'BASE_PYTHON=%s\nCUDA=%s\nTORCH_ARGS=%s\n' "$base" "${CUDA:-}" "${TORCH_ARGS:-}" >"$venv/.options"

sees() { "$py" - <<<"$1" >/dev/null 2>&1; }
torch_works='import torch, torchvision; torchvision.ops.nms(torch.zeros(1, 4), torch.ones(1), 0.5)'
pip install -q -r "$build"
if ! sees "$torch_works"; then
  say "installing torch: about 3 minutes, 5 GB"
  pip install -q ${TORCH_ARGS:-} -r "$torch"
  sees "$torch_works" || pip install -q --force-reinstall ${TORCH_ARGS:-} -r "$torch"
fi

cuda=${CUDA:-$("$py" -c 'import torch; print(int(torch.cuda.is_available()))')}
if [ "$cuda" = 1 ]; then
  command -v "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" >/dev/null || command -v nvcc >/dev/null ||
    fail "there is a GPU but no nvcc to compile mmcv's operators for it: install the CUDA toolkit $("$py" -c 'import torch; print(torch.version.cuda)') and set CUDA_HOME, or choose processor operators by CUDA=0"
  operators=(FORCE_CUDA=1)
else
  operators=(FORCE_CUDA=0 CUDA_VISIBLE_DEVICES=)
fi
ops_work="import torch; from mmcv.ops import get_compiling_cuda_version, nms
assert not $cuda or get_compiling_cuda_version() != 'not available'
d = 'cuda' if $cuda and torch.cuda.is_available() else 'cpu'
nms(torch.zeros(1, 4, device=d), torch.ones(1, device=d), 0.5)"
mmcv() {  # -O2 -g0: half the time of the default, and optimised
  env "${operators[@]}" CFLAGS="-O2 -g0 -DNDEBUG" MAX_JOBS="$(nproc)" "$py" -m pip --disable-pip-version-check install -q \
    --no-build-isolation -c "$torch" "$@" "$(grep mmcv "requirements/$stack.txt")" ||
    fail "mmcv's operators did not compile (above). 2 GB of memory a core are needed, and for CUDA an nvcc of torch's release; then call make again."
  sees 'import cv2' || pip install -q --force-reinstall --no-deps opencv-python-headless  # needs no libGL
}
if ! sees "$ops_work"; then
  say "compiling mmcv's operators (CUDA: $cuda): about $((16 / $(nproc) + 2)) minutes on $(nproc) cores; seconds if pip kept the wheel"
  mmcv
  sees "$ops_work" || { say "pip's kept wheel fits another torch; compiling anew"; mmcv --no-cache-dir --force-reinstall --no-deps; }
  sees "$ops_work" || fail "mmcv is there but its operators do not run: $py -c 'from mmcv.ops import nms' says why"
fi

say "installing the rest: about a minute"
pip install -q -r "requirements/$stack.txt" -r requirements/runtime.txt -r "$tests" -r "$torch"
[ "$stack" != onedl ] || pip install -q --no-deps -r requirements/tests-no-deps.txt
sees 'import cv2' || pip install -q --force-reinstall --no-deps opencv-python-headless  # needs no libGL
pip install -q --no-build-isolation --no-deps -e .
[ "${CUDA:-}" = 0 ] && export CUDA_VISIBLE_DEVICES=
"$py" tools/check_env.py || fail "the environment above cannot work; cure it, or remove $venv and call make again"
echo "$want" >"$venv/.ready"
say "ready"
