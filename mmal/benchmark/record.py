"""``comparison.json``: the runs of a comparison, which its report is made from."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mmal.fileio.checksummed import write_checksummed
from mmal.fileio.text import read_json
from mmal.run.history import main_metric
from mmal.run.layout import RunPaths
from mmal.utils.collect_env import package_versions

from .plan import Plan, PlannedRun, RunStatus
from .results import COMPARISON_FILE

CODE_FOLDER = Path(__file__).resolve().parents[2]
"""Folder that the package ``mmal`` lies in: a checkout, or the interpreter's site-packages."""


def read_statuses(runs: Collection[PlannedRun]) -> dict[PlannedRun, RunStatus]:
    """Read from the folders of runs how far they are.

    Args:
        runs: The runs.
    """
    return {run: run.read_status() for run in runs}


def write_comparison_record(
    plan: Plan,
    statuses: Mapping[PlannedRun, RunStatus],
    errors: Mapping[PlannedRun, str],
    features: Path | None = None,
) -> None:
    """Renew ``comparison.json``.

    Args:
        plan: The plan.
        statuses: How far each run is.
        errors: Why runs could not even be begun, by run.
        features: Folder of the cached features that the runs are made on. Defaults to None: models
            are trained.
    """
    command = f'python tools/al_compare.py {plan.path} --work-dir {plan.work_dir}'
    if features is not None:
        command += f' --features {features}'
    content = {
        'name': plan.name,
        'metric': plan.metric or _metric_of(statuses),
        'baseline': plan.baseline,
        'target': plan.target,
        'seeds': plan.seeds,
        'methods': list(plan.methods),
        'runs': [_entry(plan, run, status, errors) for run, status in statuses.items()],
        'holdout': None if plan.holdout is None else vars(plan.holdout),
        'config': plan.config,
        'versions': package_versions(),
        'commit': _commit(),
        'command': command,
    }
    write_checksummed(plan.work_dir / COMPARISON_FILE, content)


def _entry(
    plan: Plan, run: PlannedRun, status: RunStatus, errors: Mapping[PlannedRun, str]
) -> dict[str, Any]:
    """A run as ``comparison.json`` lists it."""
    error = None
    if not status.done:
        error = errors.get(run) or status.error
    return {
        'method': run.method,
        'seed': run.seed,
        'state': _state(status, error),
        'error': error,
        'folder': str(run.folder.relative_to(plan.work_dir)),
    }


def _state(status: RunStatus, error: str | None) -> str:
    """State of a run as :class:`~mmal.benchmark.results.RunResult` has it."""
    if status.done:
        return 'done'
    if error:
        return 'failed'
    if status.begun:
        return 'running'
    return 'missing'


def _metric_of(statuses: Mapping[PlannedRun, RunStatus]) -> str:
    """The main metric of the first run that has one."""
    for run, status in statuses.items():
        curve_file = RunPaths(run.folder).curve
        if status.begun and curve_file.exists():
            metric = main_metric(read_json(curve_file))
            if metric:
                return metric
    return 'metric'


def _commit() -> str | None:
    """Commit of the checkout that holds the package; None if there is no checkout or no git."""
    # a folder above an installed package may be a repository, but not of this code
    if not (CODE_FOLDER / '.git').exists():
        return None
    command = ['git', '-C', str(CODE_FOLDER), 'describe', '--always', '--dirty']
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None
