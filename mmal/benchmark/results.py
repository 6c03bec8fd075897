"""The results of a comparison, from ``comparison.json`` and the work directories of its runs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from mmal.errors import InputError
from mmal.fileio.checksummed import CorruptStateError, read_checksummed
from mmal.fileio.text import read_json
from mmal.pool.budget import BudgetUnit
from mmal.run.layout import RunPaths

from .empty_evaluations import count_empty_as_zero
from .stats.budget_curve import is_number

if TYPE_CHECKING:
    from mmal.run.history import CurvePoint
    from mmal.run.overlap import SetOverlap

COMPARISON_FILE = 'comparison.json'
"""Name of the file in a comparison's work_dir that lists its runs."""

_POINT_TYPES = {'round': int, 'images': int, 'boxes': int, 'metrics': dict, 'seconds': dict}


@dataclass(frozen=True)
class RunResult:
    """The result of one method with one seed.

    Attributes:
        method: Name of the method.
        seed: Seed of the initial set, the queries and the trainings.
        folder: Work directory of the run.
        state: 'done', 'failed', 'running' or 'missing'. Only runs that are done enter a mean.
        error: Why the run is not done, if known.
        curve: Contents of its ``curve.json``; may be a part, or empty, if the run is not done.
        overlap: What its reference set and evaluation set have in common; None if not known.
        without_detection: Rounds whose detector found nothing and that therefore had no metric in
            the file. They have 0 in ``curve``.
    """

    method: str
    seed: int
    folder: Path
    state: str
    error: str | None = None
    curve: list[CurvePoint] = field(default_factory=list)
    overlap: SetOverlap | None = None
    without_detection: tuple[int, ...] = ()

    @property
    def done(self) -> bool:
        """Whether the run ended without an error and left a usable curve."""
        return self.state == 'done'

    def values(self, metric: str) -> dict[int, float]:
        """Metric by round, for the rounds that have it.

        Args:
            metric: Name of the metric.
        """
        values = {}
        for point in self.curve:
            value = point['metrics'].get(metric)
            if is_number(value):
                values[point['round']] = value
        return values

    def __str__(self) -> str:
        """Method and seed; if it is not done also the state, and the first line of the error."""
        text = f'{self.method}, seed {self.seed}'
        if self.done:
            return text
        text += f': {self.state}'
        if self.error and self.error.strip():
            first_line = self.error.strip().splitlines()[0]
            text += f' ({first_line})'
        return text


@dataclass(frozen=True)
class SharedHoldout:
    """Images held out by all methods alike.

    Attributes:
        share: Share of the initial images.
        needless: Methods that hold them out although their sampler needs no reference set.
    """

    share: float
    needless: list[str]


@dataclass(frozen=True)
class Comparison:
    """Several methods, each with several seeds. The attributes are the keys of ``comparison.json``.

    Attributes:
        name: Name of the comparison.
        metric: Name of the compared metric, higher is better.
        baseline: Method that the others are compared with, or None.
        target: Value of the metric to reach, or None.
        seeds: All seeds.
        methods: Names of all methods, in their order.
        runs: One run for every method and seed, in that order.
        commit: Commit of the code, if known.
        versions: Version by name of the library.
        command: Command that started the comparison, if known.
        config: Its config file or files, if known.
        holdout: What all methods hold out because one of them needs it; None if there is nothing.
    """

    name: str
    metric: str
    baseline: str | None
    target: float | None
    seeds: list[int]
    methods: list[str]
    runs: list[RunResult]
    commit: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    command: str | None = None
    config: str | None = None
    holdout: SharedHoldout | None = None

    def done(self, method: str | None = None) -> list[RunResult]:
        """Runs that are done.

        Args:
            method: Name of a method to restrict the runs to. Defaults to None: all methods.
        """
        return [run for run in self.runs if run.done and method in (None, run.method)]

    def not_done(self, method: str | None = None) -> list[RunResult]:
        """Runs that failed, still run or are missing.

        Args:
            method: Name of a method to restrict the runs to. Defaults to None: all methods.
        """
        return [run for run in self.runs if not run.done and method in (None, run.method)]

    @property
    def has_boxes(self) -> bool:
        """Whether boxes differ from images; they do not where an image has one label."""
        for run in self.done():
            if any(point['boxes'] != point['images'] for point in run.curve):
                return True
        return False

    @property
    def units(self) -> tuple[BudgetUnit, ...]:
        """Units of cost worth an axis of their own."""
        if self.has_boxes:
            return BudgetUnit.IMAGE, BudgetUnit.BOX
        return (BudgetUnit.IMAGE,)


