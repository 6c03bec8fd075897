import json
import os
import signal
import subprocess
import sys
import time

import pytest

from mmal.errors import InputError
from mmal.work_dir_lock import lock, unlock

HOLD = """
import os, sys, time
from mmal.work_dir_lock import lock
lock(sys.argv[1])
if os.fork() == 0:
    time.sleep(30)  # a loader worker that outlives its parent
    os._exit(0)
print('held', flush=True)
time.sleep(30)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, '-c', HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True,
                               start_new_session=True)
    assert process.stdout.readline() == 'held\n'
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_second_run_is_refused_and_names_the_first(tmp_path, holder):
    with pytest.raises(InputError, match=rf'in use by another run: process {holder.pid} on {os.uname().nodename}'):
        lock(tmp_path)


def test_a_killed_holder_leaves_a_stale_lock_even_if_a_child_lives_on(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    time.sleep(0.1)
    said = []
    lock(tmp_path, said.append)
    assert f'process {holder.pid}' in said[0]
    assert 'stale' in said[0]
    assert json.loads((tmp_path / '.lock').read_text())['pid'] == os.getpid()
    unlock(tmp_path)


def test_again_by_the_same_process_is_no_harm(tmp_path):
    lock(tmp_path)
    lock(tmp_path)
    unlock(tmp_path)
    unlock(tmp_path)
    assert (tmp_path / '.lock').read_text() == ''
