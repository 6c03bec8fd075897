"""Copies in a run: what images are made of, and what a query leaves out because of it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from mmal.annotation.records import by_image
from mmal.pool.copies import KnownContents
from mmal.run.copies import Copies, LeftOut, NearCopy
from mmal.run.image_contents import ImageContents

from .context import Round, RunContext
from .query import skipped_ids


def image_contents(run: RunContext) -> ImageContents:
    """Contents of the images of a run's pool.

    Args:
        run: The run.
    """
    data = run.data

    def local_path(image_id: Hashable) -> str:
        if not data.is_local:
            return ''
        return data.image_path(image_id)

    return ImageContents(run.paths.work_dir, local_path, data.pixel_digest)


def paid_contents(run: RunContext, round_: Round) -> KnownContents:
    """Contents of the images that were paid for: labeled, held out or skipped by annotators.

    Args:
        run: The run.
        round_: The round.
    """
    skipped = skipped_ids(run)
    ids = list(round_.pool.labeled)
    if skipped:
        ids += [image_id for image_id in round_.pool.unlabeled if str(image_id) in skipped]
    return KnownContents(image_contents(run), ids)


def copies_of_query(
    run: RunContext,
    known: KnownContents,
    exact: Mapping[Hashable, Hashable],
    near: Sequence[NearCopy],
    selected: Sequence[Hashable],
    worst_score: float,
) -> Copies:
    """What a query left out.

    A near-copy counts if its score is not worse than that of all chosen images: others would not
    have been chosen anyway.

    Args:
        run: The run.
        known: Contents of what was paid for and of what is selected now.
        exact: Id of the original by the id of each exact copy that was passed over.
        near: Near-copies, best first.
        selected: Ids of the selected images.
        worst_score: Highest score of the selected images that are no near-copies.
    """
    chosen = set(selected)
    filled_up = [entry['id'] for entry in near if entry['id'] in chosen]
    left_out = []
    for image_id, original in exact.items():
        left_out.append(LeftOut(id=image_id, of=original, kind='exact', boxes=None))
    for entry in near:
        if entry['id'] in chosen or entry['id'] in exact:
            continue
        if entry['score'] > worst_score:
            continue
        original = known.original_of(entry['id'])
        if original is not None:
            left_out.append(LeftOut(id=entry['id'], of=original, kind='exact', boxes=None))
        else:
            left_out.append(LeftOut(id=entry['id'], of=entry['of'], kind='near', boxes=None))
    if run.data.has_boxes and not run.oracle.is_human:
        _count_boxes(run, left_out)
    return Copies(left_out=left_out, filled_up=filled_up)


def _count_boxes(run: RunContext, left_out: Sequence[LeftOut]) -> None:
    """Note how many boxes a simulated oracle would have revealed."""
    annotations = by_image(run.data.ground_truth([entry['id'] for entry in left_out]))
    for entry in left_out:
        entry['boxes'] = len(annotations.get(entry['id'], ()))
