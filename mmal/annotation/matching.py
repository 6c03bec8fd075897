"""Find the image of a batch that a file means."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from .batch import Batch, BatchImage
from .parsed import ParsedImage, short_repr

OTHER_BATCH = (
    "If it belongs to another batch, import the file into that batch's folder; else remove it."
)
"""What to do about an image that is not in the batch."""
UPLOAD_PREFIX = re.compile(r'[0-9a-f]{8}-')
"""What Label Studio puts before the name of an uploaded file."""


class ImageNotFoundError(LookupError):
    """The image that a file means is not in the batch, or cannot be told.

    The text says why and what to do.
    """


def find_image(batch: Batch, parsed: ParsedImage) -> BatchImage:
    """The image that a file means, by its name, its id or its address.

    Tools renumber ids and drop folders of names. So a name comes first, and the end of a name is
    enough if it fits one image alone.

    Args:
        batch: The batch that the file is imported into.
        parsed: What the file says about the image.

    Raises:
        ImageNotFoundError: If there is no such image, or name and id disagree.
    """
    if parsed.file_name is not None:
        return _find_by_name(batch, parsed)
    if parsed.image_id is None:
        return _find_by_address(batch, parsed.address)
    image = batch.image_by_id.get(str(parsed.image_id))
    if image is None:
        raise ImageNotFoundError(
            f'image id {short_repr(parsed.image_id)} is not in batch {batch.name}. {OTHER_BATCH}'
        )
    return image


def _find_by_name(batch: Batch, parsed: ParsedImage) -> BatchImage:
    name = parsed.file_name
    if not isinstance(name, str):
        raise ImageNotFoundError(f'file_name: expected text, found {short_repr(name)}.')
    image = batch.image_by_name.get(name)
    if image is None:
        _check_relative(batch, name)
        image = _find_by_end_of_name(batch, name)
    if image is None:
        raise ImageNotFoundError(f'{short_repr(name)} is not in batch {batch.name}. {OTHER_BATCH}')
    if parsed.image_id is not None and batch.image_by_id.get(str(parsed.image_id)) is not image:
        raise ImageNotFoundError(
            f'{name!r} comes with id {short_repr(parsed.image_id)}, but has id {image.id!r} in '
            f'batch {batch.name}. Name and id must agree: export again.'
        )
    return image


def _check_relative(batch: Batch, name: str) -> None:
    """Refuse names that lead out of the images' folder."""
    path = PurePosixPath(name.replace('\\', '/'))
    has_drive = len(name) > 1 and name[1] == ':'
    if '..' in path.parts:
        fault = 'has ".." in it'
    elif path.is_absolute() or has_drive:
        fault = 'is an absolute name'
    else:
        return
    raise ImageNotFoundError(
        f'{short_repr(name)} {fault}. Expected a name as in {batch.name}/to_label, below the '
        "images' folder."
    )


def _find_by_end_of_name(batch: Batch, name: str) -> BatchImage | None:
    """The one image whose name ends with this name; tools drop folders."""
    parts = PurePosixPath(name).parts
    if not parts:
        return None
    images = [
        image
        for image in batch.images
        if PurePosixPath(image.file_name).parts[-len(parts) :] == parts
    ]
    if len(images) != 1:
        return None
    return images[0]


def _find_by_address(batch: Batch, address: str | None) -> BatchImage:
    """The one image that a task made from a photo alone can be about."""
    images = [] if address is None else _images_at(batch, address)
    if len(images) == 1:
        return images[0]
    fit = ''
    if address is not None:
        fit = (
            f', and its address {short_repr(address)} fits {len(images)} images of batch '
            f'{batch.name}'
        )
    raise ImageNotFoundError(
        'was not made from to_label/label_studio.json: it has neither image_id nor file_name'
        f'{fit}. Import to_label/label_studio.json into a project as tasks, and label those.'
    )


def _images_at(batch: Batch, address: str) -> list[BatchImage]:
    """Images that may lie at an address.

    If a folder in the address has the name of the batch's root, they are those below it. Otherwise
    they are those with the longest name that the address ends with. If it ends with none, they are
    those that may have been uploaded under the name.
    """
    path = _path_of(address)
    fitting = []
    for image in batch.images:
        n_parts = len(PurePosixPath(image.file_name).parts)
        if path[-n_parts:] == PurePosixPath(image.file_name).parts:
            fitting.append((image, n_parts))
    root = PurePosixPath(batch.root).name
    if root in path:
        return [image for image, n in fitting if path[-n - 1 : -n] == (root,)]
    if fitting:
        longest = max(n for _, n in fitting)
        return [image for image, n in fitting if n == longest]
    if path and UPLOAD_PREFIX.match(path[-1]):
        uploaded = _sanitize(UPLOAD_PREFIX.sub('', path[-1], count=1))
        return [image for image in batch.images if _sanitized_name(image) == uploaded]
    return []


def _path_of(address: str) -> tuple[str, ...]:
    """Parts of the path in an address; Label Studio's local files have it in the query ``d``."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ()
    local_files = parse_qs(parts.query).get('d')
    path = local_files[0] if local_files else unquote(parts.path)
    return PurePosixPath(path).parts


def _sanitized_name(image: BatchImage) -> str:
    return _sanitize(PurePosixPath(image.file_name).name)


def _sanitize(name: str) -> str:
    """A file's name as a web server keeps it: spaces as underscores, odd characters left out."""
    return re.sub(r'[^-\w.]', '', name.strip().replace(' ', '_'))
