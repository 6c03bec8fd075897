#!/usr/bin/env bash
# Install the Label Studio server that tests/label_studio/ starts, into .venv-label-studio: about 1 GB, 2 to 7 minutes.
# Its packages must not meet those of .venv. In place, this takes milliseconds. BASE_PYTHON names the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
venv=$PWD/.venv-label-studio
want=$(cat requirements/label-studio-server.txt tests/label_studio/install.sh | sha256sum)
[ "$(cat "$venv/.ready" 2>/dev/null)" = "$want" ] && "$venv/bin/python" -c '' 2>/dev/null && exit 0

echo "[label-studio] installing $(cat requirements/label-studio-server.txt) into $venv" >&2
rm -rf "$venv"
"${BASE_PYTHON:-python3}" -m venv "$venv"
# what is not imported is not compiled
"$venv/bin/python" -m pip --disable-pip-version-check install -q --no-compile -r requirements/label-studio-server.txt || {
  echo "[label-studio] pip failed (above): check the network and the free space (2 GB)" >&2
  exit 1
}
echo "$want" >"$venv/.ready"
