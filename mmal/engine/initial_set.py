"""The initial labeled set: drawn at random, or chosen by a sampler on what a pretrained model sees,
then labeled; or the labels that existed before the run.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from mmal.annotation.batch import Batch
from mmal.annotation.records import CocoAnnotation, by_image
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.fileio.text import read_json, write_json
from mmal.oracles.base import OracleResponse, Request
from mmal.pool.budget import BudgetUnit
from mmal.pool.copies import KnownContents
from mmal.pool.cost_model import write_costs
from mmal.pool.order import first_shuffled, in_order, shuffled
from mmal.run.costs import cost_model
from mmal.samplers.base import Query, Sampler

from .auxiliary_sets import (
    label_auxiliary_sets,
    label_with_auxiliary_sets,
    unlabeled_batches,
)
from .batches import batch_for_annotators
from .context import RunContext
from .copies import image_contents
from .costs import label_counts
from .image_checks import LOADER_CURE


class InitialSet(NamedTuple):
    """The images that are labeled before there is a model.

    Attributes:
        ids: All of them, in the order in which they were drawn.
        held_out: Those of them that no model is trained on.
    """

    ids: list[Hashable]
    held_out: set[Hashable]


def check_pool_size(run: RunContext) -> None:
    """Refuse a pool with fewer readable images than the run begins with.

    Args:
        run: The run.

    Raises:
        InputError: If there are fewer.
    """
    n_images = len(_readable_ids(run))
    if run.given is None and n_images < run.settings.initial:
        raise InputError(
            f'Only {n_images} images of the pool can be read, fewer than train_cfg.initial = '
            f'{run.settings.initial}; see {run.paths.unreadable}. {LOADER_CURE}'
        )


def choose_initial_set(run: RunContext) -> InitialSet:
    """Choose the initial set, at random or by the run's ``cold_start`` sampler. Every process calls
    it.

    Labels that existed before the run need no choice. What a sampler chose is written to a file, so
    that it need not be chosen again.

    Args:
        run: The run.
    """
    if run.given is not None:
        return run_on_rank_zero(lambda: draw_initial_set(run))
    run.log.info(f'The first images are chosen {run.cold_start.text}.')
    is_known = run_on_rank_zero(lambda: _was_chosen(run))
    if run.cold_start.sampler is None or is_known:
        return run_on_rank_zero(lambda: draw_initial_set(run))
    held_out = run_on_rank_zero(lambda: _draw(run, _readable_ids(run), run.settings.holdout))
    chosen = _choose_by_sampler(run, run.cold_start.sampler, held_out)
    choice = dict(held_out=held_out, chosen=chosen)
    run_on_rank_zero(lambda: write_json(run.paths.first_choice, choice))
    return InitialSet(in_order(held_out + chosen), set(held_out))


def _was_chosen(run: RunContext) -> bool:
    return run.paths.initial_batch.batch.exists() or run.paths.first_choice.exists()


def draw_initial_set(run: RunContext) -> InitialSet:
    """The initial set drawn at random; or the one that a sampler chose, or people were asked for,
    before; or all images whose labels existed before, of which those held out are drawn.

    Of byte-identical images only the first one drawn is in it. Of labels that existed before all
    are, and those of a copy of an image that is held out are held out, too.

    Args:
        run: The run.

    Raises:
        InputError: If a sampler chose the initial set, and the file that names the images is lost;
            or if the pool has too few images that differ.
    """
    settings = run.settings
    if run.given is None:
        drawn = _draw(run, _readable_ids(run), settings.initial)
    else:
        # They are paid for, be they copies or not.
        candidates = run.unreadable.without(run.given.ids)
        drawn = first_shuffled(candidates, settings.seed, 'initial', settings.initial)
    held_out = set(drawn[: settings.holdout])
    if run.given is not None:
        held_out |= _copies_of(run, drawn[: settings.holdout], drawn[settings.holdout :])
    if run.cold_start.sampler is None:
        return InitialSet(drawn, held_out)
    batch = run.paths.initial_batch
    if batch.batch.exists():
        ids = in_order(image.id for image in Batch.read(batch.folder).images)
        return InitialSet(ids, held_out)
    if run.paths.first_choice.exists():
        recorded = read_json(run.paths.first_choice)
        ids = in_order(recorded['held_out'] + recorded['chosen'])
        return InitialSet(ids, set(recorded['held_out']))
    raise InputError(
        f'The first images were chosen by {type(run.cold_start.sampler).__name__} and cannot be '
        f'chosen again here, because {run.paths.first_choice} is lost. Put back a whole copy of '
        'it, or of initial.json and holdout.json, or start anew in another --work-dir.'
    )


def _draw(run: RunContext, candidates: Sequence[Hashable], n: int) -> list[Hashable]:
    """Draw ``n`` images at random, none of which is byte-identical to another.

    Where there are no copies these are the first of the shuffled candidates.
    """
    known = KnownContents(image_contents(run))
    drawn: list[Hashable] = []
    n_shuffled = 0
    while len(drawn) < n and n_shuffled < len(candidates):
        wanted = n_shuffled + n - len(drawn)
        order = first_shuffled(candidates, run.settings.seed, 'initial', wanted)
        drawn += _admitted(order[n_shuffled:], known, n - len(drawn))
        n_shuffled = wanted
    _require_different(run, len(drawn), n)
    return drawn


def _copies_of(
    run: RunContext, originals: Sequence[Hashable], ids: Sequence[Hashable]
) -> set[Hashable]:
    """Those of the images that are byte-identical to one of the originals."""
    known = KnownContents(image_contents(run), originals)
    return {image_id for image_id in ids if known.original_of(image_id) is not None}


def _admitted(ids: Iterable[Hashable], known: KnownContents, n: int) -> list[Hashable]:
    """The first ``n`` images that are byte-identical neither to known ones nor to one another."""
    admitted: list[Hashable] = []
    for image_id in ids:
        if len(admitted) == n:
            break
        if known.admit(image_id) is None:
            admitted.append(image_id)
    return admitted


def _require_different(run: RunContext, found: int, expected: int) -> None:
    """Refuse a pool that has fewer different images than the run begins with."""
    if found < expected:
        raise InputError(
            f'Only {found} images of the pool differ from one another, fewer than '
            f'train_cfg.initial = {run.settings.initial}: the others are byte-identical to them. '
            'Lower train_cfg.initial, or add images.'
        )


def _readable_ids(run: RunContext) -> list[Hashable]:
    return run.unreadable.without(run.pool_ids)


def _choose_by_sampler(
    run: RunContext, sampler: Sampler, held_out: Sequence[Hashable]
) -> list[Hashable]:
    """The images that ``cold_start`` chooses beside those held out, on features of the pretrained
    model.
    """
    seed = run.settings.seed
    budget = run.settings.initial - len(held_out)
    batch = run.paths.initial_batch
    taken = set(held_out)
    query = Query(
        round=0,
        seed=seed,
        ids=[image_id for image_id in _readable_ids(run) if image_id not in taken],
        labeled=[],
        budget=budget,
        folder=batch.folder,
        pass_dir=batch.passes,
        images=cache(run.open_pool),
        labeled_images=_no_labeled_images,
        adapter=cache(run.models.pretrained_adapter),
        batch_size=run.loader_setting('batch_size', 1),
        num_workers=run.loader_setting('num_workers', 0),
        logger=run.log,
    )
    scores = sampler.score(query)

    def choose() -> list[Hashable]:
        known = KnownContents(image_contents(run), held_out)
        chosen = _admitted(scores.ranking(seed, 'ties/initial'), known, budget)
        _require_different(run, len(held_out) + len(chosen), run.settings.initial)
        return chosen

    return run_on_rank_zero(choose)


def _no_labeled_images() -> Any:
    raise RuntimeError('Nothing is labeled before the initial set.')


def label_initial_set(run: RunContext, chosen: InitialSet) -> None:
    """Have the initial set labeled, and the sets beside the pool. Only rank 0 calls it.

    It writes ``holdout.json`` and ``initial.json``.

    Args:
        run: The run.
        chosen: The initial set.

    Raises:
        LabelsPending: If people are to label the images.
        InputError: If too few are labeled to train on, or to hold out, or none to train on shows an
            object.
    """
    response = _find_labels(run, chosen)
    labeled = set(response.ids)
    held_out: list[Hashable] = []
    trained_on: list[Hashable] = []
    for image_id in chosen.ids:
        if image_id in labeled:
            (held_out if image_id in chosen.held_out else trained_on).append(image_id)
    if not trained_on or (chosen.held_out and not held_out):
        raise InputError(
            f'{len(trained_on)} labeled images to train on and {len(held_out)} to hold out, '
            'expected at least one of each. Label more images first.'
        )
    if run.settings.unit is BudgetUnit.SECOND and not response.seconds:
        raise InputError(
            "train_cfg.unit='second': no labeling time came with the labels of the initial batch. "
            'Bring '
            "labels that have it (Label Studio's JSON export, or a CSV column `seconds`), or count "
            'in '
            'images or boxes.'
        )
    annotations = by_image(response.annotations)
    if run.data.has_boxes:
        require_objects(run, trained_on, held_out, annotations)
    for file, ids in ((run.paths.holdout, held_out), (run.paths.initial, trained_on)):
        # Of an attempt that never began.
        file.unlink(missing_ok=True)
        if ids:
            revealed = []
            for image_id in ids:
                revealed += annotations.get(image_id, [])
            write_json(file, run.data.labeled_contents(ids, revealed), indent=None)
    if run.oracle.is_human:
        write_costs(
            run.paths.initial_batch.costs,
            cost_model(run.paths.work_dir, 0),
            {},
            label_counts(run, response),
            response.seconds,
        )


def _ask_oracle(run: RunContext, chosen: InitialSet) -> OracleResponse:
    folder = run.paths.initial_batch.folder
    # People begin at the top: those held out stand among the others.
    ids = shuffled(chosen.ids, run.settings.seed, 'initial/batch')
    request = Request(ids, folder, lambda: batch_for_annotators(run.data, folder.name, ids))
    pending = {}
    if run.oracle.is_human:
        pending = unlabeled_batches(run.cfg, run.sampler.needs_s_test, run.stest)
    return label_with_auxiliary_sets(run.oracle, request, pending)


def _find_labels(run: RunContext, chosen: InitialSet) -> OracleResponse:
    """The labels that existed before, or else the oracle's. With those that existed, people may
    still have to label the sets beside the pool.
    """
    if run.given is None:
        return _ask_oracle(run, chosen)
    if run.oracle.is_human:
        pending = unlabeled_batches(run.cfg, run.sampler.needs_s_test, run.stest)
        label_auxiliary_sets(run.oracle, pending)
    return run.given.response(chosen.ids)


def require_objects(
    run: RunContext,
    trained_on: Collection[Hashable],
    held_out: Collection[Hashable],
    annotations: Mapping[Hashable, list[CocoAnnotation]],
) -> None:
    """Refuse an initial set of a detector without any object to learn. Nothing is learned from
    crowds.

    Args:
        run: The run.
        trained_on: Ids of its images to train on.
        held_out: Ids of its images that are held out.
        annotations: Annotations by image id.

    Raises:
        InputError: If no image to train on shows an object.
    """
    with_objects = set()
    for image_id, boxes in annotations.items():
        if not all(box.get('iscrowd') for box in boxes):
            with_objects.add(image_id)
    if with_objects.isdisjoint(trained_on):
        cure = 'Raise train_cfg.initial.'
        if run.given is not None:
            cure = 'Give labels of more images.'
        elif run.oracle.is_human:
            folder = run.paths.initial_batch.folder
            cure = (
                'If one does show one, label it and bring the file in again. Else ask for more: '
                f'move {folder} '
                'away, raise train_cfg.initial, and call this again with --resume '
                '--allow-config-change; what '
                'was exported can be brought in again.'
            )
        raise InputError(
            f'None of the {len(trained_on)} first images to train on shows an object, so there is '
            'nothing '
            f'to learn. {cure}'
        )
    if held_out and with_objects.isdisjoint(held_out):
        run.log.warning(
            f'None of the {len(held_out)} images held out shows an object: a reference set of '
            'background '
            'alone says little of what helps. Raise train_cfg.initial or train_cfg.holdout in a '
            'new run.'
        )
