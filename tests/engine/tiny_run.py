"""Phases with real data and a real model, the tiny set and the tiny FCOS, but without a Runner: nothing is trained."""

from functools import cache, cached_property
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules

from mmal.adapters import build_data_adapter, build_model_adapter
from mmal.engine.context import Round
from mmal.engine.hooks.stest_hook import StestHook
from mmal.engine.initial_set import draw_initial_set, label_initial_set
from mmal.engine.phase_runner import PhaseRunner
from mmal.engine.phases import PHASES
from mmal.fileio.text import write_json
from mmal.oracles.simulated import SimulatedOracle
from mmal.pool.budget import BudgetUnit, holdout_size
from mmal.pool.pool import Pool
from mmal.registry import SAMPLERS
from mmal.run.round_state import RoundState
from tests.engine.fakes import FakeModel, make_run


class TinyModel(FakeModel):
    """The config's detector with the weights it begins with."""

    def __init__(self, number, cfg):
        super().__init__(number, dict(mAP=0.5))
        self.cfg = cfg

    @cached_property
    def _adapter(self):
        torch.manual_seed(self.number)
        return build_model_adapter(MODELS.build(self.cfg.model), self.cfg)

    def adapter(self):
        return self._adapter


def begin(cfg):
    """The RunContext of a config as ``make_cfg`` makes it, with its first images labeled."""
    register_all_modules(init_default_scope=True)
    work_dir, data, train_cfg = Path(cfg.work_dir), build_data_adapter(cfg), cfg.train_cfg
    work_dir.mkdir(parents=True)
    hook = {key: value for key, value in cfg.custom_hooks[0].items() if key != 'type'}
    run = make_run(work_dir, cfg=cfg, data=data, oracle=SimulatedOracle(data), stest=StestHook(**hook).settings,
                   sampler=SAMPLERS.build(train_cfg.sampler), initial=train_cfg.initial, query=train_cfg.query,
                   rounds=train_cfg.rounds, unit=BudgetUnit(train_cfg.get('unit', 'image')),
                   holdout=holdout_size(train_cfg.initial, train_cfg.get('holdout') or 0.0),
                   seed=(cfg.get('randomness') or {}).get('seed') or 0)
    write_json(run.paths.pool, data.pool_contents())
    label_initial_set(run, draw_initial_set(run))
    return run


def go(cfg):
    """Run all phases of all rounds of a config, and return its work_dir."""
    run = begin(cfg)
    labeled_file = run.paths.initial
    for number in range(run.settings.rounds):
        state = RoundState(run.paths.work_dir, number)
        pool = Pool(run.pool_ids, run.labeled_ids(labeled_file))
        model = TinyModel(number, cfg)
        PhaseRunner(PHASES).run(run, Round(state, labeled_file, pool, model, cache(run.open_pool)))
        labeled_file = state.artifact('label')
    return run.paths.work_dir
