"""Whatever would stop a run hours later is looked for before it begins."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from torch import nn

from mmal.adapters.loading import first_item
from mmal.annotation.named_files import find_named_files
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.pool.budget import BudgetUnit
from mmal.run.round_state import RoundState

from .auxiliary_sets import available_auxiliary_sets
from .class_checks import check_dataset_classes, check_metric_classes, check_model_classes
from .context import RunContext
from .first_training import first_epoch_length
from .given_checkpoint import load_given, read_checkpoint, require_readable
from .given_labels import TRAINING_SET
from .pool_overlap import require_pool_apart
from .refitted_model import check_head
from .stest import StestSettings, choose_parameters
from .stopping import InfluenceBelow, StopRule

P = ParamSpec('P')
T = TypeVar('T')


@dataclass
class Findings:
    """What was found before a run begins.

    Attributes:
        sets: The datasets beside the pool, by what they are called; without those whose labels are
            still to come, or that cannot be built.
        problems: What stops the run, an error for each fault.
        notes: What the user should know, one sentence without a full stop each.
        params: The parameters that influence will be restricted to, by name; None if the sampler
            needs none, no image is annotated yet, or there are problems.
    """

    sets: dict[str, Any] = field(default_factory=dict)
    problems: list[InputError | FileNotFoundError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    params: dict[str, nn.Parameter] | None = None

    def of(self, check: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Make a check, and keep the error that it raises.

        Args:
            check: The check.
            *args: Its arguments.
            **kwargs: Its keyword arguments.

        Returns:
            What the check returns; None if it raised an error.
        """
        try:
            return check(*args, **kwargs)
        except (InputError, FileNotFoundError) as e:
            self.problems.append(e)
            return None


def examine(run: RunContext, stop_rules: tuple[StopRule, ...]) -> Findings:
    """Look for all that would keep a run from coming to its end.

    A check goes on where another one failed, unless it rests on what that one was about.

    Args:
        run: The run.
        stop_rules: Reasons to stop before the rounds are over.
    """
    findings = Findings()
    findings.of(_check_pool_size, run)
    findings.of(_check_given, run)
    findings.of(_check_pool_files, run)
    findings.notes += findings.of(check_truth, run) or []
    findings.of(_check_holdout, run)
    findings.of(_check_unit, run)
    findings.of(check_model_classes, run.cfg, run.models.untrained_model(), run.data.classes)
    findings.of(check_dataset_classes, run.cfg, run.data.classes)
    findings.of(check_metric_classes, run.cfg, run.data.classes)
    findings.of(_check_load_from, run)
    findings.of(_check_given_model, run)
    findings.of(_check_reference, run)
    findings.of(_check_sampler, run)
    findings.of(_check_cold_start, run)
    findings.of(check_head, run)
    findings.of(_check_stop_rules, run, stop_rules)
    findings.sets = findings.of(available_auxiliary_sets, run) or {}
    for name, dataset in findings.sets.items():
        findings.notes += findings.of(run.data.check_dataset, dataset, name) or []
    findings.of(run_on_rank_zero, lambda: require_pool_apart(run, findings.sets))
    if findings.problems:
        # What follows reads images and passes them through the model.
        return findings
    findings.of(_check_first_training, run)
    # A refitted layer has other parameters, which are all that it has.
    by_model = run.settings.head is None
    if by_model and run.sampler.needs_s_test and _has_annotated_image(run):
        findings.params = findings.of(influence_parameters, run)
    return findings


def preflight(run: RunContext, stop_rules: tuple[StopRule, ...]) -> dict[str, Any]:
    """Refuse a run that cannot come to its end.

    Args:
        run: The run.
        stop_rules: Reasons to stop before the rounds are over.

    Returns:
        The datasets beside the pool, by what they are called; without those whose labels are still
        to come.

    Raises:
        InputError: If the pool is too small, a file is missing, an image is in the pool and in the
            evaluation set, the sampler lacks its hook, or a parameter pattern matches nothing; if
            nothing can be learned from boxes, a given model does not fit, or ``load_from`` cannot
            be read. It names every fault that was found.
    """
    findings = examine(run, stop_rules)
    for note in findings.notes:
        run.log.warning(f'{note}.')
    if len(findings.problems) == 1:
        raise findings.problems[0]
    if findings.problems:
        texts = dict.fromkeys(str(problem) for problem in findings.problems)
        raise InputError('\n'.join(texts))
    return findings.sets


def _check_pool_size(run: RunContext) -> None:
    n_images = len(run.data.images)
    needed = dict(initial=run.settings.initial, query=run.settings.query_images)
    for name, number in needed.items():
        if n_images < number:
            raise InputError(
                f'The pool has {n_images} images, fewer than train_cfg.{name} = {number}.'
            )


def _nearest_file(run: RunContext, path: str) -> str:
    """The continuation of a sentence about a missing file that names the nearest one; '' if none
    comes near.
    """
    root = run.data.image_root()
    name = os.path.relpath(path, root)
    matches = find_named_files([name], root)
    if name in matches.names:
        return f'; the nearest is {matches.names[name]!r}'
    return matches.near.get(name, '')


def check_truth(run: RunContext) -> list[str]:
    """Look at the boxes of the training set, if anything is learned from them.

    Args:
        run: The run.

    Returns:
        What the user should know, one sentence without a full stop each.

    Raises:
        InputError: If nothing can be learned.
    """
    is_given = run.given is not None and run.given.source == TRAINING_SET
    if run.oracle.is_human and not is_given:
        return []
    return run.data.check_truth()


