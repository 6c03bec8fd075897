"""Run what a comparison plan lacks as slurm jobs, by submitit: one job per run, in arrays."""

from __future__ import annotations

import getpass
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mmal.errors import InputError
from mmal.fileio.text import read_json, write_json

from .local_executor import LocalExecutor
from .plan import Plan, PlannedRun

MINUTES_PER_DAY = 24 * 60

MAX_TIMEOUTS = 20
"""How often a run may meet its time limit and be resumed by another job."""

REPORT = 'report'
"""Name of the job that comes last."""

RESERVED_OPTIONS = ('time', 'array', 'dependency', 'output', 'error')
"""Options of sbatch that are set here."""

SETTINGS = {
    'timeout': 'timeout_min',
    'cpus': 'cpus_per_task',
    'gpus': 'gpus_per_node',
    'mem': 'mem_gb',
}
"""submitit's names of the numbers that a user may set, by their names on the command line."""

SECONDS_UNTIL_END = 600
"""How long a job that was told to end waits for slurm to end it."""


class SlurmRun:
    """One run of a plan, as a job that may be interrupted at any time and started again.

    Nothing is saved at an interruption: what a run has finished lies on disk, and another start
    resumes from there.

    Args:
        plan: Path of the plan.
        work_dir: Work directory of the comparison.
        run: The run to do.
        cores: Number of the processor's cores for the run. Defaults to None: all.
    """

    def __init__(
        self, plan: Path, work_dir: Path, run: PlannedRun, cores: int | None = None
    ) -> None:
        self.plan = plan.absolute()
        self.work_dir = work_dir.absolute()
        self.cores = cores
        self.method = run.method
        self.seed = run.seed

    def __call__(self) -> None:
        """Do the run.

        Raises:
            InputError: If the plan does not have the run any more.
            RuntimeError: If the run failed.
        """
        plan = Plan(self.plan, self.work_dir)
        run = self._find_run(plan)
        if run.read_status().done:
            return
        executor = LocalExecutor(plan, 1, cores=self.cores)
        # in a thread of its own, so that the main thread is free for signals
        with ThreadPoolExecutor(1) as pool:
            try:
                exit_status = pool.submit(executor.run, run).result()
            except BaseException:
                # submitit leaves by SystemExit, after it had the job requeued
                executor.stop()
                raise
        if exit_status == -signal.SIGTERM:
            self._await_end()
        status = run.read_status()
        if not status.done:
            raise RuntimeError(status.error or 'It could not be started; see above.')

    def _find_run(self, plan: Plan) -> PlannedRun:
        for run in plan.runs():
            if (run.method, run.seed) == (self.method, self.seed):
                return run
        raise InputError(f'{self.plan} has no {self.method} with seed {self.seed} any more.')

    @staticmethod
    def _await_end() -> None:
        """Wait for slurm to end the job.

        It warned all processes, and a job that ends by itself is not requeued.
        """
        print('The run was told to end. Waiting for slurm to end the job.', flush=True)
        time.sleep(SECONDS_UNTIL_END)

    def checkpoint(self) -> Any:
        """The submission that submitit starts again after an interruption."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class SlurmReport:
    """Renew the report of a plan, as a job.

    Args:
        plan: Path of the plan.
        work_dir: Work directory of the comparison.
    """

    def __init__(self, plan: Path, work_dir: Path) -> None:
        self.plan = plan.absolute()
        self.work_dir = work_dir.absolute()

    def __call__(self) -> None:
        """Write ``comparison.json`` and the report."""
        from .report.build import write_comparison

        plan = Plan(self.plan, self.work_dir)
        LocalExecutor(plan, 1).write_state(plan.runs())
        write_comparison(self.work_dir, plan.published)


def job_settings(pairs: Iterable[str]) -> dict[str, Any]:
    """Parameters for submitit from the arguments of the command line.

    Args:
        pairs: ``timeout=MINUTES``, ``cpus=N``, ``gpus=N`` and ``mem=GB``, each for one run;
            anything else is a long option of sbatch without its dashes, such as ``partition=NAME``
            or ``exclusive``.

    Returns:
        Parameters of submitit's executor, with the options of sbatch as
        ``slurm_additional_parameters``.

    Raises:
        InputError: If a value is no number where one is expected, or an option is not for the user.
    """
    settings: dict[str, Any] = {'timeout_min': MINUTES_PER_DAY}
    options: dict[str, str | bool] = {}
    for pair in pairs:
        name, equals_sign, value = pair.partition('=')
        if name in RESERVED_OPTIONS:
            cure = 'Use timeout=MINUTES.' if name == 'time' else 'Leave it out.'
            raise InputError(f'--slurm-args {pair}: {name} is set by al_compare.py itself. {cure}')
        if name not in SETTINGS:
            options[name] = value if equals_sign else True
        elif value.isdecimal():
            settings[SETTINGS[name]] = int(value)
        else:
            unit = {'timeout': ' of minutes', 'mem': ' of GB'}.get(name, '')
            raise InputError(f'--slurm-args {pair}: expected {name}=N, a whole number{unit}.')
    settings['slurm_additional_parameters'] = options
    return settings


class SlurmExecutor:
    """Submits what is missing of a plan.

    Runs that others start from are submitted first. The others follow in a second array that waits
    until the first ended, in whatever way, as with
    :class:`~mmal.benchmark.local_executor.LocalExecutor`. What is queued or running already is left
    alone.

    Args:
        plan: The plan.
        settings: Parameters of :func:`job_settings`.
        jobs: Number of runs of an array at a time. Defaults to None: no limit.
        log: Receives one line per event. Defaults to print.

    Raises:
        InputError: If submitit is not installed.
    """

    def __init__(
        self,
        plan: Plan,
        settings: dict[str, Any],
        jobs: int | None = None,
        log: Callable[[str], None] = print,
    ) -> None:
        try:
            import submitit
        except ImportError:
            raise InputError(
                '--executor slurm needs submitit, which is not installed. Install it: pip install '
                'submitit, or mmal[slurm].'
            ) from None
        self.plan = plan
        self.jobs = jobs
        self._submitit: Any = submitit
        self._settings = settings
        self._log = log
        self._jobs_file = plan.work_dir / 'jobs.json'

    def execute(self) -> list[str]:
        """Submit everything that is missing, and a last job that writes the report.

        Returns:
            Ids of the jobs of runs, those that were queued already included.

        Raises:
            InputError: If slurm does not answer or does not take the jobs.
        """
        runs = self.plan.runs()
        ids = self._read_queued_ids()
        report_id = ids.pop(REPORT, None)
        done = {run for run in runs if run.read_status().done}
        pending = [run for run in runs if run not in done and _name(run.folder) not in ids]
        first_stage, second_stage = _split_into_stages(pending, ids)
        self._log(
            f'{len(runs)} runs, {len(done)} of them done, {len(ids)} queued; '
            f'{len(first_stage)} to be submitted, {len(second_stage)} after them.'
        )
        for stage, name in ((first_stage, 'first'), (second_stage, 'then')):
            if stage:
                ids |= self._submit(stage, name, _ids_to_wait_for(stage, ids))
        if ids and (pending or report_id is None):
            report = SlurmReport(self.plan.path, self.plan.work_dir)
            [job] = self._start([report], REPORT, list(ids.values()))
            self._note_ids({REPORT: job.job_id})
        return list(ids.values())

    def _submit(self, stage: list[PlannedRun], name: str, wait_for: list[str]) -> dict[str, str]:
        """Submit runs as an array, note the ids of the jobs, and return them by name of the run."""
        cores = self._settings.get('cpus_per_task')
        functions = []
        for run in stage:
            functions.append(SlurmRun(self.plan.path, self.plan.work_dir, run, cores))
        jobs = self._start(functions, name, wait_for)
        ids = {}
        for run, job in zip(stage, jobs, strict=True):
            ids[_name(run.folder)] = job.job_id
        self._note_ids(ids)
        return ids

    def _note_ids(self, ids: dict[str, str]) -> None:
        write_json(self._jobs_file, self._read_noted_ids() | ids)

    def _read_noted_ids(self) -> dict[str, str]:
        """Ids of all jobs that were ever submitted, by name of the run; the last one of each."""
        if not self._jobs_file.exists():
            return {}
        noted: dict[str, str] = read_json(self._jobs_file)
        return noted

    def _start(
        self, functions: Sequence[Callable[[], None]], name: str, wait_for: list[str]
    ) -> list[Any]:
        """Submit an array of jobs that waits for others to end, and return submitit's jobs."""
        executor = self._submitit.AutoExecutor(
            self.plan.work_dir / 'jobs', cluster='slurm', slurm_max_num_timeout=MAX_TIMEOUTS
        )
        settings = dict(self._settings, name=f'{self.plan.name}_{name}')
        options = {'requeue': True, **settings.pop('slurm_additional_parameters')}
        if wait_for:
            options['dependency'] = 'afterany:' + ':'.join(wait_for)
        if name == REPORT:
            settings.pop('gpus_per_node', None)
        if 'cpus_per_task' in settings:
            # srun does not take it over from sbatch since slurm 22.05
            settings['slurm_srun_args'] = [f'--cpus-per-task={settings["cpus_per_task"]}']
        if self.jobs:
            settings['slurm_array_parallelism'] = self.jobs
        executor.update_parameters(**settings, slurm_additional_parameters=options)
        try:
            jobs: list[Any] = executor.submit_array(functions)
        except self._submitit.core.utils.FailedJobError as e:
            raise InputError(f'slurm did not take the jobs: {e}') from None
        return jobs

    def _read_queued_ids(self) -> dict[str, str]:
        """Ids of the jobs that were submitted before and have not ended, by name of the run."""
        command = ['squeue', '--noheader', '--array', '--format=%i', '--user', getpass.getuser()]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        except (OSError, subprocess.SubprocessError) as e:
            reason = (getattr(e, 'stderr', None) or str(e)).strip()
            raise InputError(
                f'`{" ".join(command)}` failed: {reason}. Call this where slurm works; without '
                '--executor slurm the plan is run on this machine.'
            ) from None
        alive = answer.stdout.split()
        return {name: job_id for name, job_id in self._read_noted_ids().items() if job_id in alive}


def _split_into_stages(
    pending: list[PlannedRun], queued: Iterable[str]
) -> tuple[list[PlannedRun], list[PlannedRun]]:
    """Runs that can start at once, and those that start from one that is pending or queued."""
    unfinished = {_name(run.folder) for run in pending} | set(queued)
    first_stage = []
    second_stage = []
    for run in pending:
        if run.start_from is not None and _name(run.start_from) in unfinished:
            second_stage.append(run)
        else:
            first_stage.append(run)
    return first_stage, second_stage


def _ids_to_wait_for(stage: list[PlannedRun], ids: dict[str, str]) -> list[str]:
    """Ids of the jobs that runs of a stage start from."""
    first_runs = set()
    for run in stage:
        if run.start_from is not None:
            first_runs.add(_name(run.start_from))
    return [ids[name] for name in sorted(first_runs & set(ids))]


def _name(folder: Path) -> str:
    """METHOD/seed_N, of a run's folder."""
    return '/'.join(folder.parts[-2:])
