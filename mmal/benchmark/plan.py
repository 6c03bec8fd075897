"""A comparison plan: methods x seeds on one protocol, and which of its runs are done."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.text import read_json, write_json
from mmal.registry import ORACLES
from mmal.run.manifest import NAME as RUN
from mmal.run.manifest import build_manifest, has_initial_labels
from mmal.run.round_state import RoundState
from mmal.utils.config import flat

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


@dataclass(frozen=True)
class PlannedRun:
    """One method with one seed.

    Attributes:
        method: Its name in the plan.
        seed: Of the run.
        folder: Its work_dir.
        digest: Of all settings that a result depends on: another one is another run.
        rounds: How many it is to have.
        start_from: Work_dir of the run whose initial set and first model it shares, or None.
        stop: When it is to stop before, as text.
        former: Digest of the kind that older versions left: of the whole config but the number of rounds.
    """

    method: str
    seed: int
    folder: Path
    digest: str
    rounds: int
    start_from: Path | None
    stop: str = ''
    former: str | None = None

    @property
    def begun(self) -> bool:
        """Whether its folder holds this very run, and not that of another config."""
        return bool(self._marker())

    @property
    def complete(self) -> int:
        """Rounds that are finished."""
        return (
            sum(RoundState(self.folder, n).complete for n in range(self.rounds))
            if self.begun
            else 0
        )

    @property
    def done(self) -> bool:
        """Whether it has ended; a pool that is used up, or ``stop``, may end it early."""
        found = self._marker()
        return found.get('done', 0) >= self.rounds and found.get('stop', self.stop) == self.stop

    @property
    def error(self) -> str | None:
        """Why its last attempt failed."""
        return self._marker().get('error')

    def mark(self, done: bool, error: str | None = None) -> None:
        """Remember which config is run here, and that it has ended or failed."""
        write_json(
            self.folder / 'plan.json',
            dict(digest=self.digest, stop=self.stop, done=self.rounds if done else 0, error=error),
        )

    def _marker(self) -> dict:
        """What was remembered of this very run; empty if nothing was, or what lies there is of another config."""
        path = self.folder / 'plan.json'
        found = read_json(path) if path.exists() else {}
        return found if found.get('digest') in (self.digest, self.former or self.digest) else {}


class Plan:
    """A comparison plan: a Python file in mmengine's config syntax.

    It has ``config`` (path of the protocol, relative to the plan), ``seeds`` and ``methods``, a dict by name of
    ``sampler`` and, if need be, ``options`` (overrides as in --cfg-options) or a ``config`` of its own. ``options``
    beside them are for every method; ``baseline`` (defaults to 'random' if there is such a method), ``metric``,
    ``target`` and ``published`` (number of the paper's table to draw over) are for the report.

    Args:
        path: Of the plan.
        work_dir: Where runs and report go.

    Raises:
        InputError: If the plan lacks something or has something unknown.
    """

    def __init__(self, path: str | Path, work_dir: str | Path) -> None:
        self.path, self.work_dir = Path(path), Path(work_dir)
        if not self.path.exists():
            raise InputError(f'Plan not found: {path}')
        plan = Config.fromfile(self.path).to_dict()
        for key in ('config', 'seeds', 'methods'):
            if not plan.get(key):
                raise InputError(
                    f'{path}: expected `{key}`; a plan needs config, seeds and methods.'
                )
        unknown = sorted(set(plan) - set(KEYS))
        if unknown:
            raise InputError(f'{path}: unknown {", ".join(unknown)}; a plan has {", ".join(KEYS)}.')
        self.name, self.seeds, self.methods = (
            plan.get('name', self.path.stem),
            list(plan['seeds']),
            plan['methods'],
        )
        self.options, self.config = plan.get('options', {}), plan['config']
        self.metric, self.target, self.published = (
            plan.get(k) for k in ('metric', 'target', 'published')
        )
        self.baseline = plan.get('baseline', 'random' if 'random' in self.methods else None)
        if self.baseline is not None and self.baseline not in self.methods:
            raise InputError(
                f'{path}: baseline {self.baseline!r} is no method; there are {", ".join(self.methods)}.'
            )
        if len(set(self.seeds)) != len(self.seeds):
            raise InputError(f'{path}: a seed stands twice in {self.seeds}.')
        for name, method in self.methods.items():
            if not set(method) <= set(METHOD_KEYS) or '/' in name or name.startswith('.'):
                raise InputError(
                    f'{path}: method {name!r} has {sorted(method)}; it may have {", ".join(METHOD_KEYS)}, '
                    'and its name must do for a folder.'
                )
        self._configs = {name: self._config_of(method) for name, method in self.methods.items()}
        for name, cfg in self._configs.items():
            self._refuse_people(name, cfg.train_cfg.get('oracle') or {})

    def _config_of(self, method: dict) -> Config:
        cfg = Config.fromfile(self.path.parent / method.get('config', self.config))
        for options in (self.options, method.get('options', {})):
            cfg.merge_from_dict(copy.deepcopy(options))
        if 'sampler' in method:
            cfg.train_cfg['sampler'] = method['sampler']
        return cfg

    def _refuse_people(self, name: str, oracle: dict) -> None:
        kind = oracle.get('type')
        if getattr(ORACLES.get(kind) if isinstance(kind, str) else kind, 'is_human', False):
            raise InputError(
                f'{self.path}: method {name!r} has its images labeled by people ({kind}), and would wait '
                'for them with every seed. Compare methods on data that is labeled, with oracle '
                "dict(type='mmal.SimulatedOracle'); run al_train.py where people label."
            )

    def runs(self) -> list[PlannedRun]:
        """Every run, seed after seed; the first method of a seed is the one that the others start from."""
        found = []
        for seed in self.seeds:
            leader = None
            for name, cfg in self._configs.items():
                folder = self.work_dir / name / f'seed_{seed}'
                content = cfg.to_dict()
                content['train_cfg'] = {
                    k: v for k, v in content['train_cfg'].items() if k != 'rounds'
                }
                found.append(
                    PlannedRun(
                        name,
                        seed,
                        folder,
                        _digest(build_manifest(cfg, 0, '', 0)['config']),
                        cfg.train_cfg['rounds'],
                        leader,
                        _text(flat(cfg.train_cfg.get('stop') or None)),
                        _digest(content),
                    )
                )
                leader = leader or folder
        return found

    def prepare(self, run: PlannedRun) -> Path:
        """Make room for a run and write its config; what another config left there is moved aside.

        Returns:
            Path of the config.
        """
        if run.folder.exists() and not run.begun:
            aside = self.work_dir / 'replaced' / f'{run.method}_seed_{run.seed}_{int(time.time())}'
            aside.parent.mkdir(parents=True, exist_ok=True)
            run.folder.rename(aside)
        cfg = copy.deepcopy(self._configs[run.method])
        leader = (
            run.start_from
        )  # one that was ended before it had drawn its images has nothing to give
        if leader is not None and (leader / RUN).exists() and has_initial_labels(leader):
            cfg.train_cfg['start_from'] = str(leader)
        run.mark(done=False)
        path = self.work_dir / 'configs' / f'{run.method}_seed_{run.seed}.py'
        write_bytes(path, cfg.pretty_text.encode())
        return path


def _text(content: dict) -> str:
    return json.dumps(content, sort_keys=True, default=str)


def _digest(content: dict) -> str:
    return hashlib.sha256(_text(content).encode()).hexdigest()
