"""Bring a file of labels into a batch: all of it or nothing."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import InputError
from ..sealed import digest_bytes
from . import coco, label_studio, table
from .answer import Answer
from .batch import FOLDER, Batch
from .checks import Believed, Rules, check
from .labels import Labels

SHOWN = 20
"""Problems named one by one."""


def read_answers(content: bytes, boxes: bool) -> tuple[list[Answer], list[str]]:
    """What a file says, in whichever of the formats it is: COCO, Label Studio's raw JSON, or CSV.

    Args:
        content: Of the file.
        boxes: Whether boxes were asked for.

    Raises:
        InputError: If it is in none of them.
    """
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as e:
        raise InputError(f'expected text in UTF-8 (JSON or CSV): {e}. If it is an archive, unpack it.') from None
    try:
        data = json.loads(text)
    except ValueError as e:
        if text.lstrip()[:1] in ('[', '{'):
            raise InputError(f'is not whole JSON: {e}. Export or download it again.') from None
        if boxes:
            raise InputError('expected a COCO file or Label Studio\'s JSON export with boxes, found neither.') from None
        return table.parse(text)
    if isinstance(data, list):
        return label_studio.parse(data)
    if isinstance(data, dict) and {'images', 'annotations', 'categories'} <= set(data):
        if not boxes:
            raise InputError('is a COCO file, but classes of whole images were asked for. Bring CSV or Label Studio\'s '
                             'JSON export.')
        return coco.parse(data)
    raise InputError('expected a COCO file (images, annotations, categories) or Label Studio\'s raw JSON export (a '
                     'list of tasks), found other JSON.')


def import_answers(folder: str | Path, answers: list[Answer], problems: list[str], rules: Rules, digest: str,
                   closed: bool = False, dry_run: bool = False) -> str:
    """Check answers and keep them all, or none.

    Args:
        folder: Of the batch.
        answers: What a file or a server says.
        problems: What is wrong already.
        rules: What the user has said about it.
        digest: Of the source; the same one brings nothing new.
        closed: Whether later rounds are made from the labels already.
        dry_run: Change nothing.

    Returns:
        What it does, in words.

    Raises:
        InputError: If anything is wrong; the message names each problem. Nothing is kept then.
    """
    batch, old = Batch.read(folder), Labels.read(folder)
    believed = check(batch, answers, rules)
    problems = [*problems, *believed.problems]
    if problems:
        more = f'\n  ... and {len(problems) - SHOWN} more' if len(problems) > SHOWN else ''
        raise InputError(f'{len(problems)} problem{"s" * (len(problems) > 1)}, so nothing was imported:\n  '
                         + '\n  '.join(problems[:SHOWN]) + more)
    new = old.with_(believed, digest)
    effect = describe(batch, old, new, believed)
    changes = (new.entries, new.skipped) != (old.entries, old.skipped)
    if closed and changes:
        raise InputError(f'Batch {batch.name} is closed: the run went on from its labels, and this file says something '
                         f'else ({effect}). Later rounds were made from what it said then. To train on corrected '
                         'labels, start a run anew in another --work-dir.')
    if not dry_run and not closed:
        new.write(folder, batch)
    return effect


def import_file(folder: str | Path, path: str | Path, rules: Rules | None = None, closed: bool = False,
                dry_run: bool = False) -> str:
    """:func:`import_answers` of a file.

    Raises:
        InputError: Beside the above, if the file is the export itself, whose boxes are the model's and no labels.
    """
    batch, content = Batch.read(folder), Path(path).read_bytes()
    if content in batch.exports().values():
        raise InputError(f'{path} is what was exported to {Path(folder) / FOLDER}: its boxes are the model\'s '
                         'predictions, nobody\'s labels. Bring what your labeling tool exports.')
    try:
        answers, problems = read_answers(content, batch.boxes)
        return import_answers(folder, answers, problems, rules or Rules(), digest_bytes(content), closed, dry_run)
    except InputError as e:
        raise InputError(f'{path}: {e}') from None


def describe(batch: Batch, old: Labels, new: Labels, believed: Believed) -> str:
    """What an import changes, in words."""
    added = [i for i in new.entries if i not in old.entries]
    changed = [i for i in new.entries if i in old.entries and _said(new, i) != _said(old, i)]
    boxes = sum(len(e['boxes']) for e in believed.entries.values()) if batch.boxes else None
    parts = [f'{len(added)} images newly labeled', f'{len(changed)} changed']
    if boxes is not None:
        empty = sum(not e['boxes'] for e in believed.entries.values())
        parts += [f'{boxes} boxes in the file', f'{empty} images without objects']
    skipped = len(set(new.skipped) - set(old.skipped))
    parts += [f'{skipped} skipped'] if skipped else []
    return f'Batch {batch.name}: {", ".join(parts)}; {len(new.missing(batch))} of {len(batch.images)} still to do'


def _said(labels: Labels, image_id: str) -> dict:
    return {k: v for k, v in labels.entries[image_id].items() if k not in ('who', 'seconds')}
