import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from threading import Timer

import pytest

from mmal.errors import InputError
from mmal.run import lock as lock_module
from mmal.run.lock import lock, unlock

HOLD = """
import os, sys, time
from mmal.run.lock import lock
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


@pytest.fixture
def soon(monkeypatch):
    """Half a second for three minutes."""
    for name, seconds in dict(HEARTBEAT_SECONDS=0.05, STALE_SECONDS=0.5, POLL_SECONDS=0.02).items():
        monkeypatch.setattr(lock_module, name, seconds)


def write_holder(work_dir, **holder):
    (work_dir / '.lock').write_text(json.dumps(dict(pid=7, since='noon') | holder))


def test_a_holder_gives_signs_of_life_until_it_lets_go(tmp_path, soon):
    lock(tmp_path)
    for _ in range(2):
        os.utime(tmp_path / '.lock', (0, 0))
        time.sleep(0.3)
        assert (tmp_path / '.lock').stat().st_mtime > 0
    unlock(tmp_path)
    os.utime(tmp_path / '.lock', (0, 0))
    time.sleep(0.2)
    assert (tmp_path / '.lock').stat().st_mtime == 0


def test_a_dead_holder_on_another_host_is_waited_for_in_vain(tmp_path, soon):
    """The lock of this host is free, as where locks do not reach other hosts."""
    write_holder(tmp_path, host='elsewhere')
    said, began = [], time.monotonic()
    lock(tmp_path, said.append)
    assert time.monotonic() - began > 0.3
    assert 'Process 7 on elsewhere may be at work' in said[0]
    assert 'stale' in said[1]
    unlock(tmp_path)
    write_holder(tmp_path, host='elsewhere')
    os.utime(tmp_path / '.lock', (0, 0))
    said, began = [], time.monotonic()
    lock(tmp_path, said.append)
    assert time.monotonic() - began < 0.3, 'it was silent for long'
    unlock(tmp_path)


def test_a_living_holder_on_another_host_is_refused(tmp_path, soon):
    write_holder(tmp_path, host='elsewhere')
    Timer(0.2, os.utime, [tmp_path / '.lock']).start()
    with pytest.raises(InputError, match='process 7 on elsewhere, since noon.*If elsewhere is dead, remove .*lock'):
        lock(tmp_path)


def test_a_lock_that_the_file_server_still_keeps_for_another_host_is_asked_for_again(tmp_path, holder, soon):
    write_holder(tmp_path, host='elsewhere')
    with pytest.raises(InputError, match='If elsewhere is dead, remove'):
        lock(tmp_path)
    Timer(0.2, os.kill, [holder.pid, signal.SIGKILL]).start()
    lock(tmp_path)
    unlock(tmp_path)


@pytest.mark.parametrize('code', [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_locks_the_record_tells(tmp_path, monkeypatch, code):
    def lockf(*args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, 'lockf', lockf)
    said = []
    lock(tmp_path, said.append)
    assert 'no locks on this file system' in said[0]
    unlock(tmp_path)
    other = subprocess.Popen(['sleep', '30'])
    write_holder(tmp_path, host=os.uname().nodename, pid=other.pid)
    with pytest.raises(InputError, match=f'in use by another run: process {other.pid}'):
        lock(tmp_path)
    other.kill()
    other.wait()
    lock(tmp_path)
    assert json.loads((tmp_path / '.lock').read_text())['pid'] == os.getpid()
    unlock(tmp_path)


def test_other_errors_of_the_lock_are_raised(tmp_path, monkeypatch):
    def lockf(*args):
        raise OSError(errno.EIO, 'broken')

    monkeypatch.setattr(fcntl, 'lockf', lockf)
    with pytest.raises(OSError, match='broken'):
        lock(tmp_path)
