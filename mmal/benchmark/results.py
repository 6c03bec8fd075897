"""The folder of a comparison: what ``comparison.json`` and the runs in it say, checked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from mmal.benchmark.stats.budget_curve import is_number
from mmal.errors import InputError
from mmal.fileio.text import read_json

STATES = ('done', 'failed', 'running', 'missing')
_TYPES = dict(name=str, metric=str, seeds=list, methods=list, runs=list)
_OPTIONAL = dict(
    baseline=str, target=(int, float), commit=str, command=str, config=str, versions=dict
)
_POINT = dict(round=int, images=int, boxes=int, metrics=dict, seconds=dict)


@dataclass(frozen=True)
class RunResult:
    """One method with one seed.

    Attributes:
        method: Name of the method.
        seed: Of the initial set, the queries and the trainings.
        folder: Its work_dir.
        state: 'done', 'failed', 'running' or 'missing'. Only what is done enters a mean.
        error: Why it is not done, if known.
        curve: Contents of its ``curve.json``; may be a part, or empty, if it is not done.
    """

    method: str
    seed: int
    folder: Path
    state: str
    error: str | None = None
    curve: list[dict] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return self.state == 'done'

    def values(self, metric: str) -> dict[int, float]:
        """Metric by round, for the rounds that have it."""
        return {
            p['round']: p['metrics'][metric]
            for p in self.curve
            if is_number(p['metrics'].get(metric))
        }

    def __str__(self) -> str:
        """Method and seed; if it is not done also the state, and the first line of the error."""
        text = f'{self.method}, seed {self.seed}'
        if not self.done:
            text += f': {self.state}'
            text += (
                f' ({self.error.strip().splitlines()[0]})'
                if self.error and self.error.strip()
                else ''
            )
        return text


@dataclass(frozen=True)
class Comparison:
    """Several methods, each with several seeds. The attributes are the keys of ``comparison.json``.

    Attributes:
        name: Of the comparison.
        metric: Compared metric, higher is better.
        baseline: Method the others are held against, or None.
        target: Metric to reach, or None.
        seeds: All seeds.
        methods: All methods, in their order.
        runs: One for every method and seed, in that order.
        commit: Of the code, if known.
        versions: Of the libraries, {name: version}.
        command: What started it, if known.
        config: Its config file or files, if known.
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

    def done(self, method: str | None = None) -> list[RunResult]:
        """Runs that are done, of one method or of all."""
        return [run for run in self.runs if run.done and method in (None, run.method)]

    def not_done(self, method: str | None = None) -> list[RunResult]:
        """Runs that failed, still run or are missing, of one method or of all."""
        return [run for run in self.runs if not run.done and method in (None, run.method)]

    @property
    def has_boxes(self) -> bool:
        """Whether boxes differ from images; in classification an image has one label, so they do not."""
        return any(p['boxes'] != p['images'] for run in self.done() for p in run.curve)

    @property
    def units(self) -> tuple[str, ...]:
        """Units of cost worth an axis of their own."""
        return ('images', 'boxes') if self.has_boxes else ('images',)


def read_comparison(work_dir: str | Path) -> Comparison:
    """Read and check the folder of a comparison.

    A run that calls itself done but left no usable ``curve.json``, or no value of the metric, counts as failed and says
    so; a method and seed without an entry counts as missing. Of what is missing nothing is read: what lies in its
    folder may be of a run that the plan no longer has.

    Args:
        work_dir: Folder that holds ``comparison.json``.

    Raises:
        InputError: If ``comparison.json`` is missing, no JSON, or says something that cannot be.
    """
    work_dir = Path(work_dir)
    path = work_dir / 'comparison.json'
    try:
        data = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f'{path} is not there. Expected the work_dir of a comparison; give the folder that '
            'tools/al_compare.py wrote.'
        ) from None
    except ValueError as e:
        raise InputError(
            f'{path} is not valid JSON ({e}). Run tools/al_compare.py again to renew it.'
        ) from None
    _check(data, path)
    found = {
        (run.method, run.seed): run
        for run in (_run(entry, data['metric'], work_dir) for entry in data['runs'])
    }
    runs = [
        found.get((method, seed))
        or RunResult(
            method,
            seed,
            work_dir / method / f'seed_{seed}',
            'missing',
            'not listed in comparison.json',
        )
        for method in data['methods']
        for seed in data['seeds']
    ]
    optional = {key: data[key] for key in _OPTIONAL if data.get(key) is not None}
    return Comparison(
        **dict(baseline=None, target=None) | optional,
        name=data['name'],
        metric=data['metric'],
        seeds=data['seeds'],
        methods=data['methods'],
        runs=runs,
    )


