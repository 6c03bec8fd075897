"""Run what a comparison plan lacks on cached features, several runs in a process."""

from __future__ import annotations

import copy
import hashlib
import importlib
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmal.engine.cold_start import cold_start
from mmal.engine.hooks.stest_hook import StestHook, find_stest_hook
from mmal.engine.refit_head import COMPONENTS, RefitHead
from mmal.errors import InputError
from mmal.fileio.checksummed import checksum
from mmal.registry import SAMPLERS
from mmal.run.feature_cache import FeatureCache
from mmal.utils.pretrained import weights_key

from .frozen_run import FrozenData, FrozenRun, FrozenSettings
from .plan import Plan, PlannedRun
from .record import read_statuses, write_comparison_record

_data: FrozenData | None = None


class FrozenExecutor:
    """Runs what a plan lacks on cached features, and keeps ``comparison.json`` current.

    Plans and configs are those of trainings. Of ``train_cfg`` the numbers, the sampler, the cold
    start and ``head`` count, and of ``custom_hooks`` the StestHook. Nothing is trained but the last
    layer, see :class:`~mmal.benchmark.frozen_run.FrozenRun`.

    Args:
        plan: The plan.
        folder: Folder of the features, as `mmal features` wrote it.
        jobs: Number of processes. Defaults to 1.
        log: Receives one line per event. Defaults to print.

    Raises:
        InputError: If the folder holds no features, or a method cannot be run on features alone.
    """

    def __init__(
        self, plan: Plan, folder: Path, jobs: int = 1, log: Callable[[str], None] = print
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._jobs = jobs
        self._log = log
        self._cache = FeatureCache(folder)
        self._model = checksum(self._cache.model())
        self._components = _common_components(plan)
        for name in plan.methods:
            frozen_settings(plan.config_of(name), name)

    def runs(self) -> list[PlannedRun]:
        """All runs of the plan. Other features make other runs."""
        runs = []
        for run in self._plan.runs():
            text = f'{run.digest}/{self._model}/{self._components}'
            runs.append(replace(run, digest=hashlib.sha256(text.encode()).hexdigest()))
        return runs

    def execute(self) -> list[PlannedRun]:
        """Run everything that is missing.

        Returns:
            The runs that failed.
        """
        runs = self.runs()
        statuses = read_statuses(runs)
        pending = [run for run in runs if not statuses[run].done]
        self._log(
            f'{len(runs)} runs on cached features, {len(runs) - len(pending)} of them done; '
            f'{self._jobs} at a time.'
        )
        self.write_state(runs)
        if pending:
            self._execute(pending)
        self.write_state(runs)
        return [run for run in runs if not run.read_status().done]

    def _execute(self, pending: list[PlannedRun]) -> None:
        for run in pending:
            self._plan.prepare(run)
        start = time.monotonic()
        for n_done, (run, error) in enumerate(self._outcomes(pending), 1):
            run.mark(done=error is None, error=error)
            left = (time.monotonic() - start) / n_done * (len(pending) - n_done)
            outcome = 'done' if error is None else f'FAILED: {error}'
            self._log(
                f'{run.method}, seed {run.seed}: {outcome}. {n_done} of {len(pending)} runs; '
                f'about {left:.0f} s left.'
            )

    def _outcomes(self, pending: list[PlannedRun]) -> Iterator[tuple[PlannedRun, str | None]]:
        """Each run, when it has ended, with its error if it failed."""
        if self._jobs == 1:
            _load(self._folder, self._components)
            for run in pending:
                yield run, _run(self._plan.config_of(run.method), run)
            return
        # A forked process could wait forever for threads that only its parent has.
        pool = ProcessPoolExecutor(
            self._jobs,
            mp_context=multiprocessing.get_context('spawn'),
            initializer=_load_alone,
            initargs=(self._folder, self._components),
        )
        with pool:
            futures = {}
            for run in pending:
                cfg = self._plan.config_of(run.method)
                futures[pool.submit(_run, cfg, run)] = run
            for future in as_completed(futures):
                yield futures[future], future.result()

    def write_state(self, runs: list[PlannedRun]) -> None:
        """Renew ``comparison.json``, which the report is made from.

        Args:
            runs: All runs.
        """
        write_comparison_record(self._plan, read_statuses(runs), {}, self._folder)


def frozen_settings(cfg: Config, method: str) -> FrozenSettings:
    """What a run on cached features is asked by the config of a method.

    Args:
        cfg: The config.
        method: Name of the method, for messages.

    Raises:
        InputError: If it cannot be run on features alone.
    """
    train_cfg = cfg.train_cfg
    if train_cfg.get('unit', 'image') != 'image' or not isinstance(train_cfg['initial'], int):
        raise InputError(
            f'method {method!r}: on cached features a query is paid in images and the first images '
            'are a number. Remove train_cfg.unit, and give train_cfg.initial as a number.'
        )
    if train_cfg.get('holdout'):
        raise InputError(
            f'method {method!r}: on cached features nothing is held out. Take '
            "StestHook(reference='val'), and remove train_cfg.holdout."
        )
    head = RefitHead.from_config(train_cfg.get('head'))
    return FrozenSettings(
        initial=train_cfg['initial'],
        query=train_cfg['query'],
        rounds=train_cfg['rounds'],
        sampler=SAMPLERS.build(copy.deepcopy(train_cfg['sampler'])),
        cold_start=cold_start(train_cfg.get('cold_start'), weights_key(cfg)).sampler,
        stest=_stest(cfg),
        weight_decay=None if head is None else head.weight_decay,
    )


def _stest(cfg: Config) -> Any:
    """Settings of the config's StestHook, or None."""
    hook_cfg = find_stest_hook(cfg)
    if hook_cfg is None:
        return None
    arguments = {key: value for key, value in hook_cfg.items() if key != 'type'}
    return StestHook(**copy.deepcopy(arguments)).settings


def _common_components(plan: Plan) -> int | None:
    """Number of principal components, which all methods of a comparison share."""
    found = set()
    for name in plan.methods:
        head = RefitHead.from_config(plan.config_of(name).train_cfg.get('head'))
        found.add(COMPONENTS if head is None else head.components)
    if len(found) > 1:
        shown = ', '.join(map(str, sorted(found, key=str)))
        raise InputError(
            f'train_cfg.head.components differs between the methods ({shown}); on cached features '
            'all methods of a comparison share one number.'
        )
    return found.pop()


def _load(folder: Path, components: int | None) -> None:
    global _data
    _data = FrozenData(FeatureCache(folder), components)


def _load_alone(folder: Path, components: int | None) -> None:
    """Begin a process of several: each takes one core."""
    torch.set_num_threads(1)
    importlib.import_module('mmal.samplers')
    _load(folder, components)


def _run(cfg: Config, run: PlannedRun) -> str | None:
    """Do one run; the error if it failed."""
    assert _data is not None
    try:
        settings = frozen_settings(cfg, run.method)
        FrozenRun(_data, settings, run.seed, run.folder).run()
    except (InputError, ValueError, RuntimeError, FloatingPointError) as e:
        return f'{type(e).__name__}: {e}'
    return None
