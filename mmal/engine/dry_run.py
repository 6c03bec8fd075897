"""What a run would do, said before it is done: ``al_train.py --dry-run``."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path

from mmengine.runner import Runner
from mmengine.utils import mkdir_or_exist

from mmal.errors import InputError
from mmal.fileio.text import write_json
from mmal.pool.order import shuffled
from mmal.pool.pool import Pool
from mmal.run.annotation_manifest import annotation_digests
from mmal.run.manifest import check
from mmal.utils.config import warmup_iters

from .auxiliary_sets import EVALUATION, REFERENCE, unlabeled_batches
from .preflight import available_auxiliary_sets, chosen_parameters, preflight
from .round_runner import folder_backends, round_cfg

LATER = 'known once the first images are labeled'
TO_COME = 'its labels are still to come'


def dry_run(cfg) -> tuple[str, list[str]]:
    """Build everything a run needs and describe it; nothing is trained, and the work_dir is left alone.

    Returns:
        The plan as text, and the problems in it; a run with a problem would stop.
    """
    work_dir, problems = cfg.work_dir, []

    def attempt(describe: Callable[[], str]) -> str:
        try:
            return describe()
        except (InputError, FileNotFoundError) as e:
            problems.append(str(e))
            return 'see below'

    with tempfile.TemporaryDirectory() as scratch:
        cfg.work_dir = scratch
        if cfg.get('visualizer') is not None:  # visualizers are process-global by name
            cfg.visualizer.name = scratch
            cfg.visualizer.vis_backends = folder_backends(
                cfg.visualizer
            )  # nothing is begun in a tracker
        runner = Runner.from_cfg(cfg)
        loop = runner.train_loop
        lines = [
            ('pool', attempt(lambda: _pool(loop))),
            ('reference set', attempt(lambda: _reference(loop))),
            ('evaluation', attempt(lambda: _evaluation(loop))),
            (
                'sampler',
                f'{type(loop.sampler).__name__}; oracle {loop.oracle_cfg["type"]}; seed {loop.seed}',
            ),
            (
                'rounds',
                f'{loop.rounds}: {loop.initial} images at first, then {loop.query} '
                f'{dict(image="images", box="boxes", second="seconds")[loop.unit]} a round',
            ),
            ('labeled at last', attempt(lambda: _spent(loop))),
            ('parameters', attempt(lambda: _parameters(loop))),
            ('first training', attempt(lambda: _first_training(loop, Path(scratch)))),
            ('input', attempt(lambda: _input(loop))),
            ('work_dir', attempt(lambda: _work_dir(loop, work_dir, cfg.resume))),
        ]
    problems = list(dict.fromkeys(problems))
    text = '\n'.join(f'{name + ":":<17}{value}' for name, value in lines)
    if problems:
        text += '\n\n' + '\n'.join(f'PROBLEM: {p}' for p in problems)
    return '\nThe plan (nothing was trained)\n' + text, problems


def _work_dir(loop, work_dir: str, resume: bool) -> str:
    record = loop.record() | (
        annotation_digests(loop, available_auxiliary_sets(loop)) if resume else {}
    )
    return f'{work_dir} ' + (
        'holds this run; it would go on' if check(work_dir, record, resume) else 'is free'
    )


def _input(loop) -> str:
    preflight(loop)
    return 'complete'


def _pool(loop) -> str:
    data = loop.data
    return f'{len(data.images)} images, {len(data.classes)} classes; {len(data.missing_files())} files missing'


def _reference(loop) -> str:
    if not loop.sampler.needs_s_test:
        return 'none needed'
    hook = loop.stest_hook
    if hook is None:
        return 'none: no StestHook in custom_hooks'
    if isinstance(hook.reference, str) and hook.reference != 'val':
        sizes = dict(
            initial=loop.initial - loop.holdout, holdout=loop.holdout, labeled='all labeled'
        )
        return f'{hook.reference}, {sizes.get(hook.reference, "unknown")} images'
    if loop.oracle.is_human and REFERENCE in unlabeled_batches(loop):
        return TO_COME
    name = 'val' if hook.reference == 'val' else 'a dataset of its own'
    return f'{name}, {len(loop.data.reference_dataset(hook.reference))} images'


def _evaluation(loop) -> str:
    if all(loop.runner.cfg.get(f'{name}_dataloader') is None for name in ('test', 'val')):
        return 'none: the config has neither test_dataloader nor val_dataloader'
    found = available_auxiliary_sets(loop).get(EVALUATION)
    return TO_COME if found is None else f'{len(found)} images'


def _spent(loop) -> str:
    n = len(loop.data.images)
    if loop.unit != 'image':
        unit = 'boxes' if loop.unit == 'box' else 'seconds'
        return f'{loop.initial} images and at least {loop.rounds * loop.query} {unit}, or the whole pool of {n}'
    return f'{min(n, loop.initial + loop.rounds * loop.query)} of {n} images'


def _parameters(loop) -> str:
    if not loop.sampler.needs_s_test or loop.stest_hook is None:
        return 'none needed'
    if not loop.data.has_truth:
        return LATER
    params = chosen_parameters(loop)
    return f'{sum(p.numel() for p in params.values())} values in {", ".join(params)}'


def _first_training(loop, scratch: Path) -> str:
    """Iterations of round 0, with its own dataset, filters and batch sampler."""
    data, known = loop.data, loop.data.has_truth and not loop.oracle.is_human
    first = shuffled(Pool([i['id'] for i in data.images]).ids, loop.seed, 'initial')[
        loop.holdout : loop.initial
    ]
    mkdir_or_exist(scratch)
    write_json(
        scratch / 'first.json',
        data.labeled_contents(
            first, data.ground_truth(first) if known else _placeholder_labels(data, first)
        ),
    )
    cfg = round_cfg(loop.runner.cfg, 'plan', scratch, 0, loop.seed, dict(loop.inner))
    data.set_training_set(cfg, scratch / 'first.json')
    loader = dict(cfg.train_dataloader, num_workers=0, persistent_workers=False)
    loader.pop('prefetch_factor', None)
    epoch = len(Runner.build_dataloader(loader, seed=loop.seed))
    about = '' if known else 'about '
    if 'max_iters' in loop.inner:
        n = loop.inner['max_iters']
        return f'{n} iterations, {about}{math.ceil(n / epoch)} epochs' + _warmup_note(loop, n)
    n = loop.inner['max_epochs'] * epoch
    return f'{about}{n} iterations ({loop.inner["max_epochs"]} epochs of {epoch})' + _warmup_note(
        loop, n
    )


def _placeholder_labels(data, ids: list) -> list[dict]:
    """Labels for images that people are still to label: enough to count iterations by."""
    if not data.has_boxes:
        return [dict(id=i, label=[0] if data.several_labels else 0) for i in ids]
    sizes, category = {i: data.file_info(i) for i in ids}, data.categories[0]['id']
    return [
        dict(
            image_id=i,
            category_id=category,
            bbox=[0, 0, size['width'], size['height']],
            area=size['width'] * size['height'],
            iscrowd=0,
        )
        for i, size in sizes.items()
    ]


def _warmup_note(loop, iterations: int) -> str:
    """A note if the learning rate is kept low for more than half of a training."""
    low = warmup_iters(loop.runner.cfg.get('param_scheduler'))
    if 2 * low <= iterations:
        return ''
    more = (
        "go through the images several times an epoch, train_dataloader.dataset=dict(type='RepeatDataset', "
        'times=..., dataset=...)'
        if 'max_epochs' in loop.inner
        else 'raise train_cfg.max_iters'
    )
    return (
        f'\nNOTE: the warm-up in param_scheduler takes {low} iterations, more than half of the first training, '
        f'which will hardly learn. Raise train_cfg.initial, {more}, or end the warm-up earlier.'
    )
