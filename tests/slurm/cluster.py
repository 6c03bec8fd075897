"""A slurm cluster of two emulated nodes on this machine, in a folder of its own and without systemd."""

from __future__ import annotations

import ctypes
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ('munged', 'slurmctld', 'slurmd', 'srun', 'sbatch', 'scontrol')
INSTALL = 'apt-get install --no-install-recommends slurm-wlm munge'
NODES = ('n1', 'n2')
SBIN = ('/usr/sbin', '/sbin')

# - cred_expire is how long a requeued job waits: 120 s by default.
# - config_overrides lets a node have more processors than the machine.
# - Devices that every machine has stand for GPUs; torch sees none.
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmctldPort={ports[0]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool_%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd_%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd_%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=5,sched_interval=5
ReturnToService=2
KillWait=5
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 RealMemory=2000 Gres=gpu:2 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4 RealMemory=2000 Gres=gpu:2 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """Programs of slurm and munge that are not installed."""
    return [p for p in PROGRAMS if _which(p) is None]


def _which(program: str) -> str | None:
    return shutil.which(program, path=os.pathsep.join((os.environ.get('PATH', ''), *SBIN)))


@contextmanager
def cluster() -> Iterator[dict[str, str]]:
    """Start the cluster; yields the environment in which slurm's commands find it, and ends all of its processes.

    SIGTERM ends it as Ctrl-C does; if this process is killed, the daemons end with it.
    """
    folder = Path(tempfile.mkdtemp(prefix='slurm_', dir='/tmp'))  # a socket's path must be short
    folder.chmod(0o755)
    env = {k: v for k, v in os.environ.items() if not k.startswith(('SLURM', 'SBATCH', 'SRUN'))}
    env |= dict(SLURM_CONF=str(folder / 'slurm.conf'), PATH=os.pathsep.join((env.get('PATH', ''), *SBIN)))
    daemons: list[subprocess.Popen] = []
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _configure(folder)
        _start(folder, env, daemons)
        yield env
    except TimeoutError as e:
        logs = '\n'.join(f'{p.name}: {p.read_text()[-1500:]}' for p in folder.glob('*.log'))
        raise RuntimeError(f'The slurm cluster did not come up: {e}\n{logs}') from e
    finally:
        _stop(folder, env, daemons)
        shutil.rmtree(folder, ignore_errors=True)
        signal.signal(signal.SIGTERM, before)


def _configure(folder: Path) -> None:
    (folder / 'state').mkdir()
    sockets = [socket.socket() for _ in range(3)]
    for s in sockets:
        s.bind(('127.0.0.1', 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    host = socket.gethostname().split('.')[0]
    (folder / 'slurm.conf').write_text(CONF.format(folder=folder, host=host, user=getpass.getuser(), ports=ports))
    (folder / 'gres.conf').write_text('Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n')
    (folder / 'munge.key').write_bytes(os.urandom(1024))
    (folder / 'munge.key').chmod(0o400)


def _start(folder: Path, env: dict[str, str], daemons: list[subprocess.Popen]) -> None:
    def start(program: str, *args: str) -> None:
        with open(folder / f'{program}_output.log', 'a') as out:
            daemons.append(subprocess.Popen([_which(program), *args], env=env, cwd=folder, stdout=out, stderr=out,
                                            stdin=subprocess.DEVNULL, start_new_session=True,
                                            preexec_fn=_end_with_parent))
    start('munged', '--foreground', '--force', f'--key-file={folder}/munge.key', f'--socket={folder}/munge.socket',
          f'--pid-file={folder}/munged.pid', f'--seed-file={folder}/munged.seed')
    wait_for((folder / 'munge.socket').exists, 20, "munge's socket")
    start('slurmctld', '-D', '-f', env['SLURM_CONF'])
    for node in NODES:
        start('slurmd', '-D', '-f', env['SLURM_CONF'], '-N', node)
    idle = ['sinfo', '--noheader', '--Node', '--format=%t']
    wait_for(lambda: subprocess.run(idle, env=env, capture_output=True, text=True).stdout.split() == ['idle'] * 2, 60,
             'idle nodes')


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _stop(folder: Path, env: dict[str, str], daemons: list[subprocess.Popen]) -> None:
    """Cancel the jobs, end the daemons, then whatever still has our slurm.conf in its environment."""
    if len(daemons) == 2 + len(NODES):
        subprocess.run(['scancel', '--user', getpass.getuser()], env=env, capture_output=True, timeout=30)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and subprocess.run(['squeue', '--noheader'], env=env, capture_output=True,
                                                             timeout=30).stdout.strip():
            time.sleep(0.5)
    for daemon in reversed(daemons):
        daemon.terminate()
    for daemon in reversed(daemons):
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
    mark = f'SLURM_CONF={folder}/'.encode()
    for process in Path('/proc').glob('[0-9]*'):
        try:
            if mark in (process / 'environ').read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:  # ended by now, or another user's
            pass


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: If it does not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f'waited {seconds} s for {what}')
        time.sleep(0.25)
