"""Which images a user means: a folder, a list of paths, or a COCO file. No image is opened yet."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePath
from typing import Any

from mmal.annotation.coco_file import parse_json, read_contents
from mmal.annotation.file_origin import (
    FileOrigin,
    origin_of_archive,
    origin_of_bytes,
    origin_of_text,
)
from mmal.annotation.json_origin import origin_of_json, origin_of_json_lines
from mmal.annotation.match_rules import MatchRule
from mmal.annotation.named_files import find_named_files
from mmal.annotation.text_encoding import UTF16_MARKS, decode_text
from mmal.errors import InputError
from mmal.utils.image_folders import SUFFIXES, walk_files

MAX_KINDS = 3
"""Number of other kinds of files that a message names."""


@dataclass(frozen=True)
class Source:
    """Images by name, before any is opened.

    Attributes:
        root: Absolute path of the folder that all names are below.
        names: Paths below the root, in order, each once, with slashes and without ``..``.
        ids: Ids that a COCO file gives its images, by name. Defaults to none: they will be
            numbered.
        classes: Class names that a COCO file has. Defaults to none.
        notes: What the user should know, one sentence without a full stop each. Defaults to none.
        name_notes: Those of the notes that are about names in a file which are not quite those of
            the images. Defaults to none.
    """

    root: str
    names: list[str]
    ids: dict[str, int | str] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    name_notes: list[str] = field(default_factory=list)


def find_images(
    images: str | Path,
    base_dir: str | Path | None = None,
    rules: Sequence[MatchRule] = (),
) -> Source:
    """Find the images that a user means.

    Args:
        images: Path of a folder, which is searched with all its folders; of a text file with one
            path per line; or of a COCO file.
        base_dir: Folder that the names in a file are relative to. Defaults to None: the folder of
            that file.
        rules: Rules by which a name in a file may differ from that of its image. Defaults to none
            but what is always taken.

    Returns:
        The images.

    Raises:
        InputError: If there is no such folder or file, it is not of these kinds, or it has no
            image.
    """
    path = Path(os.path.abspath(images))
    if path.is_dir():
        return _search_folder(path)
    if not path.exists():
        raise InputError(
            f'{images} does not exist. Give a folder of images, a text file with a path a line, or '
            'a COCO file.'
        )
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        raise InputError(
            f'{images} is one image. Give the folder it lies in, or a text file with a path a line.'
        )
    base_dir = Path(os.path.abspath(base_dir or path.parent))
    if suffix == '.json':
        return _read_coco(path, base_dir, rules)
    return _read_list(path, base_dir, rules)


def _search_folder(root: Path) -> Source:
    names = []
    other_kinds: Counter[str] = Counter()
    for folder, files in walk_files(root):
        for file in files:
            suffix = PurePath(file).suffix.lower()
            if suffix in SUFFIXES:
                names.append(os.path.relpath(os.path.join(folder, file), root))
            else:
                other_kinds[suffix or 'no suffix'] += 1
    kinds = ', '.join(f'{n} {kind}' for kind, n in other_kinds.most_common(MAX_KINDS))
    if not names:
        contents = 'It holds no file at all.'
        if kinds:
            contents = f'It holds files of other kinds: {kinds}.'
        raise InputError(f'No image below {root} (looked for {" ".join(SUFFIXES)}). {contents}')
    notes = []
    if kinds:
        notes.append(f'{other_kinds.total()} files of other kinds passed over ({kinds})')
    return Source(str(root), sorted(names), notes=notes)


def _read_list(path: Path, base_dir: Path, rules: Sequence[MatchRule]) -> Source:
    content = path.read_bytes()
    if content.strip():
        _refuse(path, origin_of_bytes(content) or origin_of_archive(content))
    if content.startswith(UTF16_MARKS):
        content = decode_text(content).encode()
    if b'\0' in content:
        raise InputError(
            f'{path} is no text. Expected a path a line (or a COCO file that ends in .json).'
        )
    text = content.removeprefix(b'\xef\xbb\xbf').decode(errors='surrogateescape')
    lines = [line.rstrip('\r') for line in text.split('\n') if line.strip()]
    if not lines:
        raise InputError(f'{path} is empty. Expected a path a line.')
    paths, name_notes = _paths_of(lines, path, base_dir, rules)
    unique_paths = set(paths)
    root = os.path.commonpath([os.path.dirname(image) for image in unique_paths])
    names = sorted(os.path.relpath(image, root) for image in unique_paths)
    n_repeated = len(paths) - len(unique_paths)
    notes = list(name_notes)
    if n_repeated:
        notes.append(f'{n_repeated} lines of {path.name} name an image a second time')
    return Source(root, names, notes=notes, name_notes=name_notes)


def _normalize(base_dir: Path, name: str) -> str:
    """An absolute path without ``..``. As in the system, a link before ``..`` is followed first."""
    path = os.path.join(base_dir, name)
    if '..' in PurePath(path).parts:
        return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    return os.path.normpath(path)


def _refuse(path: Path, origin: FileOrigin | None) -> None:
    """Refuse a file of a kind that is known, and names no images that can be read."""
    if origin is not None:
        raise InputError(f'{path} {origin.refusal()}')


def _paths_of(
    names: Sequence[str], path: Path, base_dir: Path, rules: Sequence[MatchRule]
) -> tuple[list[str], list[str]]:
    """Absolute paths of the images that a file names, and what the user should know of them.

    Raises:
        InputError: If not one of them is there: the file has another base, or is no list.
    """
    paths = {name: _normalize(base_dir, name) for name in dict.fromkeys(names)}
    missing = [name for name, image in paths.items() if not os.path.isfile(image)]
    if not missing:
        return [paths[name] for name in names], []
    if len(missing) == len(paths):
        text = '\n'.join(names)
        _refuse(path, origin_of_json_lines(text) or origin_of_text(text))
    matches = find_named_files(list(paths), str(base_dir), rules)
    for name in missing:
        if name in matches.names:
            paths[name] = os.path.join(base_dir, matches.names[name])
    if len(matches.unmatched) == len(paths):
        raise InputError(
            f'{path}: none of its {len(names)} names is a file: {matches.first_near()}; the first '
            f'is looked for as {paths[names[0]]}. Expected a path a line and nothing else, or a '
            f'COCO file, with paths that are absolute or relative to {base_dir}; --base-dir names '
            f'another folder. {matches.advice()}'.rstrip()
        )
    notes = list(matches.notes)
    if matches.unmatched:
        note = f'{len(matches.unmatched)} names in {path.name} are no file: {matches.first_near()}'
        if matches.advised:
            note += f'. {matches.advice().rstrip(".")}'
        notes.append(note)
    return [paths[name] for name in names], notes


def _read_coco(path: Path, base_dir: Path, rules: Sequence[MatchRule]) -> Source:
    raw = path.read_bytes()
    _refuse(path, origin_of_bytes(raw))
    try:
        content = parse_json(raw)
    except InputError as e:
        text = raw.decode(errors='replace')
        _refuse(path, origin_of_json_lines(text) or origin_of_text(text))
        raise InputError(f'{path} {e}') from None
    _refuse(path, origin_of_json(content))
    n_annotations = _count_annotations(content)
    try:
        file = read_contents(content, with_boxes=False)
    except InputError as e:
        raise InputError(f'{path} {e}') from None
    if not file.images:
        raise InputError(f'{path} has no image in its "images".')
    file_names = [image['file_name'] for image in file.images]
    paths, name_notes = _paths_of(file_names, path, base_dir, rules)
    folders = [os.path.dirname(image) for image in paths]
    root = os.path.commonpath([str(base_dir), *folders])
    names = [os.path.relpath(image, root) for image in paths]
    _refuse_repeated(path, 'file_name', names)
    ids = [image['id'] for image in file.images]
    _refuse_repeated(path, 'image id', ids)
    return Source(
        root=root,
        names=sorted(names),
        ids=dict(zip(names, ids, strict=True)),
        classes=[category['name'] for category in file.categories],
        notes=[*name_notes, *file.notes, *_notes_on_annotations(path, n_annotations)],
        name_notes=name_notes,
    )


def _count_annotations(content: Any) -> int:
    annotations = content.get('annotations') if isinstance(content, dict) else None
    return len(annotations) if isinstance(annotations, list) else 0


def fresh_ids(taken: Iterable[int | str], first: int) -> Iterator[int]:
    """Numbers for further images, none of which reads like an id that is taken.

    Args:
        taken: Ids of images. That of one may be the number 1, and that of another the text '2'.
        first: The least number.

    Yields:
        Each number.
    """
    texts = {str(image_id) for image_id in taken}
    for number in count(first):
        if str(number) not in texts:
            yield number


def _refuse_repeated(path: Path, what: str, values: Iterable[Any]) -> None:
    value, n = Counter(str(value) for value in values).most_common(1)[0]
    if n > 1:
        raise InputError(f'{path}: {what} {value!r} stands {n} times. Name each image once.')


def _notes_on_annotations(path: Path, n: int) -> list[str]:
    if not n:
        return []
    note = (
        f'{path.name} has {n} annotations, which a project does not use: in it, people label. '
        'To try active learning on labels that are known already, see configs/fcos_custom_isal.py '
        'with its SimulatedOracle'
    )
    return [note]
