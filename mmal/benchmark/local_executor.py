"""Run what a comparison plan lacks, one run a process."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

from mmal.errors import InputError
from mmal.fileio.text import read_json, write_json
from mmal.utils.collect_env import package_versions

from .plan import Plan, PlannedRun


class LocalExecutor:
    """Runs what is missing of a plan, several at once if asked, and keeps ``comparison.json`` true.

    Runs go in the plan's order, seed after seed; those of a seed wait for its first one, from which they start. Each
    holds a lock that its process inherits: killed or not, no two processes work on one run.

    Args:
        plan: The plan.
        jobs: Runs at a time; each gets its share of the processor's cores.
        gpus: Names of the GPUs, as in CUDA_VISIBLE_DEVICES; each job gets one. None on a machine without.
        tell: Told what happens, a line at a time.
        cores: Of the processor, to be divided. Defaults to None: all.
    """

    def __init__(
        self,
        plan: Plan,
        jobs: int,
        gpus: list[str] | None = None,
        tell=print,
        cores: int | None = None,
    ) -> None:
        self.plan, self.jobs, self._tell, self._cores = (
            plan,
            jobs,
            tell,
            cores or os.cpu_count() or 1,
        )
        self._slots: Queue = Queue()
        for n in range(jobs):
            self._slots.put(gpus[n % len(gpus)] if gpus else None)
        self._children: set[subprocess.Popen] = set()
        self._stopped = False
        self._errors: dict[
            PlannedRun, str
        ] = {}  # of runs that could not even be begun, or marked as failed

    def execute(self) -> list[PlannedRun]:
        """Run everything that is missing; returns the runs that failed.

        Raises:
            KeyboardInterrupt: After the children were ended; what they finished is kept.
        """
        runs, start, running = self.plan.runs(), time.monotonic(), {}
        todo = [r for r in runs if not r.done]
        before = sum(r.complete for r in runs)
        self._tell(
            f'{len(runs)} runs, {len(runs) - len(todo)} of them done; {self.jobs} at a time.'
        )
        self.write_state(runs)
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                while todo or running:
                    for run in self._ready(todo, running.values()):
                        todo.remove(run)
                        running[pool.submit(self.run, run)] = run
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        run = running.pop(future)
                        future.result()
                        self.write_state(runs)
                        self._progress(runs, run, before, start)
            except BaseException:
                self.stop()
                raise
        return [r for r in runs if not r.done]

    def _ready(self, todo: list[PlannedRun], running) -> list[PlannedRun]:
        """Runs that may begin now: those whose first one of the seed is behind them, as many as there are slots."""
        busy = {r.folder for r in (*todo, *running)}
        return [r for r in todo if r.start_from not in busy][: self.jobs - len(running)]

    def stop(self) -> None:
        """End what is running, without a mark on it; nothing more is started."""
        self._stopped = True
        for child in list(self._children):
            child.terminate()

    def run(self, run: PlannedRun) -> int | None:
        """Do one run, or go on with it.

        Returns:
            Exit status of its process; None if it could not be started.
        """
        slot, code = self._slots.get(), None
        try:
            with _locked(self.plan.work_dir / 'locks' / f'{run.method}_seed_{run.seed}') as lock:
                code = self._train(run, self.plan.prepare(run), slot, lock)
            error = (
                None
                if code == 0
                else _last_line(run.folder / 'output.txt') or f'exit status {code}'
            )
            if not self._stopped:
                run.mark(done=code == 0, error=error)
        except (OSError, InputError) as e:
            self._errors[run] = str(e)
            self._tell(f'{run.method}, seed {run.seed}: {e}')
        finally:
            self._slots.put(slot)
        return code

    def _train(self, run: PlannedRun, config: Path, slot: str | None, lock: int) -> int:
        """Exit status of al_train.py on this run."""
        env = dict(os.environ, OMP_NUM_THREADS=str(max(1, self._cores // self.jobs)))
        if slot is not None:
            env['CUDA_VISIBLE_DEVICES'] = slot
        command = [
            sys.executable,
            str(Path(__file__).parents[2] / 'tools' / 'al_train.py'),
            str(config),
            '--work-dir',
            str(run.folder),
            '--seed',
            str(run.seed),
            '--resume',
        ]
        with open(run.folder / 'output.txt', 'a') as out:
            child = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, env=env, pass_fds=(lock,)
            )
        self._children.add(child)
        if self._stopped:
            child.terminate()
        code = child.wait()
        self._children.discard(child)
        return code

    def _progress(self, runs: list[PlannedRun], run: PlannedRun, before: int, start: float) -> None:
        total, closed = sum(r.rounds for r in runs), sum(r.complete for r in runs)
        left = (total - closed) * (time.monotonic() - start) / max(closed - before, 1)
        state = 'done' if run.done else f'FAILED: {self._error(run)}'
        self._tell(
            f'{run.method}, seed {run.seed}: {state}. {closed} of {total} rounds in all; about '
            f'{left / 60:.0f} min left.'
        )

    def _error(self, run: PlannedRun) -> str | None:
        return self._errors.get(run) or run.error

    def write_state(self, runs: list[PlannedRun]) -> None:
        """Renew ``comparison.json``, which the report is made from."""
        listed = []
        for run in runs:
            error = None if run.done else self._error(run)
            state = (
                'done' if run.done else 'failed' if error else 'running' if run.begun else 'missing'
            )
            listed.append(
                dict(
                    method=run.method,
                    seed=run.seed,
                    state=state,
                    error=error,
                    folder=str(run.folder.relative_to(self.plan.work_dir)),
                )
            )
        write_json(
            self.plan.work_dir / 'comparison.json',
            dict(
                name=self.plan.name,
                metric=self.plan.metric or self._metric(runs),
                baseline=self.plan.baseline,
                target=self.plan.target,
                seeds=self.plan.seeds,
                methods=list(self.plan.methods),
                runs=listed,
                config=self.plan.config,
                versions=package_versions(),
                commit=_commit(),
                command=f'python tools/al_compare.py {self.plan.path} --work-dir {self.plan.work_dir}',
            ),
        )

    @staticmethod
    def _metric(runs: list[PlannedRun]) -> str:
        from mmal.run.history import main_metric

        curves = [
            read_json(r.folder / 'curve.json')
            for r in runs
            if r.begun and (r.folder / 'curve.json').exists()
        ]
        return next((m for m in map(main_metric, curves) if m), 'metric')


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold a lock on a file; whoever inherits the descriptor holds it, too.

    Raises:
        InputError: If another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w') as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                'another process is at work on it; wait for that one, or end it.'
            ) from None
        yield f.fileno()


def _last_line(path: Path) -> str:
    lines = path.read_text(errors='replace').strip().splitlines()
    return lines[-1][:500] if lines else ''


def _commit() -> str | None:
    found = subprocess.run(
        ['git', '-C', str(Path(__file__).parent), 'describe', '--always', '--dirty'],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or None
