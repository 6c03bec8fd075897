"""What makes a run this run: its record in ``run.json``, compared on resume."""

from __future__ import annotations

import fnmatch
from pathlib import Path

from .artifacts import read_json, write_json
from .errors import InputError

BENIGN = [
    'work_dir', 'resume', 'launcher', 'log_level', 'log_processor*', 'visualizer*', 'vis_backends*', 'default_hooks.*',
    'env_cfg*', 'experiment_name', '*num_workers', '*persistent_workers', '*pin_memory', '*prefetch_factor', 'filename',
    'train_cfg.rounds', 'train_cfg.start_from', 'model_wrapper_cfg*', 'data_root', 'randomness*', 'custom_imports*'
]
"""Config keys that a resumed run may change: where and how it runs, and when it stops. (The number of processes and of
loader workers changes the random augmentation of trainings to come, as in mmdet.) Seeds are compared by themselves.
"""


def flat(value, prefix: str = '') -> dict[str, str]:
    """A nested config as {dotted key: text}."""
    if isinstance(value, dict) and value:
        pairs = value.items()
    elif isinstance(value, (list, tuple)) and any(isinstance(v, (dict, list, tuple)) for v in value):
        pairs = enumerate(value)
    elif value is None:  # the same as absent
        return {}
    else:
        return {prefix: repr(tuple(value) if isinstance(value, list) else value)}
    return {k: v for key, item in pairs for k, v in flat(item, f'{prefix}.{key}' if prefix else str(key)).items()}


def record_of(cfg, seed: int, pool_digest: str, pool_size: int) -> dict:
    """Everything a result depends on, for :func:`claim`."""
    keys = {k: v for k, v in flat(cfg.to_dict()).items() if not any(fnmatch.fnmatch(k, b) for b in BENIGN)}
    return dict(format=1, seed=seed, pool=dict(images=pool_size, sha256=pool_digest), config=keys)


def differences(old: dict, new: dict) -> list[str]:
    """Lines that name each key that differs, with both values."""
    old, new = ({**flat({k: r[k] for k in ('seed', 'pool')}), **r['config']} for r in (old, new))
    return [f'  {key}: was {old.get(key, "absent")}, now {new.get(key, "absent")}'
            for key in sorted(set(old) | set(new)) if old.get(key) != new.get(key)]


def occupied(work_dir: str | Path, resume: bool) -> bool:
    """Whether ``work_dir`` holds some run; InputError if it does and ``resume`` was not asked for."""
    holds = (Path(work_dir) / 'run.json').exists()
    if holds and not resume:
        raise InputError(f'{work_dir} holds a run already. Go on with it by --resume, or choose another --work-dir.')
    return holds


def check(work_dir: str | Path, record: dict, resume: bool) -> bool:
    """Whether ``work_dir`` holds this very run already.

    Raises:
        InputError: If it holds a run and ``resume`` was not asked for, or another run than this.
    """
    if not occupied(work_dir, resume):
        return False
    changed = differences(read_json(Path(work_dir) / 'run.json'), record)
    if changed:
        shown = '\n'.join(changed[:20] + (['  ...'] if len(changed) > 20 else []))
        raise InputError(f'Cannot resume {work_dir}: it was started with other settings.\n{shown}\n'
                         'Set them back, or start anew in another --work-dir.')
    return True


def claim(work_dir: str | Path, record: dict) -> None:
    """Mark ``work_dir`` as this run's."""
    write_json(Path(work_dir) / 'run.json', record)
