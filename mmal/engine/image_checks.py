from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from mmengine import dist

from mmal.distributed.group import Group
from mmal.errors import InputError
from mmal.utils.image_files import FileIdentity, ImageCheck, check_images


def _examined_together(
    paths: Mapping, logger, gather: Callable[[dict], list[dict]]
) -> dict[Any, ImageCheck]:
    """:func:`check_images`; every process checks its share, and gets what ``gather`` gives it of all."""
    share = list(paths)[dist.get_rank() :: dist.get_world_size()]
    own_checks = check_images({i: paths[i] for i in share}, logger) if share else {}
    checks = {}
    for part in gather(own_checks):
        checks.update(part)
    return checks


def check_pool_images(
    data, logger
) -> tuple[dict[Hashable, str], dict[Hashable, FileIdentity | None]]:
    """Decode every image of a pool once, and warn of sizes that are not those of the annotation file.

    Every process calls it.

    Args:
        data: Data side of the task.
        logger: Where progress is said.

    Returns:
        In rank 0, the reason by image id, for those that cannot be read, and what
        :func:`~mmal.utils.image_files.file_identity` says of all. In the others nothing, for a pool may be large.
    """
    paths = {i['id']: data.image_path(i['id']) for i in data.images} if data.is_local else {}
    checks = _examined_together(paths, logger, Group().gather)
    sizes = {i: (c.stored_size, c.loaded_size) for i, c in checks.items() if c.stored_size}
    wrong = data.size_mismatches(sizes)
    if wrong:
        some = '; '.join(
            f'{paths[i]} is said to be {said[0]} x {said[1]}, and is loaded as {found[0]} x {found[1]}'
            for i, (said, found) in list(wrong.items())[:3]
        )
        logger.warning(
            f'{len(wrong)} of {len(paths)} images have another width and height than their annotation file '
            f'says: {some}. If boxes were drawn on the images as they are loaded, this does no harm; else '
            'they lie in wrong places. Images whose EXIF data turn them are loaded turned, unless '
            "LoadImageFromFile has color_type='color_ignore_orientation'."
        )
    reasons = {i: c.reason for i, c in checks.items() if c.reason}
    return reasons, {i: checks[i].identity for i in paths if i in checks}


def identify_readable(sets: Mapping[str, list[str]], logger) -> dict[str, dict]:
    """Decode the images of evaluation and reference sets. Every process calls it.

    Args:
        sets: Files by what a set is called.
        logger: Where progress is said.

    Returns:
        What :func:`~mmal.utils.image_files.file_identity` says of each file, by what its set is called.

    Raises:
        InputError: If an image cannot be decoded.
    """
    return {name: _require_readable(files, name, logger) for name, files in sets.items()}


def _require_readable(paths: list[str], name: str, logger) -> dict:
    checks = _examined_together(
        {path: path for path in dict.fromkeys(paths)}, logger, Group().all_gather
    )
    reasons = {path: c.reason for path, c in checks.items() if c.reason}
    if reasons:
        some = '; '.join(f'{path}: {reason}' for path, reason in list(reasons.items())[:3])
        raise InputError(
            f'{len(reasons)} of {len(paths)} images of the {name} cannot be read: {some}. Repair them or '
            'take them out of its annotation file. If your loader reads files that Pillow does not, set '
            'train_cfg.check_images=False.'
        )
    return {path: checks[path].identity for path in dict.fromkeys(paths)}
