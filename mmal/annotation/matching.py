"""Which image of a batch a file means."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from .parsed import ParsedImage, short_repr

if TYPE_CHECKING:
    from .batch import Batch, BatchImage
OTHER_BATCH = (
    "If it belongs to another batch, import the file into that batch's folder; else remove it."
)
UPLOADED = re.compile(r'[0-9a-f]{8}-')
"""What Label Studio puts before the name of a file that is uploaded."""


def image_of(batch: Batch, answer: ParsedImage) -> tuple[BatchImage | None, str | None]:
    """The image an answer is about, or why there is none."""
    name = answer.file_name
    if name is None and answer.image_id is None:
        return _by_address(batch, answer.address)
    by_id = None if answer.image_id is None else batch.by_text.get(str(answer.image_id))
    if name is None:
        if by_id is None:
            return (
                None,
                f'image id {short_repr(answer.image_id)} is not in batch {batch.name}. {OTHER_BATCH}',
            )
        return by_id, None
    if not isinstance(name, str):
        return None, f'file_name: expected text, found {short_repr(name)}.'
    by_name = batch.by_name.get(name)
    if by_name is None and (strange := _strange(name)):
        return None, (
            f"{short_repr(name)} {strange}. Expected a name as in {batch.name}/to_label, below the images' "
            'folder.'
        )
    by_name = by_name or _by_tail(batch, name)
    if by_name is None:
        return None, f'{short_repr(name)} is not in batch {batch.name}. {OTHER_BATCH}'
    if answer.image_id is not None and by_id is not by_name:
        return None, (
            f'{name!r} comes with id {short_repr(answer.image_id)}, but has id {by_name.id!r} in batch '
            f'{batch.name}. Name and id must agree: export again.'
        )
    return by_name, None


def _strange(name: str) -> str | None:
    path = PurePosixPath(name.replace('\\', '/'))
    if '..' in path.parts:
        return 'has ".." in it'
    return (
        'is an absolute name' if path.is_absolute() or (len(name) > 1 and name[1] == ':') else None
    )


def _by_tail(batch: Batch, name: str) -> BatchImage | None:
    """The one image whose name ends with this name; tools drop folders."""
    parts = PurePosixPath(name).parts
    found = [
        i
        for i in batch.images
        if parts and PurePosixPath(i.file_name).parts[-len(parts) :] == parts
    ]
    return found[0] if len(found) == 1 else None


def _by_address(batch: Batch, address: str | None) -> tuple[BatchImage | None, str | None]:
    """The one image that a task of photos by themselves can be about."""
    found = [] if address is None else _at(batch, address)
    if len(found) == 1:
        return found[0], None
    fits = (
        ''
        if address is None
        else (
            f', and its address {short_repr(address)} fits {len(found)} images of batch '
            f'{batch.name}'
        )
    )
    return None, (
        'was not made from to_label/label_studio.json: it has neither image_id nor file_name'
        f'{fits}. Import to_label/label_studio.json into a project as tasks, and label those.'
    )


def _at(batch: Batch, address: str) -> list[BatchImage]:
    """Images that may lie there: below a folder named as theirs, else at an end of the path, else uploaded."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return []
    path = PurePosixPath(parse_qs(parts.query).get('d', [unquote(parts.path)])[0]).parts
    root = PurePosixPath(batch.root).name
    names = {image.file_name: PurePosixPath(image.file_name).parts for image in batch.images}
    ends = [
        image
        for image in batch.images
        if path[-len(names[image.file_name]) :] == names[image.file_name]
    ]
    if root in path:
        return [i for i in ends if path[: -len(names[i.file_name])][-1:] == (root,)]
    if not ends and path and UPLOADED.match(path[-1]):
        uploaded = _tidied(UPLOADED.sub('', path[-1], count=1))
        return [i for i in batch.images if _tidied(names[i.file_name][-1]) == uploaded]
    longest = max((len(names[i.file_name]) for i in ends), default=0)
    return [i for i in ends if len(names[i.file_name]) == longest]


def _tidied(name: str) -> str:
    """A file's name as a web server keeps it: spaces as underscores, odd characters left out."""
    return re.sub(r'[^-\w.]', '', name.strip().replace(' ', '_'))
