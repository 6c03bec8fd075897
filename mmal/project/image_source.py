"""Which images a user means: a folder, a list of paths, or a COCO file; nothing is opened yet."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from mmal.errors import InputError

SUFFIXES = (
    '.jpg',
    '.jpeg',
    '.jpe',
    '.png',
    '.bmp',
    '.tif',
    '.tiff',
    '.webp',
    '.ppm',
    '.pgm',
    '.jp2',
)
"""What OpenCV, which mmcv loads with, reads everywhere."""
SHOWN = 3


@dataclass(frozen=True)
class Source:
    """Images by name, before any is opened.

    Attributes:
        root: Absolute folder that all names are below.
        names: In order, each once, with slashes and without ``..``.
        ids: Ids that a COCO file gives its images, by name. Defaults to none: they will be numbered.
        classes: Class names that a COCO file has. Defaults to none.
        notes: What the user should know.
    """

    root: str
    names: list[str]
    ids: dict[str, int | str] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_images(images: str | Path, base_dir: str | Path | None = None) -> Source:
    """Images of a folder (with all folders in it), of a text file with a path a line, or of a COCO file.

    Args:
        images: The folder or file.
        base_dir: Folder that the names in a file are relative to. Defaults to None: the folder the file lies in.

    Raises:
        InputError: If there is no such thing, or no image in it.
    """
    path = Path(os.path.abspath(images))
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise InputError(
            f'{images} does not exist. Give a folder of images, a text file with a path a line, or a COCO '
            'file.'
        )
    if path.suffix.lower() in SUFFIXES:
        raise InputError(
            f'{images} is one image. Give the folder it lies in, or a text file with a path a line.'
        )
    base_dir = Path(os.path.abspath(base_dir or path.parent))
    return _coco(path, base_dir) if path.suffix.lower() == '.json' else _list(path, base_dir)


# --- a folder -------------------------------------------------------------------------------------------------------


def _folder(root: Path) -> Source:
    names, others = [], Counter()
    for folder, files in _walk(root):
        for name in files:
            suffix = PurePath(name).suffix.lower()
            if suffix in SUFFIXES:
                names.append(os.path.relpath(os.path.join(folder, name), root))
            else:
                others[suffix or 'no suffix'] += 1
    kinds = ', '.join(f'{n} {kind}' for kind, n in others.most_common(SHOWN))
    if not names:
        raise InputError(
            f'No image below {root} (looked for {" ".join(SUFFIXES)}). '
            + (f'It holds files of other kinds: {kinds}.' if others else 'It holds no file at all.')
        )
    notes = [f'{sum(others.values())} files of other kinds passed over ({kinds})'] if others else []
    return Source(str(root), sorted(names), notes=notes)


def _walk(root: Path):
    """Folders and their files; links to folders are followed once, hidden things passed over."""
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith('.'))
        yield folder, [f for f in files if not f.startswith('.')]


# --- a list of paths ------------------------------------------------------------------------------------------------


def _list(path: Path, base_dir: Path) -> Source:
    content = path.read_bytes()
    if b'\0' in content:
        raise InputError(
            f'{path} is no text. Expected a path a line (or a COCO file that ends in .json).'
        )
    text = content.removeprefix(b'\xef\xbb\xbf').decode(errors='surrogateescape')
    lines = [line for raw in text.split('\n') if (line := raw.rstrip('\r')).strip()]
    if not lines:
        raise InputError(f'{path} is empty. Expected a path a line.')
    paths = [_plain(base_dir, line) for line in lines]
    _require_some(paths, lines, path, base_dir)
    unique = list(dict.fromkeys(paths))
    root = os.path.commonpath([os.path.dirname(p) for p in unique])
    notes = [f'{len(paths) - len(unique)} lines of {path.name} name an image a second time'] * (
        len(unique) < len(paths)
    )
    return Source(root, sorted(os.path.relpath(p, root) for p in unique), notes=notes)


def _plain(base_dir: Path, name: str) -> str:
    """An absolute path without ``..``; a link before it is followed first, as the system does."""
    path = os.path.join(base_dir, name)
    if '..' in PurePath(path).parts:
        return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    return os.path.normpath(path)


def _require_some(paths: list[str], lines: list[str], path: Path, base_dir: Path) -> None:
    """A list of which nothing is there has another base, or is no list."""
    if not any(os.path.exists(p) for p in paths):
        raise InputError(
            f'{path}: none of its {len(lines)} lines is a file, e.g. {lines[0]!r} is looked for as '
            f'{paths[0]}. Expected a path a line and nothing else, absolute or relative to {base_dir}; '
            '--base-dir names another folder.'
        )


# --- a COCO file ----------------------------------------------------------------------------------------------------


def _coco(path: Path, base_dir: Path) -> Source:
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'))
    except ValueError as e:
        raise InputError(f'{path} is not valid JSON: {e}.') from None
    images = content.get('images') if isinstance(content, dict) else None
    if not isinstance(images, list) or not all(
        isinstance(i, dict) and isinstance(i.get('file_name'), str) for i in images
    ):
        raise InputError(
            f'{path} is no COCO file: expected {{"images": [{{"id": ..., "file_name": ...}}, ...]}}.'
        )
    if not images:
        raise InputError(f'{path} has no image in its "images".')
    paths = [_plain(base_dir, i['file_name']) for i in images]
    _require_some(paths, [i['file_name'] for i in images], path, base_dir)
    root = os.path.commonpath([str(base_dir), *map(os.path.dirname, paths)])
    names = [os.path.relpath(p, root) for p in paths]
    _refuse_twice(path, 'file_name', names)
    return Source(
        root, sorted(names), _ids(path, images, names), _classes(content), _notes(path, content)
    )


def _ids(path: Path, images: list[dict], names: list[str]) -> dict[str, int | str]:
    ids = [i.get('id') for i in images]
    wrong = next((i for i in ids if isinstance(i, bool) or not isinstance(i, (int, str))), None)
    if wrong is not None or None in ids:
        raise InputError(
            f'{path}: image id {wrong!r}: expected a whole number or text for every image.'
        )
    _refuse_twice(path, 'image id', ids)
    return dict(zip(names, ids, strict=True))


def _refuse_twice(path: Path, what: str, values: list) -> None:
    value, n = Counter(map(str, values)).most_common(1)[0]
    if n > 1:
        raise InputError(f'{path}: {what} {value!r} stands {n} times. Name each image once.')


def _classes(content: dict) -> list[str]:
    categories = content.get('categories') or []
    return [c['name'] for c in categories if isinstance(c, dict) and isinstance(c.get('name'), str)]


def _notes(path: Path, content: dict) -> list[str]:
    n = len(content.get('annotations') or [])
    return (
        [
            f'{path.name} has {n} annotations, which a project does not use: in it, people label. To try active '
            'learning on labels that are known already, see configs/fcos_custom_isal.py with its SimulatedOracle'
        ]
        if n
        else []
    )
