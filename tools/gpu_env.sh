#!/usr/bin/env bash
# Make .venv-gpu from a folder of wheels that tools/gpu_wheels.sh gathered, without a network. In place, it takes milliseconds.
#   tools/gpu_env.sh FOLDER [--dry-run]
#   BASE_PYTHON=python3.11  the interpreter to make it from (default python3); of the version that the wheels are for
set -euo pipefail
here=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/nvcc.sh
fail() { printf 'gpu-env: %s\n' "$*" >&2; exit 1; }
[ $# -ge 1 ] || fail 'expected the folder of wheels'
folder=$(cd "$here" && cd "$1" 2>/dev/null && pwd) || fail "no folder $1: make gpu-wheels WHEELS=$1, on a machine with a network"
base=${BASE_PYTHON:-python3}
venv=$PWD/.venv-gpu
py=$venv/bin/python
run() { "$@"; }
dry=''
if [ "${2:-}" = --dry-run ]; then
  dry=1
  run() { printf '%s ' "$@"; echo; }
fi

want=$({ echo "$PWD $base $folder"; ls -l "$folder"; cat requirements/*.txt tools/gpu_env.sh; } | sha256sum)
[ -n "$dry" ] || [ "$(cat "$venv/.ready" 2>/dev/null)" != "$want" ] || exit 0

version=$("$base" -c 'import platform; print(platform.python_version())') || fail "$base cannot be run; name one by BASE_PYTHON"
made_for=$(cat "$folder/python.txt" 2>/dev/null || echo "$version")
[ "${version%.*}" = "${made_for%.*}" ] ||
  fail "the wheels in $folder are for Python $made_for, and $base is $version; name a Python ${made_for%.*} by BASE_PYTHON"
compgen -G "$folder/torch-*.whl" >/dev/null || fail "$folder has no wheel of torch: make gpu-wheels WHEELS=$folder made it only in part"
compiled=(--only-binary onedl-mmcv)  # nothing is compiled behind one's back
if ! compgen -G "$folder/onedl_mmcv-*.whl" >/dev/null; then
  find_nvcc
  [ -n "$dry" ] || [ -n "$nvcc" ] ||
    fail "$folder has mmcv as sources, and there is no nvcc to compile them: set CUDA_HOME, or make the wheels where there is one"
  compiled=()
fi

run rm -rf "$venv"
run "$base" -m venv "$venv"
# Without isolation, which would build each package that comes as sources in an environment of its own.
install=(run "$py" -m pip --disable-pip-version-check install -q --no-index --find-links "$folder" --no-build-isolation)
"${install[@]}" -r requirements/build.txt
"${install[@]}" -r requirements/torch.txt
[ -n "$dry" ] || [ ${#compiled[@]} -gt 0 ] || use_headers_of_torch "$py"
export FORCE_CUDA=1 MAX_JOBS CFLAGS="-O2 -g0 -DNDEBUG"
MAX_JOBS=$(nproc)
"${install[@]}" ${compiled[@]+"${compiled[@]}"} "$(grep onedl-mmcv requirements/onedl.txt)"
"${install[@]}" -r requirements/torch.txt -r requirements/onedl.txt -r requirements/runtime.txt -r requirements/gpu.txt
"$py" -c 'import cv2' 2>/dev/null || "${install[@]}" --force-reinstall --no-deps opencv-python-headless  # needs no libGL
[ -n "$dry" ] || echo "$want" >"$venv/.ready"
