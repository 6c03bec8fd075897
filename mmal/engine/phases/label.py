"""What a run asks of its oracle, and what it keeps of the answer. Rank 0 does it."""

from __future__ import annotations

from pathlib import Path

from mmal.annotation.batch import Batch, BatchImage, batch_folders
from mmal.annotation.label_store import LabelStore
from mmal.annotation.records import by_image
from mmal.engine.auxiliary_sets import label_with_auxiliary_sets
from mmal.errors import InputError
from mmal.fileio.text import read_json, write_json
from mmal.oracles.base import LabelsPending, OracleResponse, Request
from mmal.pool.cost_model import COSTS_FILE, write_costs
from mmal.pool.order import shuffled
from mmal.pool.score_table import pseudo_boxes_in
from mmal.run.costs import cost_model
from mmal.run.layout import INITIAL
from mmal.run.round_state import RoundState


def batch_for_annotators(data, name: str, ids: list, chosen: list[dict]) -> Batch:
    """A batch of pool images for people.

    Args:
        data: Data side of the task.
        name: Of the batch.
        ids: Of the images, most helpful first.
        chosen: Entries of ``chosen.json``, whose scores and predictions are shown; [] for none.
    """
    known = {entry['id']: entry for entry in chosen}
    images = [
        BatchImage(
            i,
            rank=rank,
            score=known.get(i, {}).get('score'),
            predictions=known.get(i, {}).get('predictions', []),
            **data.file_info(i),
        )
        for rank, i in enumerate(ids)
    ]
    return Batch(
        name, list(data.classes), data.categories, data.image_root(), images, data.several_labels
    )


def label_initial_set(loop, ids: list, held: set) -> None:
    """Have the first images labeled, and the sets beside the pool; write ``holdout.json`` and ``initial.json``.

    Args:
        loop: The :class:`~mmal.engine.active_loop.ActiveLoop`.
        ids: To be labeled.
        held: Those of them that are never trained on.

    Raises:
        LabelsPending: If people are to label them.
        InputError: If too few are labeled to train on, or to hold out, or none to train on shows an object.
    """
    folder, data = loop.work_dir / INITIAL, loop.data
    asked = shuffled(
        ids, loop.seed, 'initial/batch'
    )  # people begin at the top: those held out stand among the others
    answer = label_with_auxiliary_sets(
        loop, Request(asked, folder, lambda: batch_for_annotators(data, INITIAL, asked, []))
    )
    there, known = set(answer.ids), by_image(answer.annotations)
    parts = dict(
        holdout=[i for i in ids if i in there & held], initial=[i for i in ids if i in there - held]
    )
    if not parts['initial'] or (held and not parts['holdout']):
        raise InputError(
            f'{len(parts["initial"])} labeled images to train on and {len(parts["holdout"])} to hold out, '
            'expected at least one of each. Label more of the initial batch.'
        )
    if loop.unit == 'second' and not answer.seconds:
        raise InputError(
            "train_cfg.unit='second': no labeling time came with the labels of the initial batch. Bring "
            "labels that have it (Label Studio's JSON export, or a CSV column `seconds`), or count in "
            'images or boxes.'
        )
    _require_objects(loop, parts, set(known))
    for name, part in parts.items():
        (loop.work_dir / f'{name}.json').unlink(missing_ok=True)  # of an attempt that never began
        if part:
            write_json(
                loop.work_dir / f'{name}.json',
                data.labeled_contents(part, [a for i in part for a in known.get(i, [])]),
                indent=None,
            )
    if loop.oracle.is_human:
        write_costs(
            Path(folder) / COSTS_FILE,
            cost_model(loop.work_dir, 0),
            {},
            _boxes(data, answer),
            answer.seconds,
        )


def _require_objects(loop, parts: dict[str, list], shown: set) -> None:
    """Look for objects in the first images of a detector.

    Args:
        loop: The :class:`~mmal.engine.active_loop.ActiveLoop`.
        parts: Ids of those to hold out and to train on.
        shown: Ids of images with an object.

    Raises:
        InputError: If none to train on shows one.
    """
    if not loop.data.has_boxes:
        return
    if shown.isdisjoint(parts['initial']):
        folder, more = loop.work_dir / INITIAL, 'Raise train_cfg.initial.'
        if loop.oracle.is_human:
            more = (
                f'If one does show one, label it and bring the file in again. Else ask for more: move {folder} '
                'away, raise train_cfg.initial, and call this again with --resume --allow-config-change; what was '
                'exported can be brought in again.'
            )
        raise InputError(
            f'None of the {len(parts["initial"])} first images to train on shows an object, so there is '
            f'nothing to learn. {more}'
        )
    if parts['holdout'] and shown.isdisjoint(parts['holdout']):
        loop.runner.logger.warning(
            f'None of the {len(parts["holdout"])} images held out shows an object: a reference set of background alone '
            'says little of what helps. Raise train_cfg.initial or train_cfg.holdout in a new run.'
        )


def label_selection(loop, folder: RoundState, labeled_file: Path, path: Path) -> None:
    """Have the selected labeled; write what is labeled then, and ``costs.csv``.

    Args:
        loop: The :class:`~mmal.engine.active_loop.ActiveLoop`.
        folder: Of the round.
        labeled_file: What is labeled so far.
        path: Of what is labeled then.

    Raises:
        LabelsPending: If people are to label them.
    """
    data, selected = loop.data, read_json(folder.artifact('select'))
    try:
        answer = loop.oracle.answer(
            Request(
                selected,
                folder.path,
                lambda: batch_for_annotators(
                    data,
                    folder.path.name,
                    selected,
                    read_json(folder.artifact('describe'))['images'],
                ),
            )
        )
    except LabelsPending as e:
        if folder.number < loop.rounds - 1:
            raise
        raise LabelsPending(
            f'{e} This is the last of {loop.rounds} rounds: nothing is trained on these labels unless '
            'train_cfg.rounds is raised, so that they may as well stay undone.'
        ) from None
    ids, annotations = data.read_labeled(labeled_file)
    write_costs(
        folder.path / COSTS_FILE,
        cost_model(loop.work_dir, folder.number),
        _pseudo_boxes(folder, selected),
        _boxes(data, answer),
        answer.seconds,
    )
    write_json(
        path, data.labeled_contents(ids + answer.ids, annotations + answer.annotations), indent=None
    )


def skipped_ids(work_dir: str | Path) -> set[str]:
    """Texts of ids that people skipped in the batches so far; they are not asked for again."""
    return {i for folder in batch_folders(work_dir) for i in LabelStore.read(folder).skipped}


def _boxes(data, answer: OracleResponse) -> dict:
    """True number of boxes by id; one label an image where images have classes."""
    if not data.has_boxes:
        return dict.fromkeys(answer.ids, 1)
    found = by_image(answer.annotations)
    return {i: len(found.get(i, ())) for i in answer.ids}


def _pseudo_boxes(folder: RoundState, selected: list) -> dict:
    """Number of confident predictions by id, of those of the selected that have one."""
    counts = pseudo_boxes_in(folder.artifact('score'))
    return {i: n for i, n in zip(selected, counts, strict=False) if n is not None}
