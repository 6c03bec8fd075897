"""Bring a file of labels into a batch: all of it or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from mmal.errors import InputError
from mmal.fileio.checksummed import digest_bytes

from .batch import FOLDER, Batch, nearby_batches
from .export import exported_files
from .label_store import LabelStore
from .matching import ImageFinder, ImageNotFoundError
from .parsed import ParsedFile, ParsedImage
from .problem_lines import problem_lines
from .reader import read_labels, unpack
from .records import LabelEntry
from .validation import Rules, ValidatedLabels, validate

MAX_PROBLEMS_SHOWN = 20
"""Problems that a message names, those that are alike counted as one."""


def import_file(
    folder: str | Path,
    path: str | Path,
    rules: Rules | None = None,
    closed: bool = False,
    dry_run: bool = False,
) -> str:
    """Check the labels of a file and keep them all, or none.

    Args:
        folder: Folder of the batch that the labels are for.
        path: The file, in any format that :func:`~mmal.annotation.reader.read_labels` knows, or a
            zip archive of one JSON file.
        rules: What the user has said about the file. Defaults to None: nothing.
        closed: Whether later rounds are made from the labels of the batch already, so that they
            must not change. Defaults to False.
        dry_run: Whether to change nothing. Defaults to False.

    Returns:
        What the import changes, in words.

    Raises:
        InputError: If anything is wrong with the file, if it would change a closed batch, or if it
            is the export itself, whose boxes are the model's and nobody's labels. The message names
            each problem. Nothing is kept then.
    """
    batch = Batch.read(folder)
    content = Path(path).read_bytes()
    try:
        content = unpack(content)
        if content in exported_files(batch).values():
            raise InputError(
                f"is what was exported to {Path(folder) / FOLDER}: its boxes are the model's "
                "predictions, nobody's labels. Bring what your labeling tool exports."
            )
        parsed = read_labels(content, batch)
        _require_own_tasks(folder, batch, parsed)
        digest = digest_bytes(content)
        effect = import_parsed(folder, parsed, rules or Rules(), digest, closed, dry_run)
    except InputError as e:
        raise InputError(f'{path}: {e}') from None
    if not parsed.other_batches:
        return effect
    return f'{effect}; {_count_tasks(parsed.other_batches)} passed over'


def _require_own_tasks(folder: str | Path, batch: Batch, parsed: ParsedFile) -> None:
    """Refuse a file whose tasks were all made for other batches."""
    others = parsed.other_batches
    if not others or parsed.images or parsed.problems:
        return
    raise InputError(
        f'all {others.total()} tasks are of other batches ({", ".join(others)}), '
        f'expected some of {batch.name}. Export the project that has them.'
        + _name_fitting_batches(folder, lambda other: other.name in others)
    )


def _count_tasks(other_batches: Counter[str]) -> str:
    return f'{other_batches.total()} tasks of other batches ({", ".join(other_batches)})'


def import_parsed(
    folder: str | Path,
    parsed: ParsedFile,
    rules: Rules,
    digest: str,
    closed: bool = False,
    dry_run: bool = False,
) -> str:
    """Check labels that have been parsed and keep them all, or none.

    Args:
        folder: Folder of the batch that the labels are for.
        parsed: What a file or a server says.
        rules: What the user has said about it.
        digest: SHA-256 of the source.
        closed: Whether later rounds are made from the labels of the batch already, so that they
            must not change. Defaults to False.
        dry_run: Whether to change nothing. Defaults to False.

    Returns:
        What the import changes, in words.

    Raises:
        InputError: If anything is wrong, or if a closed batch would change. The message names each
            problem. Nothing is kept then.
    """
    batch = Batch.read(folder)
    old = LabelStore.read(folder)
    labels = validate(batch, parsed.images, rules)
    problems = parsed.problems + labels.problems
    if problems:
        unmatched = labels.unmatched[:MAX_PROBLEMS_SHOWN]
        hint = f'\n{labels.advice}' if labels.advice else ''
        hint += _name_fitting_batches(folder, lambda other: _has_any(other, unmatched))
        raise _refusal(problems, hint)
    new = old.merged_with(labels, digest)
    effect = '; '.join([_describe_effect(batch, old, new, labels), *parsed.notes])
    changes = new.entries != old.entries or new.skipped != old.skipped
    if closed and changes:
        raise InputError(
            f'Batch {batch.name} is closed: the run went on from its labels, and this file says '
            f'something else ({effect}). Later rounds were made from what it said then. To train '
            'on corrected labels, start a run anew in another --work-dir.'
        )
    if not dry_run and not closed:
        new.write(folder, batch)
    return effect


def _refusal(problems: list[str], hint: str) -> InputError:
    plural = 's' if len(problems) > 1 else ''
    lines = [f'{len(problems)} problem{plural}, so nothing was imported:']
    lines += problem_lines(problems, MAX_PROBLEMS_SHOWN)
    return InputError('\n  '.join(lines) + hint)


def _has_any(batch: Batch, parsed_images: list[ParsedImage]) -> bool:
    """Whether a batch has any of the images that a file means."""
    finder = ImageFinder(batch, parsed_images)
    for parsed in parsed_images:
        try:
            finder.find(parsed)
        except ImageNotFoundError:
            continue
        return True
    return False


def _name_fitting_batches(folder: str | Path, fits: Callable[[Batch], bool]) -> str:
    """Lines with the commands that bring the file into nearby batches that it fits; '' if none."""
    lines = ''
    for other_folder, other in nearby_batches(folder):
        if fits(other):
            lines += (
                f'\nThere are images of batch {other.name} in it: `python tools/al_labels.py '
                f'{other_folder} FILE` brings those in.'
            )
    return lines


def _describe_effect(
    batch: Batch, old: LabelStore, new: LabelStore, labels: ValidatedLabels
) -> str:
    """What an import changes, in words."""
    n_added = 0
    n_changed = 0
    for image_id, entry in new.entries.items():
        old_entry = old.entries.get(image_id)
        if old_entry is None:
            n_added += 1
        elif not _same_labels(entry, old_entry):
            n_changed += 1
    parts = [f'{n_added} images newly labeled', f'{n_changed} changed']
    if batch.has_boxes:
        counts = [len(entry['boxes']) for entry in labels.entries.values()]
        parts.append(f'{sum(counts)} boxes in the file')
        parts.append(f'{counts.count(0)} images without objects')
    n_skipped = len(set(new.skipped) - set(old.skipped))
    if n_skipped:
        parts.append(f'{n_skipped} skipped')
    parts += labels.notes
    missing = len(new.missing(batch))
    return f'Batch {batch.name}: {", ".join(parts)}; {missing} of {len(batch.images)} still to do'


def _same_labels(entry: LabelEntry, old_entry: LabelEntry) -> bool:
    """Whether two entries say the same, whoever labeled and however long it took."""
    if entry.get('boxes') != old_entry.get('boxes'):
        return False
    return entry.get('label') == old_entry.get('label')
