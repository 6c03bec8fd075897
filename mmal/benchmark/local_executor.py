"""Run what a comparison plan lacks, one process per run."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

from mmal.errors import InputError

from .plan import Plan, PlannedRun, RunStatus
from .record import CODE_FOLDER, read_statuses, write_comparison_record

TRAIN_MODULE = 'mmal.cli.train'
"""Module that trains one run, as a program."""

OUTPUT_FILE = 'output.txt'
"""File in a run's folder with what its processes printed."""

MAX_ERROR_CHARACTERS = 500
"""Length that an error is cut to."""


class LocalExecutor:
    """Runs what a plan lacks, several runs at once if asked, and keeps ``comparison.json`` current.

    Runs go in the plan's order, seed after seed; those of a seed wait for its first one, from which
    they start. Each run holds a lock that its process inherits. Whether this program is killed or
    not, no two processes work on one run.

    Args:
        plan: The plan.
        jobs: Number of runs at a time; each gets its share of the processor's cores, unless
            ``OMP_NUM_THREADS`` is set.
        gpus: Names of the GPUs, as in CUDA_VISIBLE_DEVICES; each job gets one. Defaults to None:
            the machine has no GPU.
        log: Receives one line per event. Defaults to print.
        cores: Number of the processor's cores to divide. Defaults to None: all.
    """

    def __init__(
        self,
        plan: Plan,
        jobs: int,
        gpus: list[str] | None = None,
        log: Callable[[str], None] = print,
        cores: int | None = None,
    ) -> None:
        self.plan = plan
        self.jobs = jobs
        self._log = log
        self._cores = cores or os.cpu_count() or 1
        self._free_gpus: Queue[str | None] = Queue()
        for job in range(jobs):
            self._free_gpus.put(gpus[job % len(gpus)] if gpus else None)
        self._children: set[subprocess.Popen[bytes]] = set()
        self._stopped = False
        # of runs that could not even be begun, or marked as failed
        self._errors: dict[PlannedRun, str] = {}

    def execute(self) -> list[PlannedRun]:
        """Run everything that is missing.

        Returns:
            The runs that failed.

        Raises:
            KeyboardInterrupt: If the user interrupts it. The children are ended first; what they
                finished is kept.
        """
        runs = self.plan.runs()
        statuses = read_statuses(runs)
        pending = [run for run in runs if not statuses[run].done]
        rounds_before = _count_rounds_done(runs)
        start = time.monotonic()
        self._log(
            f'{len(runs)} runs, {len(runs) - len(pending)} of them done; {self.jobs} at a time.'
        )
        self._write_comparison(statuses)
        running: dict[Future[int | None], PlannedRun] = {}
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                while pending or running:
                    for run in self._ready(pending, list(running.values())):
                        pending.remove(run)
                        running[pool.submit(self.run, run)] = run
                    finished = wait(running, return_when=FIRST_COMPLETED).done
                    for future in finished:
                        run = running.pop(future)
                        future.result()
                        statuses = read_statuses(runs)
                        self._write_comparison(statuses)
                        self._log_progress(run, statuses, rounds_before, start)
            except BaseException:
                self.stop()
                raise
        return [run for run in runs if not run.read_status().done]

    def _ready(
        self, pending: list[PlannedRun], running: Collection[PlannedRun]
    ) -> list[PlannedRun]:
        """Runs that may begin now: the first run of their seed has ended, and there is a slot."""
        unfinished = {run.folder for run in (*pending, *running)}
        ready = [run for run in pending if run.start_from not in unfinished]
        return ready[: self.jobs - len(running)]

    def stop(self) -> None:
        """End what is running, without a mark on it; nothing more is started."""
        self._stopped = True
        for child in list(self._children):
            child.terminate()

    def run(self, run: PlannedRun) -> int | None:
        """Do one run, or resume it.

        Args:
            run: One of the plan's runs.

        Returns:
            Exit status of its process; None if it could not be started.
        """
        gpu = self._free_gpus.get()
        exit_status = None
        try:
            lock_file = self.plan.work_dir / 'locks' / f'{run.method}_seed_{run.seed}'
            with _locked(lock_file) as lock:
                config = self.plan.prepare(run)
                exit_status = self._train(run, config, gpu, lock)
            if not self._stopped:
                _mark(run, exit_status)
        except (OSError, InputError) as e:
            self._errors[run] = str(e)
            self._log(f'{run.method}, seed {run.seed}: {e}')
        finally:
            self._free_gpus.put(gpu)
        return exit_status

    def _train(self, run: PlannedRun, config: Path, gpu: str | None, lock: int) -> int:
        """Train a run in a process of its own, and return the exit status."""
        command = [sys.executable, '-m', TRAIN_MODULE, str(config)]
        command += ['--work-dir', str(run.folder)]
        command += ['--seed', str(run.seed)]
        command += ['--resume']
        with open(run.folder / OUTPUT_FILE, 'a') as output:
            child = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment(gpu),
                pass_fds=(lock,),
            )
        self._children.add(child)
        if self._stopped:
            child.terminate()
        exit_status = child.wait()
        self._children.discard(child)
        return exit_status

    def _environment(self, gpu: str | None) -> dict[str, str]:
        """Environment variables of a run's process."""
        environment = with_this_package(os.environ)
        environment.setdefault('OMP_NUM_THREADS', str(max(1, self._cores // self.jobs)))
        if gpu is not None:
            environment['CUDA_VISIBLE_DEVICES'] = gpu
        return environment

    def _log_progress(
        self,
        run: PlannedRun,
        statuses: Mapping[PlannedRun, RunStatus],
        rounds_before: int,
        start: float,
    ) -> None:
        """Log how a run ended, and how long the others may take."""
        total = sum(planned.rounds for planned in statuses)
        rounds_done = _count_rounds_done(statuses)
        elapsed = time.monotonic() - start
        seconds_left = (total - rounds_done) * elapsed / max(rounds_done - rounds_before, 1)
        status = statuses[run]
        outcome = 'done' if status.done else f'FAILED: {self._error(run, status)}'
        self._log(
            f'{run.method}, seed {run.seed}: {outcome}. {rounds_done} of {total} rounds in all; '
            'about '
            f'{seconds_left / 60:.0f} min left.'
        )

    def _error(self, run: PlannedRun, status: RunStatus) -> str | None:
        return self._errors.get(run) or status.error

    def write_state(self, runs: list[PlannedRun]) -> None:
        """Renew ``comparison.json``, which the report is made from.

        Args:
            runs: All runs of the plan.
        """
        self._write_comparison(read_statuses(runs))

    def _write_comparison(self, statuses: Mapping[PlannedRun, RunStatus]) -> None:
        write_comparison_record(self.plan, statuses, self._errors)


def with_this_package(environment: Mapping[str, str]) -> dict[str, str]:
    """Environment variables for a Python process that is to import the same ``mmal`` as this one.

    In a checkout that is not installed, this process may have found the package by other means than
    the environment, so the checkout is put on PYTHONPATH. Site-packages are left off it: they would
    come before the standard library.

    Args:
        environment: Environment variables to start from.

    Returns:
        A copy with the changes.
    """
    changed = dict(environment)
    # `python -m` searches the current folder first, which may hold another checkout. Before
    # Python 3.11 nothing prevents that, and the variable is ignored.
    changed['PYTHONSAFEPATH'] = '1'
    if Path(sysconfig.get_path('purelib')).resolve() != CODE_FOLDER:
        folders = [str(CODE_FOLDER)]
        if environment.get('PYTHONPATH'):
            folders.append(environment['PYTHONPATH'])
        changed['PYTHONPATH'] = os.pathsep.join(folders)
    return changed


def _count_rounds_done(runs: Collection[PlannedRun]) -> int:
    return sum(run.read_rounds_done() for run in runs)


def _mark(run: PlannedRun, exit_status: int) -> None:
    """Note how a run's process ended."""
    if exit_status == 0:
        run.mark(done=True)
        return
    error = _last_line(run.folder / OUTPUT_FILE) or f'exit status {exit_status}'
    run.mark(done=False, error=error)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold a lock on a file; whoever inherits the descriptor holds it, too.

    Raises:
        InputError: If another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                'another process is at work on it; wait for that one, or end it.'
            ) from None
        yield file.fileno()


def _last_line(path: Path) -> str:
    lines = path.read_text(errors='replace').strip().splitlines()
    return lines[-1][:MAX_ERROR_CHARACTERS] if lines else ''
