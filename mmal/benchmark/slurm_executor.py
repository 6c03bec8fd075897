"""Run what a comparison plan lacks as slurm jobs, by submitit: one a run, in an array."""

from __future__ import annotations

import getpass
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmal.errors import InputError
from mmal.fileio.text import read_json, write_json

from .local_executor import LocalExecutor
from .plan import Plan, PlannedRun

DAY = 24 * 60
TIMEOUTS = 20
"""How often a run may meet its time limit and go on in another job."""

REPORT = 'report'
"""Name of the job that comes last."""

OWN = ('time', 'array', 'dependency', 'output', 'error')
"""Options of sbatch that are set here."""


class SlurmRun:
    """One run of a plan, as a job that may be interrupted at any time and started again.

    Nothing is saved at an interruption: what a run has finished lies on disk, and another start goes on from there.

    Args:
        plan: Path of the plan.
        work_dir: Of the comparison.
        run: What to run.
        cores: Of the processor, for it; None for all.
    """

    def __init__(
        self, plan: Path, work_dir: Path, run: PlannedRun, cores: int | None = None
    ) -> None:
        self.plan, self.work_dir, self.cores = plan.absolute(), work_dir.absolute(), cores
        self.method, self.seed = run.method, run.seed

    def __call__(self) -> None:
        """Do it.

        Raises:
            RuntimeError: If it failed.
        """
        plan = Plan(self.plan, self.work_dir)
        run = next((r for r in plan.runs() if (r.method, r.seed) == (self.method, self.seed)), None)
        if run is None:
            raise InputError(f'{self.plan} has no {self.method} with seed {self.seed} any more.')
        if run.done:
            return
        executor = LocalExecutor(plan, 1, cores=self.cores)
        with ThreadPoolExecutor(1) as pool:  # so that the main thread is free for signals
            try:
                code = pool.submit(executor.run, run).result()
            except BaseException:  # submitit leaves by SystemExit, after it had the job requeued
                executor.stop()
                raise
        if code == -signal.SIGTERM:
            self._await_end()
        if not run.done:
            raise RuntimeError(run.error or 'It could not be started; see above.')

    @staticmethod
    def _await_end() -> None:
        """Wait for slurm to end the job: it warned all processes, and a job that ends by itself is not requeued."""
        print('The run was told to end. Waiting for slurm to end the job.', flush=True)
        time.sleep(600)

    def checkpoint(self):
        """What submitit is to start again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class SlurmReport:
    """Renew the report of a plan, as a job.

    Args:
        plan: Path of the plan.
        work_dir: Of the comparison.
    """

    def __init__(self, plan: Path, work_dir: Path) -> None:
        self.plan, self.work_dir = plan.absolute(), work_dir.absolute()

    def __call__(self) -> None:
        from mmal.benchmark.report.build import write_comparison

        plan = Plan(self.plan, self.work_dir)
        LocalExecutor(plan, 1).write_state(plan.runs())
        write_comparison(self.work_dir, plan.published)


def job_settings(pairs: Iterable[str]) -> dict:
    """Parameters for submitit from what the command line says.

    Args:
        pairs: ``timeout=MINUTES``, ``cpus=N``, ``gpus=N`` and ``mem=GB``, each for one run; anything else is a long
            option of sbatch without its dashes, such as ``partition=NAME`` or ``exclusive``.

    Raises:
        InputError: If a value is no number where one is expected, or an option is not for the user.
    """
    numbers = dict(timeout='timeout_min', cpus='cpus_per_task', gpus='gpus_per_node', mem='mem_gb')
    found, others = dict(timeout_min=DAY), {}
    for pair in pairs:
        name, given, value = pair.partition('=')
        if name in OWN:
            cure = 'Use timeout=MINUTES.' if name == 'time' else 'Leave it out.'
            raise InputError(f'--slurm-args {pair}: {name} is set by al_compare.py itself. {cure}')
        if name not in numbers:
            others[name] = value if given else True
        elif value.isdecimal():
            found[numbers[name]] = int(value)
        else:
            of = dict(timeout=' of minutes', mem=' of GB').get(name, '')
            raise InputError(f'--slurm-args {pair}: expected {name}=N, a whole number{of}.')
    return dict(found, slurm_additional_parameters=others)


class SlurmExecutor:
    """Submits what is missing of a plan.

    Runs that others start from are submitted first, the others in a second array that waits for the first: ended
    in whatever way, as with :class:`~mmal.benchmark.local_executor.LocalExecutor`. What is queued or running already is left alone.

    Args:
        plan: The plan.
        cluster: 'slurm', or 'local': as processes of this machine, in the same way, for a trial.
        settings: From :func:`job_settings`.
        jobs: Runs at a time. Defaults to None: as many as slurm lets run; one if local.
        tell: Told what happens, a line at a time.

    Raises:
        InputError: If submitit or slurm is missing.
    """

    def __init__(
        self,
        plan: Plan,
        cluster: str,
        settings: dict,
        jobs: int | None = None,
        tell: Callable[[str], None] = print,
    ) -> None:
        try:
            import submitit
        except ImportError:
            raise InputError(
                f'--executor {cluster} needs submitit, which is not installed. Install it: pip install '
                'submitit, or mmal[slurm].'
            ) from None
        self.plan, self.cluster, self.jobs, self._tell = plan, cluster, jobs, tell
        self._submitit, self._settings, self._file = submitit, settings, plan.work_dir / 'jobs.json'

    def execute(self) -> list[str]:
        """Submit everything that is missing; wait for it if local.

        Returns:
            Ids of the jobs.
        """
        runs, queued = self.plan.runs(), self._queued()
        report = queued.pop(REPORT, None)
        todo = [r for r in runs if not r.done and _name(r.folder) not in queued]
        waiting = {_name(r.folder) for r in todo} | set(queued)
        first = [r for r in todo if _name(r.start_from) not in waiting]
        then = [r for r in todo if r not in first]
        self._tell(
            f'{len(runs)} runs, {sum(r.done for r in runs)} of them done, {len(queued)} queued; '
            f'{len(first)} to be submitted, {len(then)} after them.'
        )
        ids = dict(queued)
        for wave, name in ((first, 'first'), (then, 'then')):
            leaders = {_name(r.start_from) for r in wave} & set(ids)
            ids |= self._submit(wave, name, [ids[leader] for leader in sorted(leaders)])
        if self.cluster == 'slurm' and ids and (todo or report is None):
            [job] = self._start(
                [SlurmReport(self.plan.path, self.plan.work_dir)], REPORT, list(ids.values())
            )
            self._note({REPORT: job.job_id})
        return list(ids.values())

    def _submit(self, wave: list[PlannedRun], name: str, after: list[str]) -> dict[str, str]:
        """Ids of the jobs by name of the run; they are noted at once."""
        size = len(wave) if self.cluster == 'slurm' else self.jobs or 1
        ids = {}
        for start in range(0, len(wave), size or 1):
            some = wave[start : start + size]
            cores = self._settings.get('cpus_per_task')
            started = self._start(
                [SlurmRun(self.plan.path, self.plan.work_dir, r, cores) for r in some], name, after
            )
            ids |= {_name(r.folder): job.job_id for r, job in zip(some, started, strict=True)}
            if self.cluster == 'slurm':
                self._note(ids)
            else:
                _await(started)
        return ids

    def _note(self, ids: dict[str, str]) -> None:
        write_json(self._file, (read_json(self._file) if self._file.exists() else {}) | ids)

    def _start(self, functions: list, name: str, after: list[str]) -> list:
        cluster = self.cluster
        executor = self._submitit.AutoExecutor(
            self.plan.work_dir / 'jobs', cluster=cluster, **{f'{cluster}_max_num_timeout': TIMEOUTS}
        )
        settings = dict(self._settings, name=f'{self.plan.name}_{name}')
        extra = {'requeue': True, **settings.pop('slurm_additional_parameters')}
        if after and cluster == 'slurm':
            extra['dependency'] = 'afterany:' + ':'.join(after)
        if name == REPORT:
            settings.pop('gpus_per_node', None)
        if 'cpus_per_task' in settings:  # srun does not take it over from sbatch since slurm 22.05
            settings['slurm_srun_args'] = [f'--cpus-per-task={settings["cpus_per_task"]}']
        if self.jobs:
            settings['slurm_array_parallelism'] = self.jobs
        executor.update_parameters(**settings, slurm_additional_parameters=extra)
        try:
            return executor.submit_array(functions)
        except self._submitit.core.utils.FailedJobError as e:
            raise InputError(f'slurm did not take the jobs: {e}') from None

    def _queued(self) -> dict[str, str]:
        """Ids of the jobs that were submitted before and have not ended, by name of the run."""
        if self.cluster != 'slurm':
            return {}
        command = ['squeue', '--noheader', '--array', '--format=%i', '--user', getpass.getuser()]
        try:
            alive = subprocess.run(
                command, capture_output=True, text=True, check=True, timeout=60
            ).stdout.split()
        except (OSError, subprocess.SubprocessError) as e:
            said = (getattr(e, 'stderr', None) or str(e)).strip()
            raise InputError(
                f'`{" ".join(command)}` failed: {said}. Call this where slurm works; --executor '
                'local runs the plan on this machine.'
            ) from None
        noted = read_json(self._file) if self._file.exists() else {}
        return {name: job for name, job in noted.items() if job in alive}


def _await(jobs: list) -> None:
    """Wait for jobs of this machine; they end with us."""
    try:
        for job in jobs:
            job.wait()
    except BaseException:
        for job in jobs:
            job.cancel()
        raise


def _name(folder: Path | None) -> str | None:
    """METHOD/seed_N, of a run's folder."""
    return folder and '/'.join(folder.parts[-2:])
