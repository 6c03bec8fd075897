"""The config file of a project, to be edited by people."""

from __future__ import annotations

import math

from mmal.pool.budget import DEFAULT_HOLDOUT, holdout_size
from mmal.utils.config import warmup_iters

from .base_config import BaseConfig, Place, overrides
from .settings import Numbers

COLD_STARTS = {'random': None, 'coreset': "dict(type='mmal.CoresetSampler', layers=['backbone'])"}

LEAST_ITERATIONS = 1200
"""Of the first training: 12 epochs of 100."""
LEAST_WARM_UPS = 3
"""Times the iterations of its warm-up that it has at least."""


def config_text(
    base: BaseConfig, root: str, classes: list[str], images: int, numbers: Numbers
) -> str:
    """The text of ``config.py``.

    Args:
        base: What it inherits.
        root: Folder of the images.
        classes: Their names.
        images: In the pool.
        numbers: Of the loop.
    """
    parts = [
        _head(base, root, classes, images),
        _loop(base, numbers),
        _model(base, len(classes)),
        _data(base, numbers),
        _evaluation(base),
        'default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))\n'
        f"randomness = dict(seed={numbers.seed})\nwork_dir = project + 'run'\n",
    ]
    return '\n'.join(filter(None, parts))


def _head(base: BaseConfig, root: str, classes: list[str], images: int) -> str:
    names = ''.join(f'{c!r}, ' for c in classes).rstrip(' ')
    return f"""# Active learning on {images} images without labels; made by tools/al_init.py, to be edited.
#   python tools/al_train.py THIS_FILE --dry-run     shows what it would do
#   python tools/al_train.py THIS_FILE --resume      trains, chooses, and stops where people are to label
_base_ = {base.name!r}

project = '{{{{ fileDirname }}}}/'  # the folder of this file
images = {root.rstrip('/') + '/'!r}
classes = ({names if len(classes) == 1 else names.rstrip(',')})
"""


def _loop(base: BaseConfig, n: Numbers) -> str:
    kind = getattr(base.cfg.train_cfg.get('type'), '__name__', base.cfg.train_cfg.get('type'))
    known = kind in (None, 'EpochBasedTrainLoop', 'IterBasedTrainLoop') or str(kind).endswith(
        'ActiveLoop'
    )
    lines = [
        '_delete_=True',
        "type='mmal.ActiveLoop'",
        f'initial={n.initial},  # images to label first',
        f'query={n.query},  # images to label after each round',
        f'rounds={n.rounds},  # trainings',
    ]
    if COLD_STARTS[n.cold_start]:
        lines.append(f'cold_start={COLD_STARTS[n.cold_start]}')
    lines += ["sampler=dict(type='mmal.InfluenceSampler')", "oracle=dict(type='mmal.HumanOracle')"]
    lines += [f'{k}={v},  # of each round' for k, v in base.length.items()]
    lines += [] if known else [f'inner_type={kind!r}']
    body = ''.join(f'    {line}\n' if '#' in line else f'    {line},\n' for line in lines)
    return f'train_cfg = dict(\n{body})\n{_hooks(base)}'


def _hooks(base: BaseConfig) -> str:
    hooks, own = (
        base.cfg.get('custom_hooks') or [],
        "dict(type='mmal.StestHook', reference='holdout')",
    )
    note = '# a fifth of the first labeled images is the reference set, never trained on\n'
    if any(h.get('type') == 'mmal.StestHook' for h in hooks):
        return (
            f"{note}custom_hooks = [*(h for h in _base_.custom_hooks if h['type'] != 'mmal.StestHook'),\n"
            f'                {own}]\n'
        )
    return f'{note}custom_hooks = [{"*_base_.custom_hooks, " if hooks else ""}{own}]\n'


def _model(base: BaseConfig, classes: int) -> str:
    lines = [
        f'{part} = {text}\n'
        for part in ('model', 'data_preprocessor')
        if (text := overrides(base.cfg.get(part), f'_base_.{part}', classes))
    ]
    return ''.join(lines)


def _pipeline(place: Place) -> str:
    """Of a dataset whose images are in memory, with the step that loads files."""
    loads = any(
        'Load' in str(getattr(s.get('type'), '__name__', s.get('type'))) for s in place.steps
    )
    return place.pipeline if loads else f"[dict(type='LoadImageFromFile'), *{place.pipeline}]"


