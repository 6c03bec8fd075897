"""The digits demo, made small: what the launchers are tested with."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.zoo_configs import ROOT

OPTIONS = ['train_cfg.initial=20', 'train_cfg.query=10', 'train_cfg.max_iters=12', 'train_cfg.val_interval=12',
           'param_scheduler.0.total_steps=12', 'default_hooks.checkpoint.interval=12', 'model.backbone.base_channels=4',
           'model.backbone.stem_channels=4', 'model.head.in_channels=16', 'test_dataloader.batch_size=512']


def environment(base: Mapping[str, str] = os.environ, **more: str) -> dict[str, str]:
    """Of the launchers: this interpreter, our packages and one thread a process."""
    path = os.pathsep.join([str(ROOT), str(ROOT / 'tests' / 'tools')])
    return dict(base, PYTHON=sys.executable, PYTHONPATH=path, OMP_NUM_THREADS='1', **more)


def failing_config(folder: Path, how: str, rank: int = 1) -> Path:
    """Write a config one of whose ranks fails in its first training, with a time limit of 15 s for the others."""
    path = folder / f'{how}.py'
    path.write_text(f"""
_base_ = {str(ROOT / 'configs' / 'resnet_digits_isal.py')!r}
custom_imports = dict(imports=['faults'])
custom_hooks = [*_base_.custom_hooks, dict(type='FailingRank', rank={rank}, how={how!r})]
env_cfg = dict(dist_cfg=dict(timeout=15))
""")
    return path


def plan(folder: Path, methods: str) -> Path:
    """Write a comparison plan of one seed and two rounds."""
    path = folder / 'plan.py'
    options = {k: int(v) for k, v in (o.split('=') for o in OPTIONS)} | {'train_cfg.rounds': 2}
    path.write_text(f"""
config = {str(ROOT / 'configs' / 'resnet_digits_isal.py')!r}
seeds = [1]
options = {options!r}
methods = {methods}
""")
    return path


def selections(work_dir: Path) -> list:
    """What each round chose."""
    return [json.loads(f.read_text()) for f in sorted(Path(work_dir).glob('round_*/selected.json'))]
