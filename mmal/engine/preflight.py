from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from weakref import WeakKeyDictionary

from mmengine.model import is_model_wrapper

from mmal.adapters import build_model_adapter
from mmal.adapters.loading import first_item
from mmal.annotation.batch import FOLDER, NAME
from mmal.errors import InputError

from .auxiliary_sets import EVALUATION, REFERENCE, unlabeled_batches, uses_separate_reference

_CHOSEN: WeakKeyDictionary = WeakKeyDictionary()


def check_arguments(numbers: dict, unit: str, on_corruption: str, holdout: float | None) -> None:
    """Look at arguments of an :class:`~mmal.engine.active_loop.ActiveLoop` that can be judged by themselves.

    Raises:
        InputError: If a number is not positive, a word unknown or the share out of range.
    """
    for name, value in numbers.items():
        if not isinstance(value, int) or value < 1:
            raise InputError(
                f'train_cfg.{name}: expected a whole number of at least 1, got {value!r}.'
            )
    if unit not in ('image', 'box', 'second'):
        raise InputError(f"train_cfg.unit: expected 'image', 'box' or 'second', got {unit!r}.")
    if on_corruption not in ('refuse', 'restore'):
        raise InputError(
            f"train_cfg.on_corruption: expected 'refuse' or 'restore', got {on_corruption!r}."
        )
    if holdout is not None and not 0 <= holdout < 1:
        raise InputError(f'train_cfg.holdout: expected a share from 0 to below 1, got {holdout!r}.')


def preflight(loop) -> dict:
    """Look for whatever would stop an :class:`~mmal.engine.active_loop.ActiveLoop` hours later.

    Returns:
        The datasets beside the pool, as :func:`ready_sets` gives them.

    Raises:
        InputError: If the pool is too small, a file is missing, the sampler lacks its hook or a parameter pattern
            matches nothing.
    """
    n = len(loop.data.images)
    for name, need in (
        ('initial', loop.initial),
        ('query', loop.query if loop.unit == 'image' else 1),
    ):
        if n < need:
            raise InputError(f'The pool has {n} images, fewer than train_cfg.{name} = {need}.')
    missing = loop.data.missing_files()
    if missing:
        raise InputError(
            f'{len(missing)} of {n} image files of the pool do not exist, e.g. {missing[0]}. '
            'Check data_root and data_prefix of train_dataloader.dataset.'
        )
    if loop.holdout >= loop.initial:
        raise InputError(
            f'train_cfg.holdout takes {loop.holdout} of {loop.initial} initial images; none is left to '
            'train on.'
        )
    if loop.unit == 'box' and not loop.data.has_boxes:
        raise InputError("train_cfg.unit='box' is for detection; count in images here.")
    if loop.sampler.needs_s_test:
        _check_hook(loop)
    if hasattr(loop.sampler, 'check'):
        model = loop.runner.model
        model = model.module if is_model_wrapper(model) else model
        loop.sampler.check(loop.data, loop.query if loop.unit == 'image' else 1, model)
    if loop.unit == 'second' and not loop.oracle.is_human:
        raise InputError(
            "train_cfg.unit='second' needs an oracle that is people: a simulated one takes no time."
        )
    if loop.cold_start is not None and loop.cold_start.needs_s_test:
        raise InputError(
            f'train_cfg.cold_start: {type(loop.cold_start).__name__} needs a trained model. Take one that '
            "looks at features, as dict(type='mmal.CoresetSampler', layers=['backbone'])."
        )
    if loop.stop.influence is not None and not loop.sampler.needs_s_test:
        raise InputError(
            f'train_cfg.stop.influence: {type(loop.sampler).__name__} gives no influence. Take '
            'mmal.InfluenceSampler, or another reason to stop.'
        )
    sets = available_auxiliary_sets(loop)
    for name, dataset in sets.items():
        loop.data.check_dataset(dataset, name)
    if loop.sampler.needs_s_test and (
        loop.data.has_truth or (loop.work_dir / 'initial.json').exists()
    ):
        chosen_parameters(loop)
    return sets


def available_auxiliary_sets(loop) -> dict:
    """:func:`other_sets`; while people label the first images, without those whose labels are still to come."""
    if not loop.oracle.is_human or (loop.work_dir / 'initial.json').exists():
        return build_auxiliary_sets(loop)
    try:
        return build_auxiliary_sets(loop, unlabeled_batches(loop))
    except InputError as e:
        loop.runner.logger.warning(f'{e} It is needed as soon as the first images are labeled.')
        return {}


def build_auxiliary_sets(loop, but: Container[str] = ()) -> dict:
    """The datasets beside the pool, by what they are called: the evaluation set and, if not of the run, the reference.

    Args:
        loop: The :class:`~mmal.engine.active_loop.ActiveLoop`.
        but: Names of sets that are not built. Defaults to none.

    Raises:
        InputError: If one lacks a file it is made from.
    """
    sets, cfg = {}, loop.runner.cfg
    if uses_separate_reference(loop) and REFERENCE not in but:
        sets[REFERENCE] = loop.data.reference_dataset(loop.stest_hook.reference)
    if EVALUATION in but:
        return sets
    try:  # builds the evaluation set and its evaluator, which may lack a file
        evaluation = (
            loop.runner.test_loop
            if cfg.get('test_dataloader') is not None
            else loop.runner.val_loop
        )
    except FileNotFoundError as e:
        raise InputError(
            f'Evaluation: file not found: {e.filename or e}.{_unlabeled(e.filename)}'
        ) from None
    if evaluation is not None:
        sets[EVALUATION] = evaluation.dataloader.dataset
    return sets


def _check_hook(loop) -> None:
    if loop.stest_hook is None:
        raise InputError(
            f"{type(loop.sampler).__name__} needs s_test: add dict(type='mmal.StestHook', params=[...]) "
            'to custom_hooks.'
        )
    hook = loop.stest_hook
    if hook.reference == 'holdout' and not loop.holdout:
        raise InputError("StestHook(reference='holdout') needs train_cfg.holdout above 0.")


def chosen_parameters(loop) -> dict:
    """Parameters that influence will be restricted to; runs the loss on one annotated image, once."""
    if loop not in _CHOSEN:
        task = build_model_adapter(loop.runner.model, loop.runner.cfg)
        labeled = None if loop.data.has_truth else str(loop.work_dir / 'initial.json')
        _CHOSEN[loop] = loop.stest_hook.select(
            task, [first_item(loop.data.labeled_dataset(labeled), 'pool')]
        )
    return _CHOSEN[loop]


def _unlabeled(file: str | None) -> str:
    """What to do if the labels of the batch beside a missing file are still to come; '' if there is none."""
    folder = Path(file or '').parent
    if not (folder / FOLDER / NAME).exists():
        return ''
    return f' Label {folder}/{FOLDER} and bring the labels in by `python tools/al_labels.py {folder} FILE`.'
