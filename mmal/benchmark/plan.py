"""A comparison plan: methods x seeds on one protocol, and which of its runs are done."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmal.engine.holdout import holdout_share_of
from mmal.engine.result_neutral import result_neutral_keys
from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.text import read_json, write_json
from mmal.registry import ORACLES
from mmal.run.layout import RunPaths
from mmal.run.manifest import build_manifest, has_initial_labels
from mmal.run.round_state import RoundState
from mmal.utils.config import flat

from .shared_holdout import share_holdout

REQUIRED_KEYS = ('config', 'seeds', 'methods')
KEYS = (
    'name',
    'config',
    'seeds',
    'methods',
    'options',
    'baseline',
    'metric',
    'target',
    'published',
)
METHOD_KEYS = ('config', 'sampler', 'options')
MARKER_FILE = 'plan.json'
"""File in a run's folder that tells which config is run there, and how it ended."""


@dataclass(frozen=True)
class RunStatus:
    """What the folder of a planned run held when it was read.

    Attributes:
        begun: Whether the folder holds this very run, and not that of another config.
        done: Whether the run has ended; a pool that is used up, or ``stop``, may end it early.
        error: Why its last attempt failed; None if it did not.
    """

    begun: bool
    done: bool
    error: str | None


@dataclass(frozen=True)
class PlannedRun:
    """One method with one seed.

    Attributes:
        method: Name of the method in the plan.
        seed: Seed of the initial set, the queries and the trainings.
        folder: Work directory of the run.
        digest: Checksum of all settings that a result depends on; another checksum is another run.
        rounds: Number of rounds it is to have.
        start_from: Work directory of the run whose initial set and first model it shares, or None.
        stop: Conditions that stop it before, as text.
    """

    method: str
    seed: int
    folder: Path
    digest: str
    rounds: int
    start_from: Path | None
    stop: str = ''

    def read_status(self) -> RunStatus:
        """Read from the run's folder whether it has begun, ended or failed."""
        marker = self._read_marker()
        if marker is None:
            return RunStatus(begun=False, done=False, error=None)
        has_rounds = marker['done'] >= self.rounds
        same_stop = marker['stop'] == self.stop
        return RunStatus(begun=True, done=has_rounds and same_stop, error=marker['error'])

    def read_rounds_done(self) -> int:
        """Read from the run's folder how many of its rounds are trained and evaluated.

        Raises:
            CorruptStateError: If the record of a round is damaged.
        """
        if self._read_marker() is None:
            return 0
        return sum(RoundState(self.folder, number).evaluated for number in range(self.rounds))

    def mark(self, done: bool, error: str | None = None) -> None:
        """Note in the run's folder which config is run there, and whether it has ended or failed.

        Args:
            done: Whether the run has ended.
            error: Why its attempt failed. Defaults to None: it did not.
        """
        marker = {
            'digest': self.digest,
            'stop': self.stop,
            'done': self.rounds if done else 0,
            'error': error,
        }
        write_json(self.folder / MARKER_FILE, marker)

    def _read_marker(self) -> dict[str, Any] | None:
        """What :meth:`mark` wrote for this very run; None if there is nothing of this run."""
        path = self.folder / MARKER_FILE
        if not path.exists():
            return None
        marker: dict[str, Any] = read_json(path)
        return marker if marker['digest'] == self.digest else None


