"""Which images are labeled before there is a model: at random, or by a sampler on what a pretrained model sees."""

from __future__ import annotations

import copy
from functools import cache

from mmengine.runner import load_checkpoint
from torch import nn

from mmal.adapters import build_model_adapter
from mmal.annotation.batch import FOLDER, NAME, Batch
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.pool.order import first_shuffled, in_order
from mmal.run.layout import INITIAL, PASSES
from mmal.samplers.base import Query
from mmal.utils.rng import seeded_rng


def check_pool_size(loop) -> None:
    """InputError if fewer images can be read than the run begins with."""
    n = len(_candidates(loop))
    if n < loop.initial:
        raise InputError(
            f'Only {n} images of the pool can be read, fewer than train_cfg.initial = {loop.initial}; see '
            f'{loop.work_dir}/unreadable.json. If your loader reads files that Pillow does not, set '
            'train_cfg.check_images=False.'
        )


def first_images(loop) -> tuple[list, set]:
    """The first images, and those of them that are held out. Every process calls it.

    Args:
        loop: The :class:`~mmal.engine.active_loop.ActiveLoop`.
    """
    asked = run_on_rank_zero(lambda: (loop.work_dir / INITIAL / FOLDER / NAME).exists())
    if loop.cold_start is None or asked:
        return run_on_rank_zero(lambda: draw_initial_set(loop))
    held = first_shuffled(_candidates(loop), loop.seed, 'initial', loop.holdout)
    return in_order(held + _by_sampler(loop, set(held))), set(held)


def draw_initial_set(loop) -> tuple[list, set]:
    """The same, of images drawn at random, or of a batch that people were asked for already.

    Raises:
        InputError: If a sampler chose the first images, and it is not on record which.
    """
    first = first_shuffled(_candidates(loop), loop.seed, 'initial', loop.initial)
    held = set(first[: loop.holdout])
    if loop.cold_start is not None:
        if (loop.work_dir / INITIAL / FOLDER / NAME).exists():
            return in_order(image.id for image in Batch.read(loop.work_dir / INITIAL).images), held
        raise InputError(
            'The first images were chosen by train_cfg.cold_start and cannot be chosen again here. Put '
            'back a whole copy of initial.json and holdout.json, or start anew in another --work-dir.'
        )
    return first, held


def _candidates(loop) -> list:
    return loop.unreadable.without([i['id'] for i in loop.data.images])


def _by_sampler(loop, held: set) -> list:
    """The images that ``cold_start`` chooses beside those held out, on features of the pretrained model."""
    runner, budget = loop.runner, loop.initial - len(held)
    ids = [i for i in _candidates(loop) if i not in held]
    loader = runner.cfg.get('val_dataloader') or runner.cfg.train_dataloader
    folder = loop.work_dir / INITIAL
    query = Query(
        0,
        loop.seed,
        ids,
        [],
        budget,
        folder,
        folder / PASSES,
        cache(loop.pool_images),
        lambda: None,
        cache(lambda: build_model_adapter(pretrained(loop), runner.cfg)),
        loader.get('batch_size', 1),
        loader.get('num_workers', 0),
        runner.logger,
    )
    scores = loop.cold_start.score(query)
    return run_on_rank_zero(lambda: scores.ranking(loop.seed, 'ties/initial')[:budget])


def pretrained(loop) -> nn.Module:
    """The config's model as it is before any training, the same at every start.

    The Runner's own has another seed at each start if the config names none, and with it other weights where it is not
    pretrained.
    """
    cfg = copy.deepcopy(loop.runner.cfg)
    if cfg.get('data_preprocessor') is not None:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)  # as the Runner does
    with seeded_rng(loop.seed):
        model = loop.runner.build_model(cfg.model)
        if hasattr(model, 'init_weights'):
            model.init_weights()
    if cfg.get('load_from'):
        load_checkpoint(model, cfg.load_from, map_location='cpu')
    return model.to(next(loop.runner.model.parameters()).device)
