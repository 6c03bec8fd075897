"""The question that a round puts to its sampler."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from mmal.annotation.batch import batch_folders
from mmal.annotation.label_store import LabelStore
from mmal.run.costs import cost_model
from mmal.samplers.base import Query

from .context import Round, RunContext
from .costs import expected_query_images
from .stest import open_reference_set


def build_query(run: RunContext, round_: Round) -> Query:
    """The query of a round.

    Args:
        run: The run.
        round_: The round.
    """
    candidates = unlabeled_candidates(run, round_)
    wanted = expected_query_images(run, round_.number, round_.labeled_file)
    paths = round_.state.paths
    trained_on, _ = run.data.read_labeled(round_.labeled_file)
    known = set(trained_on)
    return Query(
        round=round_.number,
        title=round_.title,
        seed=run.settings.seed,
        ids=candidates,
        labeled=round_.pool.labeled,
        held_out=[image_id for image_id in round_.pool.labeled if image_id not in known],
        budget=min(wanted, len(candidates)),
        folder=paths.folder,
        pass_dir=paths.passes,
        images=round_.open_pool,
        labeled_images=lambda: run.data.labeled_dataset(str(round_.labeled_file)),
        adapter=round_.model.adapter,
        batch_size=run.loader_setting('batch_size', 1),
        num_workers=run.loader_setting('num_workers', 0),
        logger=run.log,
        reference_images=_reference_images(run, round_),
        costs=cost_model(run.paths.work_dir, round_.number),
    )


def _reference_images(run: RunContext, round_: Round) -> Callable[[], Any] | None:
    """What opens the reference set, if the run has one."""
    if run.stest is None:
        return None
    reference = run.stest.reference
    return lambda: open_reference_set(reference, run.data, round_.labeled_file, run.paths)


def unlabeled_candidates(run: RunContext, round_: Round) -> list[Hashable]:
    """Unlabeled images that can be read and that no annotator has skipped.

    Args:
        run: The run.
        round_: The round.
    """
    readable = run.unreadable.without(round_.pool.unlabeled)
    skipped = skipped_ids(run)
    if not skipped:
        return readable
    return [image_id for image_id in readable if str(image_id) not in skipped]


def skipped_ids(run: RunContext) -> set[str]:
    """Text of the ids that annotators skipped in the batches so far.

    They are not asked for again.

    Args:
        run: The run.
    """
    skipped: set[str] = set()
    if not run.oracle.is_human:
        return skipped
    for folder in batch_folders(run.paths.work_dir):
        skipped.update(LabelStore.read(folder).skipped)
    return skipped