class Plan:
    """A comparison plan: a Python file in mmengine's config syntax.

    It has these keys:

    - ``config``: Path of the protocol, relative to the plan.
    - ``seeds``: Seeds that every method is run with.
    - ``methods``: A dict by name of the method. A method is a dict of ``sampler`` and, if need be,
      ``options`` (overrides as in --cfg-options) or a ``config`` of its own.
    - ``options``: Overrides for every method. Optional.
    - ``name``: Name of the comparison. Defaults to the file's name.
    - ``baseline``: Method that the others are compared with. Defaults to 'random' if there is such
      a method.
    - ``metric``, ``target`` and ``published`` (number of the paper's table to draw over): For the
      report. Optional.

    Args:
        path: Path of the plan.
        work_dir: Folder of the runs and the report.

    Attributes:
        holdout: What all methods hold out because one of them needs it; None if there is nothing.

    Raises:
        InputError: If the plan lacks something, has something unknown, or would ask people for
            labels.
    """

    def __init__(self, path: str | Path, work_dir: str | Path) -> None:
        self.path = Path(path)
        self.work_dir = Path(work_dir)
        if not self.path.exists():
            raise InputError(f'Plan not found: {path}')
        content: dict[str, Any] = Config.fromfile(self.path).to_dict()
        self._check_keys(content)
        self.name: str = content.get('name', self.path.stem)
        self.config: str = content['config']
        self.seeds: list[int] = list(content['seeds'])
        self.methods: dict[str, dict[str, Any]] = content['methods']
        self.options: dict[str, Any] = content.get('options', {})
        self.metric: str | None = content.get('metric')
        self.target: float | None = content.get('target')
        self.published: int | None = content.get('published')
        default_baseline = 'random' if 'random' in self.methods else None
        self.baseline: str | None = content.get('baseline', default_baseline)
        self._check_values()
        self._files: dict[Path, Config] = {}
        self._configs: dict[str, Config] = {}
        for name, method in self.methods.items():
            self._configs[name] = self._build_config(method)
        for name, cfg in self._configs.items():
            self._check_oracle(name, cfg.train_cfg.get('oracle') or {})
        self.holdout = share_holdout(self._configs)

    def _check_keys(self, content: Mapping[str, Any]) -> None:
        for key in REQUIRED_KEYS:
            if not content.get(key):
                raise InputError(
                    f'{self.path}: expected `{key}`; a plan needs config, seeds and methods.'
                )
        unknown = sorted(set(content) - set(KEYS))
        if unknown:
            raise InputError(
                f'{self.path}: unknown {", ".join(unknown)}; a plan has {", ".join(KEYS)}.'
            )

    def _check_values(self) -> None:
        if self.baseline is not None and self.baseline not in self.methods:
            raise InputError(
                f'{self.path}: baseline {self.baseline!r} is no method; there are '
                f'{", ".join(self.methods)}.'
            )
        if len(set(self.seeds)) != len(self.seeds):
            raise InputError(f'{self.path}: a seed stands twice in {self.seeds}.')
        for name, method in self.methods.items():
            is_folder_name = '/' not in name and not name.startswith('.')
            if not set(method) <= set(METHOD_KEYS) or not is_folder_name:
                raise InputError(
                    f'{self.path}: method {name!r} has {sorted(method)}; it may have '
                    f'{", ".join(METHOD_KEYS)}, and its name must do for a folder.'
                )

    def _build_config(self, method: Mapping[str, Any]) -> Config:
        """Config of a method: the protocol with the overrides of plan and method."""
        cfg = self._read_config(self.path.parent / method.get('config', self.config))
        cfg.merge_from_dict(copy.deepcopy(self.options))
        cfg.merge_from_dict(copy.deepcopy(method.get('options', {})))
        if 'sampler' in method:
            cfg.train_cfg['sampler'] = method['sampler']
        return cfg

    def _read_config(self, path: Path) -> Config:
        """A config of its own from a file, which is read once."""
        if path not in self._files:
            self._files[path] = Config.fromfile(path)
        return copy.deepcopy(self._files[path])

    def _check_oracle(self, name: str, oracle: Mapping[str, Any]) -> None:
        """Refuse a method that would wait for people to label."""
        kind = oracle.get('type')
        oracle_class = ORACLES.get(kind) if isinstance(kind, str) else kind
        if getattr(oracle_class, 'is_human', False):
            raise InputError(
                f'{self.path}: method {name!r} has its images labeled by people ({kind}), and '
                'would wait '
                'for them with every seed. Compare methods on data that is labeled, with oracle '
                "dict(type='mmal.SimulatedOracle'); run al_train.py where people label."
            )

    def config_of(self, method: str) -> Config:
        """The config of a method, with the overrides of the plan.

        Args:
            method: Name of the method.
        """
        return self._configs[method]

    def runs(self) -> list[PlannedRun]:
        """Every run, seed after seed; the other methods of a seed start from its first one that
        chooses the first images alike and holds out as much.
        """
        runs = []
        for seed in self.seeds:
            first_runs: dict[tuple[float, str], PlannedRun] = {}
            for name, cfg in self._configs.items():
                cold_start = _sorted_json(flat(cfg.train_cfg.get('cold_start')))
                beginning = (holdout_share_of(cfg), cold_start)
                run = self._planned_run(name, cfg, seed, first_runs.get(beginning))
                runs.append(run)
                first_runs.setdefault(beginning, run)
        return runs

    def _planned_run(
        self, name: str, cfg: Config, seed: int, first_run: PlannedRun | None
    ) -> PlannedRun:
        neutral = result_neutral_keys(cfg.train_cfg)
        settings = build_manifest(cfg, 0, '', 0, neutral)['config']
        return PlannedRun(
            method=name,
            seed=seed,
            folder=self.work_dir / name / f'seed_{seed}',
            digest=hashlib.sha256(_sorted_json(settings).encode()).hexdigest(),
            rounds=cfg.train_cfg['rounds'],
            start_from=None if first_run is None else first_run.folder,
            stop=_sorted_json(flat(cfg.train_cfg.get('stop') or None)),
        )

    def prepare(self, run: PlannedRun) -> Path:
        """Make room for a run and write its config; what another config left there is moved aside.

        Args:
            run: One of :meth:`runs`.

        Returns:
            Path of the config.
        """
        if run.folder.exists() and not run.read_status().begun:
            self._move_aside(run)
        cfg = copy.deepcopy(self._configs[run.method])
        if run.start_from is not None and _has_first_model(run.start_from):
            cfg.train_cfg['start_from'] = str(run.start_from)
        run.mark(done=False)
        path = self.work_dir / 'configs' / f'{run.method}_seed_{run.seed}.py'
        write_bytes(path, cfg.pretty_text.encode())
        return path

    def _move_aside(self, run: PlannedRun) -> None:
        replaced = self.work_dir / 'replaced'
        replaced.mkdir(parents=True, exist_ok=True)
        run.folder.rename(replaced / f'{run.method}_seed_{run.seed}_{int(time.time())}')


def _has_first_model(work_dir: Path) -> bool:
    """Whether others can start from a run, which may have ended before it had its images."""
    return RunPaths(work_dir).manifest.exists() and has_initial_labels(work_dir)


def _sorted_json(content: Mapping[str, str]) -> str:
    return json.dumps(content, sort_keys=True, default=str)
