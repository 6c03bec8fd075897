"""Run what a comparison plan lacks, one run a process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from threading import Lock

from .artifacts import read_json, write_json
from .comparison_plan import Plan, Run


class Executor:
    """Runs what is missing of a plan, several at once if asked, and keeps ``comparison.json`` true.

    Args:
        plan: The plan.
        jobs: Runs at a time; each gets its share of the processor's cores.
        gpus: Their numbers; each job gets one. None on a machine without.
        tell: Told what happens, a line at a time.
    """

    def __init__(self, plan: Plan, jobs: int, gpus: list[int] | None = None, tell=print) -> None:
        self.plan, self.jobs, self._tell = plan, jobs, tell
        self._slots: Queue = Queue()
        for n in range(jobs):
            self._slots.put(gpus[n % len(gpus)] if gpus else None)
        self._lock, self._state, self._children, self._stopped = Lock(), {}, set(), False

    def execute(self) -> list[Run]:
        """Run everything that is missing; returns the runs that failed.

        Raises:
            KeyboardInterrupt: After the children were ended; what they finished is kept.
        """
        runs, start = self.plan.runs(), time.monotonic()
        missing = [r for r in runs if not r.done]
        self._before = sum(r.closed for r in runs)
        self._tell(f'{len(runs)} runs, {len(runs) - len(missing)} of them done; {self.jobs} at a time.')
        by_seed: dict[int, list[Run]] = {}
        for run in missing:
            by_seed.setdefault(run.seed, []).append(run)
        self.write_state(runs)
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                for _ in pool.map(lambda group: self._seed(group, runs, start), by_seed.values()):
                    pass
            except KeyboardInterrupt:
                self._stopped = True
                for child in list(self._children):
                    child.terminate()
                raise
        return [r for r in runs if not r.done]

    def _seed(self, group: list[Run], runs: list[Run], start: float) -> None:
        """The runs of a seed in turn: all but the first start where the first did."""
        for run in group:
            if self._stopped:
                return
            self._run(run)
            with self._lock:
                self.write_state(runs)
                self._progress(runs, run, start)

    def _run(self, run: Run) -> None:
        slot = self._slots.get()
        try:
            config = self.plan.prepare(run)
            threads = str(max(1, (os.cpu_count() or 1) // self.jobs))
            env = dict(os.environ, OMP_NUM_THREADS=threads)
            if slot is not None:
                env['CUDA_VISIBLE_DEVICES'] = str(slot)
            command = [sys.executable, str(Path(__file__).parents[1] / 'tools' / 'al_train.py'), str(config),
                       '--work-dir', str(run.folder), '--seed', str(run.seed), '--resume']
            with open(run.folder / 'output.txt', 'a') as out:
                child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env)
                self._children.add(child)
                code = child.wait()
                self._children.discard(child)
            if code == 0:
                run.mark(done=True)
            else:
                self._state[run.folder] = _last_line(run.folder / 'output.txt') or f'exit status {code}'
        finally:
            self._slots.put(slot)

    def _progress(self, runs: list[Run], run: Run, start: float) -> None:
        total, closed = sum(r.rounds for r in runs), sum(r.closed for r in runs)
        passed, made = time.monotonic() - start, max(closed - self._before, 1)
        left = (total - closed) * passed / made
        state = 'done' if run.done else f'FAILED: {self._state.get(run.folder)}'
        self._tell(f'{run.method}, seed {run.seed}: {state}. {closed} of {total} rounds in all; about '
                   f'{left / 60:.0f} min left.')

    def write_state(self, runs: list[Run]) -> None:
        """Renew ``comparison.json``, which the report is made from."""
        listed = []
        for run in runs:
            error = self._state.get(run.folder)
            state = 'done' if run.done else 'failed' if error else 'running' if run.folder.exists() else 'missing'
            listed.append(dict(method=run.method, seed=run.seed, state=state, error=error,
                               folder=str(run.folder.relative_to(self.plan.work_dir))))
        write_json(self.plan.work_dir / 'comparison.json', dict(
            name=self.plan.name, metric=self.plan.metric or self._metric(runs), baseline=self.plan.baseline,
            target=self.plan.target, seeds=self.plan.seeds, methods=list(self.plan.methods), runs=listed,
            config=self.plan.config, versions=_versions(), commit=_commit(),
            command=f'python tools/al_compare.py {self.plan.path} --work-dir {self.plan.work_dir}'))

    @staticmethod
    def _metric(runs: list[Run]) -> str:
        from .analysis.curve import main_metric
        curves = [read_json(r.folder / 'curve.json') for r in runs if (r.folder / 'curve.json').exists()]
        return next((m for m in map(main_metric, curves) if m), 'metric')


def _last_line(path: Path) -> str:
    lines = path.read_text(errors='replace').strip().splitlines()
    return lines[-1][:500] if lines else ''


def _versions() -> dict[str, str]:
    from importlib.metadata import distributions
    wanted = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmdetection', 'mmpretrain', 'mmal')
    return {d.name: d.version for d in distributions() if d.name.removeprefix('onedl-') in wanted}


def _commit() -> str | None:
    found = subprocess.run(['git', '-C', str(Path(__file__).parent), 'describe', '--always', '--dirty'],
                           capture_output=True, text=True, check=False)
    return found.stdout.strip() or None
