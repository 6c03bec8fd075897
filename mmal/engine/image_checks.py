"""Decode every image once before anything is trained on it or ranks it, with all processes."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Mapping
from logging import Logger
from typing import TYPE_CHECKING, Any, TypeVar

from mmengine import dist

from mmal.distributed.group import Group
from mmal.errors import InputError
from mmal.utils.image_files import FileIdentity, ImageCheck, check_images

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter

ImageId = TypeVar('ImageId', bound=Hashable)

_MAX_NAMES = 3


def check_pool_images(
    data: DataAdapter, log: Logger, only: Container[Hashable] | None = None
) -> dict[Hashable, ImageCheck]:
    """Decode every image of a pool once, and warn of sizes that are not those of the annotation
    file.

    Every process calls it.

    Args:
        data: Data side of the task.
        log: Receives progress and the warning.
        only: Ids of the images to check. Defaults to None: all.

    Returns:
        In rank 0 the check of every image by its id. Empty in the other processes, because a pool
        may be large, and where the files are not local.
    """
    paths = {}
    if data.is_local:
        for image in data.images:
            if only is None or image['id'] in only:
                paths[image['id']] = data.image_path(image['id'])
    checks = _check_together(paths, log, Group().gather)
    sizes = {}
    for image_id, check in checks.items():
        if check.stored_size is not None and check.loaded_size is not None:
            sizes[image_id] = (check.stored_size, check.loaded_size)
    mismatches = data.size_mismatches(sizes)
    if mismatches:
        log.warning(_mismatch_message(mismatches, paths))
    return {image_id: checks[image_id] for image_id in paths if image_id in checks}


def identify_images(
    sets: Mapping[str, list[str]], log: Logger
) -> dict[str, dict[str, FileIdentity | None]]:
    """Decode the images of evaluation and reference sets. Every process calls it.

    Args:
        sets: Image files by what a set is called.
        log: Receives progress.

    Returns:
        Size, time and checksum by file, by what its set is called.

    Raises:
        InputError: If an image cannot be decoded.
    """
    identities = {}
    for name, files in sets.items():
        identities[name] = _identify_readable(files, name, log)
    return identities


def _identify_readable(files: list[str], name: str, log: Logger) -> dict[str, FileIdentity | None]:
    unique = list(dict.fromkeys(files))
    checks = _check_together({file: file for file in unique}, log, Group().all_gather)
    reasons = unreadable_reasons(checks)
    if reasons:
        shown = [f'{file}: {reason}' for file, reason in list(reasons.items())[:_MAX_NAMES]]
        raise InputError(
            f'{len(reasons)} of {len(files)} images of the {name} cannot be read: '
            f'{"; ".join(shown)}. Repair them or take them out of its annotation file. If your '
            'loader reads files that Pillow does not, set train_cfg.check_images=False.'
        )
    return {file: checks[file].identity for file in unique}


def unreadable_reasons(checks: Mapping[ImageId, ImageCheck]) -> dict[ImageId, str]:
    """Why images cannot be decoded, by their id; only those that cannot.

    Args:
        checks: Checks of images by id.
    """
    return {image_id: check.reason for image_id, check in checks.items() if check.reason}


def _check_together(
    paths: Mapping[ImageId, str],
    log: Logger,
    gather: Callable[[dict[ImageId, ImageCheck]], list[dict[ImageId, ImageCheck]]],
) -> dict[ImageId, ImageCheck]:
    """Check images, each process its share. Each gets what ``gather`` gives it of all."""
    own_ids = list(paths)[dist.get_rank() :: dist.get_world_size()]
    own_checks = {}
    if own_ids:
        own_checks = check_images({image_id: paths[image_id] for image_id in own_ids}, log)
    checks: dict[ImageId, ImageCheck] = {}
    for part in gather(own_checks):
        checks.update(part)
    return checks


def _mismatch_message(mismatches: Mapping[Hashable, Any], paths: Mapping[Hashable, str]) -> str:
    examples = []
    for image_id, (annotated, loaded) in list(mismatches.items())[:_MAX_NAMES]:
        examples.append(
            f'{paths[image_id]} is said to be {annotated[0]} x {annotated[1]}, and is loaded as '
            f'{loaded[0]} x {loaded[1]}'
        )
    return (
        f'{len(mismatches)} of {len(paths)} images have another width and height than their '
        f'annotation file says: {"; ".join(examples)}. If boxes were drawn on the images as they '
        'are loaded, this does no harm; else they lie in wrong places. Images whose EXIF data turn '
        'them are loaded turned, unless LoadImageFromFile has '
        "color_type='color_ignore_orientation'."
    )
