"""A real Label Studio server on this machine: loopback address, SQLite, nothing asked of the network."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

from tests.slurm.cluster import wait_for
from tests.zoo_configs import ROOT

VENV = ROOT / '.venv-label-studio'
PROGRAM = VENV / 'bin' / 'label-studio'
INSTALL = 'make test-label-studio, or tests/label_studio/install.sh'
TOKEN = 'ab' * 20
"""Of a server that only this machine can reach, and that lives as long as the tests."""
USER = 'ann@example.org'
DATABASE = 'label_studio.sqlite3'
OFFLINE = dict(COLLECT_ANALYTICS='False', LATEST_VERSION_CHECK='False', SENTRY_DSN='', FRONTEND_SENTRY_DSN='',
               LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK='true')


class Server:
    """Started, killed and started again on the same data.

    Args:
        folder: For its data and log.
        images: Its document root for local files.
    """

    def __init__(self, folder: Path, images: Path) -> None:
        self._folder, self._images, self._process = folder, images, None
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            self.port = s.getsockname()[1]
        self.url = f'http://127.0.0.1:{self.port}'

    def start(self) -> None:
        """Start it and wait until it answers; the very first time its tables are made, which takes minutes."""
        data, kept = self._folder / 'data', VENV / 'empty.sqlite3'
        first = not data.exists()
        data.mkdir(exist_ok=True)
        if first and kept.exists():
            shutil.copy(kept, data / DATABASE)
        env = {k: v for k, v in os.environ.items() if not k.startswith(('LABEL_STUDIO', 'DJANGO', 'PYTHONPATH'))}
        env |= OFFLINE | dict(
            HOME=str(self._folder), LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED='true',
            LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=str(self._images), LABEL_STUDIO_USERNAME=USER,
            LABEL_STUDIO_PASSWORD='not-a-secret', LABEL_STUDIO_USER_TOKEN=TOKEN)
        command = [PROGRAM, 'start', '-b', '--data-dir', data, '--internal-host', '127.0.0.1', '-p', self.port,
                   '--enable-legacy-api-token']
        with open(self._folder / 'server.log', 'a') as out:
            self._process = subprocess.Popen(list(map(str, command)), env=env, cwd=self._folder, stdout=out, stderr=out,
                                             stdin=subprocess.DEVNULL, preexec_fn=_end_with_parent)
        wait_for(self._answers, 600, f'Label Studio; {self._folder}/server.log says what it does')
        if first and not kept.exists():
            self._keep(data / DATABASE, kept)

    @staticmethod
    def _keep(database: Path, kept: Path) -> None:
        """Keep the empty tables for the next time."""
        part = kept.with_suffix('.part')
        part.unlink(missing_ok=True)
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(part)) as target:
            source.backup(target)
        part.replace(kept)

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._folder / 'server.log').read_text()[-3000:]
        try:
            with urllib.request.urlopen(f'{self.url}/health', timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """As by kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
