"""Decode every image once before anything is trained on it or ranks it, with all processes."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from logging import Logger
from typing import TYPE_CHECKING, Any, TypeVar

from mmengine import dist

from mmal.distributed.group import Group
from mmal.errors import InputError
from mmal.utils.image_files import FileIdentity, ImageCheck, check_images
from mmal.utils.image_loading import ImageLoader
from mmal.utils.shown_names import shown_names

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter

ImageId = TypeVar('ImageId', bound=Hashable)

LOADER_CURE = (
    'Convert them to JPEG or PNG of 8 bits, or set color_type or imdecode_backend of '
    'LoadImageFromFile in all pipelines to what reads them. train_cfg.check_images=False begins '
    'without this check.'
)
"""What helps where a loader does not read what another program does."""
_MAX_NAMES = 3


def check_pool_images(
    data: DataAdapter,
    log: Logger,
    only: Container[Hashable] | None = None,
    loaders: Sequence[ImageLoader] = (),
) -> dict[Hashable, ImageCheck]:
    """Decode every image of a pool once, and warn of what is unusual, and of sizes that are not
    those of the annotation file.

    Every process calls it.

    Args:
        data: Data side of the task.
        log: Receives progress and the warnings.
        only: Ids of the images to check. Defaults to None: all.
        loaders: Loading steps of the pipelines, which decide of unusual files. Defaults to none.

    Returns:
        In rank 0 the check of every image by its id. Empty in the other processes, because a pool
        may be large, and where the files are not local.
    """
    paths = {}
    if data.is_local:
        for image in data.images:
            if only is None or image['id'] in only:
                paths[image['id']] = data.image_path(image['id'])
    checks = _check_together(paths, log, Group().gather, loaders)
    for message in note_messages('pool', paths, checks):
        log.warning(message)
    sizes = {}
    for image_id, check in checks.items():
        if check.stored_size is not None and check.loaded_size is not None:
            sizes[image_id] = (check.stored_size, check.loaded_size)
    mismatches = data.size_mismatches(sizes)
    if mismatches:
        log.warning(_mismatch_message(mismatches, paths))
    return {image_id: checks[image_id] for image_id in paths if image_id in checks}


def identify_images(
    sets: Mapping[str, list[str]], log: Logger, loaders: Sequence[ImageLoader] = ()
) -> dict[str, dict[str, FileIdentity | None]]:
    """Decode the images of evaluation and reference sets. Every process calls it.

    Args:
        sets: Image files by what a set is called.
        log: Receives progress and warnings of what is unusual.
        loaders: Loading steps of the pipelines, which decide of unusual files. Defaults to none.

    Returns:
        Size, time and checksum by file, by what its set is called.

    Raises:
        InputError: If an image cannot be decoded.
    """
    identities = {}
    for name, files in sets.items():
        identities[name] = _identify_readable(files, name, log, loaders)
    return identities


def _identify_readable(
    files: list[str], name: str, log: Logger, loaders: Sequence[ImageLoader]
) -> dict[str, FileIdentity | None]:
    unique = list(dict.fromkeys(files))
    paths = {file: file for file in unique}
    checks = _check_together(paths, log, Group().all_gather, loaders)
    reasons = unreadable_reasons(checks)
    if reasons:
        shown = [f'{file}: {reason}' for file, reason in list(reasons.items())[:_MAX_NAMES]]
        raise InputError(
            f'{len(reasons)} of {len(files)} images of the {name} cannot be read: '
            f'{"; ".join(shown)}. Repair them, or take them out of its annotation file. '
            f'{LOADER_CURE}'
        )
    for message in note_messages(name, paths, checks):
        log.warning(message)
    return {file: checks[file].identity for file in unique}


def require_most_readable(checks: Mapping[ImageId, ImageCheck]) -> None:
    """Refuse a pool of which most images cannot be read: the fault is not theirs.

    Args:
        checks: Checks of the images of a pool by id.

    Raises:
        InputError: If more than half of them cannot be read.
    """
    reasons = unreadable_reasons(checks)
    if 2 * len(reasons) <= len(checks):
        return
    shown = [f'{image_id}: {reason}' for image_id, reason in list(reasons.items())[:_MAX_NAMES]]
    raise InputError(
        f'{len(reasons)} of {len(checks)} images of the pool cannot be read: {"; ".join(shown)}. '
        f'{LOADER_CURE}'
    )


def note_messages(
    name: str, paths: Mapping[ImageId, str], checks: Mapping[ImageId, ImageCheck]
) -> list[str]:
    """Say what is unusual in images that can be used.

    Args:
        name: What their set is called.
        paths: Image files by id.
        checks: Their checks by id.

    Returns:
        A sentence for each thing, with the first names.
    """
    files: dict[str, list[str]] = {}
    for image_id, check in checks.items():
        for note in check.notes:
            files.setdefault(note, []).append(paths[image_id])
    messages = []
    for note, names in files.items():
        messages.append(
            f'{len(names)} of {len(paths)} images of the {name} {note}: {shown_names(names)}.'
        )
    return messages


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
    loaders: Sequence[ImageLoader],
) -> dict[ImageId, ImageCheck]:
    """Check images, each process its share. Each gets what ``gather`` gives it of all."""
    own_ids = list(paths)[dist.get_rank() :: dist.get_world_size()]
    own_checks = {}
    if own_ids:
        own_paths = {image_id: paths[image_id] for image_id in own_ids}
        own_checks = check_images(own_paths, log, loaders)
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