def _nested(keys: list[str], inner: str) -> str:
    for key in reversed(keys):
        inner = f'dict({key}={inner})'
    return inner


def _repeated(base: BaseConfig, n: Numbers, leaf: str) -> tuple[str, str]:
    """A comment, and the dataset that stands for that of the base: the pool, several times where it has to be.

    A config made for many images would end the first training, on few, before its learning rate is warm.
    """
    epochs, trained = (
        base.length.get('max_epochs', 0),
        n.initial - holdout_size(n.initial, DEFAULT_HOLDOUT),
    )
    iterations = epochs * math.ceil(trained / base.cfg.train_dataloader.get('batch_size', 1))
    least = max(LEAST_ITERATIONS, LEAST_WARM_UPS * warmup_iters(base.cfg.get('param_scheduler')))
    if not epochs or base.train.repeated or iterations >= least:
        return '', f'dict(\n    _delete_=True, {leaf})'
    times = math.ceil(least / iterations)
    return (
        f'# An epoch goes {times} times through the labeled images, so that the first training, on {trained}, has '
        f'about {times * iterations} iterations.\n'
        '# For longer or shorter trainings change `times`, not max_epochs: the learning rate falls at epochs of its'
        ' own.\n# Later rounds have more images, and so more iterations.\n',
        f"dict(\n    _delete_=True, type='RepeatDataset', times={times}, dataset=dict(\n    {leaf}))",
    )


def _data(base: BaseConfig, numbers: Numbers) -> str:
    if base.boxes:
        empty = bool(base.train.filter_cfg.get('filter_empty_gt', False))
        own = (
            "own = dict(type='CocoDataset', metainfo=dict(classes=classes), data_root='', "
            'data_prefix=dict(img=images))\n'
        )
        leaf = (
            f"**own, ann_file=project + 'pool.json', "
            f'filter_cfg=dict(filter_empty_gt={empty}, min_size=1),\n    pipeline={_pipeline(base.train)}'
        )
    else:
        own = (
            "own = dict(type='CustomDataset', metainfo=dict(classes=classes), data_root='', with_label=False,\n"
            '           data_prefix=dict(img_path=images))\n'
        )
        leaf = f"**own, ann_file=project + 'pool.txt',\n    pipeline={_pipeline(base.train)}"
    comment, dataset = _repeated(base, numbers, leaf)
    return f'{own}{comment}train_dataloader = {_nested(base.train.keys, dataset)}\n'


def _evaluation(base: BaseConfig) -> str:
    """Every round is evaluated on the test set; trainings are not interrupted to validate."""
    loader, pipeline = base.test_name, _pipeline(base.test)
    delete = '_delete_=True, ' if loader == 'test_dataloader' else ''
    if base.boxes:
        dataset = (
            f"dict(\n    {delete}**own, ann_file=project + 'evaluation/annotations.json', test_mode=True,\n"
            f'    pipeline={pipeline})'
        )
    else:
        dataset = (
            f"dict(\n    {delete}type='mmal.PoolSubset', ann_file=project + 'evaluation/annotations.json',\n"
            f"    dataset=dict(**own, ann_file=project + 'evaluation.txt', test_mode=True,\n"
            f'                 pipeline={pipeline}))'
        )
    start = '' if delete else f'_base_.{loader}, {_replacing(base, "test_dataloader")}'
    text = (
        '# what the curve reports: labeled once, never trained on\n'
        f'test_dataloader = dict({start}dataset={dataset})\n'
    )
    if base.cfg.get('test_cfg') is None:
        text += f'test_cfg = dict({_replacing(base, "test_cfg")})\n'.replace(', )', ')')
    return text + _evaluator(base) + 'val_dataloader = val_cfg = val_evaluator = None\n'


def _evaluator(base: BaseConfig) -> str:
    delete = _replacing(base, 'test_evaluator')
    if base.boxes:
        return (
            f"test_evaluator = dict({delete}type='CocoMetric', metric='bbox',\n"
            "                      ann_file=project + 'evaluation/annotations.json')\n"
        )
    metric = "type='AveragePrecision'" if base.several else "type='Accuracy', topk=(1, )"
    return f'test_evaluator = dict({delete}{metric})\n'


def _replacing(base: BaseConfig, key: str) -> str:
    """What makes a dict replace that of the base; mmengine takes it for an argument if the base has none."""
    return '_delete_=True, ' if key in base.cfg else ''