def read_comparison(work_dir: str | Path) -> Comparison:
    """Read the results of a comparison.

    A run that is listed as done but left no usable ``curve.json``, or no value of the metric,
    counts as failed, with the reason. A method and seed without an entry counts as missing. Of what
    is missing nothing is read: what lies in its folder may be of a run that the plan no longer has.

    Args:
        work_dir: Work directory of the comparison, with ``comparison.json``.

    Returns:
        The comparison with the curves of its runs.

    Raises:
        InputError: If ``comparison.json`` is missing, or is not what was written.
    """
    work_dir = Path(work_dir)
    content = _read_comparison_file(work_dir / COMPARISON_FILE)
    runs_listed = {}
    for entry in content['runs']:
        run = _read_run(entry, content['metric'], work_dir)
        runs_listed[run.method, run.seed] = run
    _check_that_any_has_metric(runs_listed, content['metric'])
    runs = []
    for method in content['methods']:
        for seed in content['seeds']:
            run = runs_listed.get((method, seed)) or _unlisted_run(method, seed, work_dir)
            runs.append(run)
    return Comparison(
        name=content['name'],
        metric=content['metric'],
        baseline=content['baseline'],
        target=content['target'],
        seeds=content['seeds'],
        methods=content['methods'],
        runs=runs,
        commit=content.get('commit'),
        versions=content.get('versions') or {},
        command=content.get('command'),
        config=content.get('config'),
        holdout=_shared_holdout(content),
    )


def _check_that_any_has_metric(runs: dict[tuple[str, int], RunResult], metric: str) -> None:
    """Take no round for one without detection if no run has the metric: its name may be wrong."""
    for run in runs.values():
        if len(run.values(metric)) > len(run.without_detection):
            return
    for key, run in runs.items():
        runs[key] = _failed_if_done(run, f'done, but no round has {metric}')


def _read_comparison_file(path: Path) -> dict[str, Any]:
    """Content of ``comparison.json``, which LocalExecutor wrote with a checksum."""
    if not path.exists():
        raise InputError(
            f'{path} is not there. Expected the work_dir of a comparison; give the folder that '
            'tools/al_compare.py wrote.'
        )
    try:
        return read_checksummed(path)
    except CorruptStateError as e:
        raise InputError(f'{e} Run tools/al_compare.py again to renew it.') from None


def _shared_holdout(content: dict[str, Any]) -> SharedHoldout | None:
    entry = content.get('holdout')
    return None if entry is None else SharedHoldout(**entry)


def _unlisted_run(method: str, seed: int, work_dir: Path) -> RunResult:
    folder = work_dir / method / f'seed_{seed}'
    return RunResult(method, seed, folder, 'missing', 'not listed in comparison.json')


def _read_run(entry: dict[str, Any], metric: str, work_dir: Path) -> RunResult:
    """The run of an entry of ``comparison.json``, with its curve if there is one."""
    folder = work_dir / entry['folder']
    run = RunResult(entry['method'], entry['seed'], folder, entry['state'], entry.get('error'))
    if run.state == 'missing':
        return run
    manifest = _read_manifest(folder)
    run = replace(run, overlap=manifest.get('overlap'))
    try:
        curve = read_json(RunPaths(folder).curve)
    except FileNotFoundError:
        return _failed_if_done(run, 'done, but without curve.json')
    except ValueError as e:
        return _failed_if_done(run, f'curve.json is not valid JSON: {e}')
    if not _is_curve(curve):
        return _failed_if_done(run, 'curve.json is not a list of rounds')
    in_order = sorted(curve, key=lambda point: point['round'])
    evaluate_checkpoint = manifest.get('config', {}).get('train_cfg.evaluate_checkpoint')
    complete, empty = count_empty_as_zero(in_order, metric, evaluate_checkpoint != 'False')
    run = replace(run, curve=complete, without_detection=tuple(empty))
    if not run.values(metric):
        return _failed_if_done(run, f'done, but no round has {metric}')
    return run


def _read_manifest(folder: Path) -> dict[str, Any]:
    """Content of ``run.json``, or nothing. A run without one is told of elsewhere."""
    try:
        return read_checksummed(RunPaths(folder).manifest)
    except CorruptStateError:
        return {}


def _failed_if_done(run: RunResult, error: str) -> RunResult:
    """The run as failed if it is listed as done; a run that is not done may lack results."""
    if not run.done:
        return run
    return replace(run, state='failed', error=error)


def _is_curve(content: Any) -> TypeGuard[list[CurvePoint]]:
    if not isinstance(content, list):
        return False
    return all(_is_point(point) for point in content)


def _is_point(content: Any) -> bool:
    if not isinstance(content, dict):
        return False
    return all(isinstance(content.get(key), kind) for key, kind in _POINT_TYPES.items())
