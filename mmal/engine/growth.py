"""A run that goes on with new images in its pool."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from mmal.adapters import image_loaders
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.run.image_manifest import pool_change
from mmal.run.manifest import Manifest, has_initial_labels
from mmal.run.pool_growth import grow_pool
from mmal.utils.image_files import ImageCheck

from .context import RunContext
from .image_checks import check_pool_images, unreadable_reasons


@dataclass(frozen=True)
class Growth:
    """New images of the pool of a run that goes on.

    Attributes:
        text: What is noted in the history.
        checks: Their checks by id; empty if they were not checked.
    """

    text: str
    checks: Mapping[Any, ImageCheck]


def find_growth(run: RunContext) -> Growth | None:
    """Find and check the images that are new in the pool. Every process calls it.

    Args:
        run: The run.

    Returns:
        None if there are none.

    Raises:
        InputError: If people are labeling the first images, which were drawn from the pool as it
            was.
    """
    change = run_on_rank_zero(lambda: pool_change(run.paths.work_dir, run.data.pool_contents()))
    if not change.added:
        return None
    run_on_rank_zero(lambda: _require_first_labels(run))
    checks: dict[Hashable, ImageCheck] = {}
    if run.settings.check_images:
        ids = {image_id for image_id in run.pool_ids if str(image_id) in change.added_ids}
        checks = check_pool_images(run.data, run.log, ids, image_loaders(run.cfg))
    return Growth(change.text, checks)


def _require_first_labels(run: RunContext) -> None:
    is_asked_for = run.given is None and run.paths.initial_batch.batch.exists()
    if is_asked_for and not has_initial_labels(run.paths.work_dir):
        raise InputError(
            'The pool grew while its first images are being labeled. Put the old pool back, bring '
            'those labels in and go on by --resume; then add the images.'
        )


def take_in(run: RunContext, manifest: Manifest, growth: Growth) -> None:
    """Take new images into the pool of a run. Only rank 0 calls it.

    Args:
        run: The run.
        manifest: Its manifest with the grown pool and a history entry; it is completed and written.
        growth: The images.
    """
    # Images that are in no pool do no harm in the list, if a kill comes next.
    run.unreadable.add(unreadable_reasons(growth.checks))
    identities = {image_id: check.identity for image_id, check in growth.checks.items()}
    manifest['history'][-1]['changes'].append(growth.text)
    grow_pool(run.paths.work_dir, manifest, run.data.pool_contents(), run.pool_ids, identities)