def _refuse(path: Path, expected: str, found) -> None:
    raise InputError(
        f'{path}: expected {expected}, found {found!r}. Mend the file, or run tools/al_compare.py again.'
    )


def _check(data, path: Path) -> None:
    if not isinstance(data, dict):
        _refuse(path, 'an object with name, metric, seeds, methods and runs', type(data).__name__)
    for key, kind in _TYPES.items():
        if not isinstance(data.get(key), kind):
            _refuse(path, f'{key} to be a {kind.__name__}', data.get(key))
    for key, kind in _OPTIONAL.items():
        if data.get(key) is not None and not isinstance(data[key], kind):
            _refuse(
                path,
                f'{key} to be a {"number" if key == "target" else kind.__name__} or null',
                data[key],
            )
    for key, kind in (('seeds', int), ('methods', str)):
        if not all(isinstance(v, kind) for v in data[key]) or len(set(data[key])) < len(data[key]):
            _refuse(
                path,
                f'{key} to be different {"whole numbers" if kind is int else "names"}',
                data[key],
            )
    if data.get('baseline') is not None and data['baseline'] not in data['methods']:
        _refuse(
            path, f'baseline to be one of the methods {data["methods"]} or null', data['baseline']
        )
    if data.get('target') is not None and not is_number(data['target']):
        _refuse(path, 'target to be a finite number or null', data['target'])
    _check_runs(data, path)


def _check_runs(data: dict, path: Path) -> None:
    seen = set()
    for entry in data['runs']:
        if not isinstance(entry, dict) or not {'method', 'seed', 'folder', 'state'} <= set(entry):
            _refuse(path, 'every run to have method, seed, folder and state', entry)
        if entry['method'] not in data['methods'] or entry['seed'] not in data['seeds']:
            _refuse(
                path, f'runs of the methods {data["methods"]} and the seeds {data["seeds"]}', entry
            )
        if entry['state'] not in STATES:
            _refuse(path, f'the state of a run to be one of {STATES}', entry['state'])
        folder = PurePosixPath(str(entry['folder']))
        if folder.is_absolute() or '..' in folder.parts:
            _refuse(
                path, 'folders of runs inside the comparison, like "METHOD/seed_0"', entry['folder']
            )
        key = (entry['method'], entry['seed'])
        if key in seen:
            _refuse(path, 'one run for each method and seed', f'{key} twice')
        seen.add(key)


def _run(entry: dict, metric: str, work_dir: Path) -> RunResult:
    run = RunResult(
        entry['method'],
        entry['seed'],
        work_dir / entry['folder'],
        entry['state'],
        entry.get('error'),
    )
    if run.state == 'missing':
        return run
    try:
        curve = read_json(run.folder / 'curve.json')
    except FileNotFoundError:
        return (
            replace(run, state='failed', error='done, but without curve.json') if run.done else run
        )
    except ValueError as e:
        return (
            replace(run, state='failed', error=f'curve.json is not valid JSON: {e}')
            if run.done
            else run
        )
    if not _is_curve(curve):
        return (
            replace(run, state='failed', error='curve.json is not a list of rounds')
            if run.done
            else run
        )
    run = replace(run, curve=sorted(curve, key=lambda p: p['round']))
    if run.done and not run.values(metric):
        return replace(run, state='failed', error=f'done, but no round has {metric}')
    return run


def _is_curve(curve) -> bool:
    return isinstance(curve, list) and all(
        isinstance(p, dict) and all(isinstance(p.get(key), kind) for key, kind in _POINT.items())
        for p in curve
    )
