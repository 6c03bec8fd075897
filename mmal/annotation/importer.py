"""Bring a file of labels into a batch: all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mmal.errors import InputError
from mmal.fileio.checksummed import digest_bytes

from .batch import FOLDER, Batch, other_batches
from .label_store import LabelStore
from .matching import image_of
from .parsed import ParsedImage
from .reader import read_labels, unpacked
from .validation import Rules, ValidatedLabels, validate

SHOWN = 20
"""Problems named one by one."""


def import_parsed(
    folder: str | Path,
    answers: list[ParsedImage],
    problems: list[str],
    rules: Rules,
    digest: str,
    closed: bool = False,
    dry_run: bool = False,
) -> str:
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
    batch, old = Batch.read(folder), LabelStore.read(folder)
    believed = validate(batch, answers, rules)
    problems = [*problems, *believed.problems]
    if problems:
        raise _refusal(
            problems,
            _belongs(
                folder,
                lambda other: any(
                    image_of(other, answer)[0] for answer in believed.strangers[:SHOWN]
                ),
            ),
        )
    new = old.merged_with(believed, digest)
    effect = summary_lines(batch, old, new, believed)
    changes = (new.entries, new.skipped) != (old.entries, old.skipped)
    if closed and changes:
        raise InputError(
            f'Batch {batch.name} is closed: the run went on from its labels, and this file says something '
            f'else ({effect}). Later rounds were made from what it said then. To train on corrected '
            'labels, start a run anew in another --work-dir.'
        )
    if not dry_run and not closed:
        new.write(folder, batch)
    return effect


def _refusal(problems: list[str], there: str) -> InputError:
    more = f'\n  ... and {len(problems) - SHOWN} more' if len(problems) > SHOWN else ''
    return InputError(
        f'{len(problems)} problem{"s" * (len(problems) > 1)}, so nothing was imported:\n  '
        + '\n  '.join(problems[:SHOWN])
        + more
        + there
    )


def import_file(
    folder: str | Path,
    path: str | Path,
    rules: Rules | None = None,
    closed: bool = False,
    dry_run: bool = False,
) -> str:
    """:func:`import_answers` of a file.

    Raises:
        InputError: Beside the above, if the file is the export itself, whose boxes are the model's and no labels.
    """
    batch, content = Batch.read(folder), Path(path).read_bytes()
    try:
        content = unpacked(content)
        if content in batch.exports().values():
            raise InputError(
                f"is what was exported to {Path(folder) / FOLDER}: its boxes are the model's "
                "predictions, nobody's labels. Bring what your labeling tool exports."
            )
        found = read_labels(content, batch)
        if found.others and not found.answers and not found.problems:
            raise InputError(
                f'all {found.others.total()} tasks are of other batches ({", ".join(found.others)}), '
                f'expected some of {batch.name}. Export the project that has them.'
                + _belongs(folder, lambda other: other.name in found.others)
            )
        effect = import_parsed(
            folder,
            found.answers,
            found.problems,
            rules or Rules(),
            digest_bytes(content),
            closed,
            dry_run,
        )
    except InputError as e:
        raise InputError(f'{path}: {e}') from None
    others = (
        f'; {found.others.total()} tasks of other batches ({", ".join(found.others)}) passed over'
    )
    return effect + others if found.others else effect


def _belongs(folder: str | Path, fits: Callable[[Batch], bool]) -> str:
    """The commands that bring the file into other batches nearby, of those it fits; '' if there is none."""
    return ''.join(
        f'\nThere are images of batch {other.name} in it: `python tools/al_labels.py {near} FILE` brings '
        'those in.'
        for near, other in other_batches(folder)
        if fits(other)
    )


def summary_lines(batch: Batch, old: LabelStore, new: LabelStore, believed: ValidatedLabels) -> str:
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
    parts += believed.notes
    return f'Batch {batch.name}: {", ".join(parts)}; {len(new.missing(batch))} of {len(batch.images)} still to do'


def _said(labels: LabelStore, image_id: str) -> dict:
    return {k: v for k, v in labels.entries[image_id].items() if k not in ('who', 'seconds')}