def _check_pool_files(run: RunContext) -> None:
    n_images = len(run.data.images)
    missing = run.data.missing_files()
    if missing:
        raise InputError(
            f'{len(missing)} of {n_images} image files of the pool do not exist, e.g. '
            f'{missing[0]}{_nearest_file(run, missing[0])}. Check data_root and data_prefix of '
            'train_dataloader.dataset.'
        )


def _check_given(run: RunContext) -> None:
    """Whether labels that exist leave anything to do."""
    n_images = len(run.data.images)
    if run.given is None:
        if run.settings.initial == n_images and run.settings.rounds > 1:
            run.log.warning(
                f'train_cfg.initial takes all {n_images} images of the pool, so that nothing is '
                'left to choose from: one round is trained.'
            )
        return
    if run.cold_start.sampler is not None:
        raise InputError(
            'train_cfg.cold_start chooses the first images, and train_cfg.initial gives labels of '
            'them already. Remove one of the two.'
        )
    n_labeled = len(run.given.ids)
    if n_labeled >= n_images and run.settings.rounds > 1:
        raise InputError(
            f'All {n_images} images of the pool are labeled already ({run.given.source}), so '
            'nothing is left to ask for. Add images without labels to the pool, give labels of a '
            'part of it, or set train_cfg.rounds=1 to train on all of them.'
        )


def _check_holdout(run: RunContext) -> None:
    settings = run.settings
    if settings.holdout >= settings.initial:
        raise InputError(
            f'train_cfg.holdout takes {settings.holdout} of {settings.initial} initial images; '
            'none is left to train on.'
        )


def _check_unit(run: RunContext) -> None:
    if run.settings.unit is BudgetUnit.BOX and not run.data.has_boxes:
        raise InputError("train_cfg.unit='box' is for detection; count in images here.")
    if run.settings.unit is BudgetUnit.SECOND and not run.oracle.is_human:
        raise InputError(
            "train_cfg.unit='second' needs an oracle that is people: a simulated one takes no time."
        )


def _check_load_from(run: RunContext) -> None:
    if run.cfg.get('load_from'):
        require_readable(run.cfg.load_from)


def _check_given_model(run: RunContext) -> None:
    given = run.settings.checkpoint
    if given is None or RoundState(run.paths.work_dir, 0).done('train'):
        return
    # The run's own model stays as it is.
    model = copy.deepcopy(run.models.untrained_model())
    load_given(model, read_checkpoint(given), run.data.classes)


def _check_first_training(run: RunContext) -> None:
    """Whether the first training has anything to learn from, and an end."""
    if run.settings.checkpoint is None and not RoundState(run.paths.work_dir, 0).done('train'):
        first_epoch_length(run)


def _check_reference(run: RunContext) -> None:
    """Whether what the sampler needs for s_test is there."""
    if not run.sampler.needs_s_test:
        return
    stest = require_stest(run)
    if stest.reference == 'holdout' and not run.settings.holdout:
        raise InputError("StestHook(reference='holdout') needs train_cfg.holdout above 0.")
    if stest.reference == 'holdout' and _was_begun_without_holdout(run):
        raise InputError(
            f"StestHook(reference='holdout'): {run.paths.work_dir} was begun for a sampler "
            'that needs no reference set, and holds nothing out. Take reference='
            "'initial' or another one, or start anew in another --work-dir."
        )


def _check_sampler(run: RunContext) -> None:
    run.sampler.check(run.data, run.settings.query_images, run.models.untrained_model())


def _check_cold_start(run: RunContext) -> None:
    sampler = run.cold_start.sampler
    if sampler is None:
        return
    sampler.check(run.data, run.settings.initial, run.models.untrained_model())
    if sampler.needs_s_test:
        raise InputError(
            f'train_cfg.cold_start: {type(sampler).__name__} needs a trained model. Take '
            "one that looks at features, as dict(type='mmal.HerdingSampler', layers=['backbone'])."
        )


def _check_stop_rules(run: RunContext, stop_rules: tuple[StopRule, ...]) -> None:
    asks_for_influence = any(isinstance(rule, InfluenceBelow) for rule in stop_rules)
    if asks_for_influence and not run.sampler.needs_s_test:
        raise InputError(
            f'train_cfg.stop.influence: {type(run.sampler).__name__} gives no influence. Take '
            'mmal.InfluenceSampler, or another reason to stop.'
        )


def _was_begun_without_holdout(run: RunContext) -> bool:
    if not run.paths.initial.exists():
        return False
    held_out, _ = run.data.read_labeled(run.paths.holdout)
    return not held_out


def require_stest(run: RunContext) -> StestSettings:
    """How s_test is computed.

    Args:
        run: The run.

    Raises:
        InputError: If the config has no StestHook.
    """
    if run.stest is None:
        raise InputError(
            f"{type(run.sampler).__name__} needs s_test: add dict(type='mmal.StestHook', "
            'params=[...]) to custom_hooks.'
        )
    return run.stest


def _has_annotated_image(run: RunContext) -> bool:
    return run.data.has_truth or run.paths.initial.exists()


def influence_parameters(run: RunContext) -> dict[str, nn.Parameter]:
    """The parameters that influence will be restricted to. The loss is run on one annotated image.

    Args:
        run: The run.

    Returns:
        The parameters by name.

    Raises:
        InputError: If a pattern matches nothing, or only what is frozen or does not reach the loss;
            or if the model is made for another number of classes.
    """
    # An index beyond the outputs would end in an error of torch.
    check_model_classes(run.cfg, run.models.untrained_model(), run.data.classes)
    labeled_file = None if run.data.has_truth else str(run.paths.initial)
    item = first_item(run.data.labeled_dataset(labeled_file), 'pool')
    return choose_parameters(require_stest(run), run.models.untrained_adapter(), [item])
