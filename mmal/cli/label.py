"""Import labels that people made into a run that waits for them, or into a batch folder."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmal.errors import InputError, explained

from .arguments import add_match
from .unknown_options import parse


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command.

    Args:
        prog: Name of the program in its usage.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description='Import labels: a COCO file (CVAT exports it, too), the JSON export of Label '
        'Studio or, for classes of images, CSV. All of the file is taken, or nothing.',
    )
    parser.add_argument(
        'folder',
        type=Path,
        help='work dir of a run that waits for labels, folder of a selection, or any folder with '
        'to_label/',
    )
    parser.add_argument('file', type=Path, help='what the labeling tool exported; or a zip with it')
    parser.add_argument(
        '--dry-run', action='store_true', help='check the file and say what it would change'
    )
    parser.add_argument(
        '--without-boxes',
        choices=['empty', 'unlabeled'],
        help='what an image without boxes is in a COCO file, which cannot say it: looked at and '
        'empty, or not labeled yet',
    )
    parser.add_argument(
        '--untouched',
        choices=['accepted', 'unlabeled'],
        help='what an image with just the boxes that the model guessed is in a COCO file, which '
        'cannot say it: looked at and right, or not labeled yet',
    )
    parser.add_argument(
        '--clip',
        action='store_true',
        help='cut boxes that pass the edge of their image, but none that look like corners',
    )
    parser.add_argument(
        '--pixels',
        action='store_true',
        help='the numbers are pixels although they look like percents',
    )
    add_match(parser)
    return parser


def find_batch(folder: Path) -> Path:
    """The folder of the batch that a file of labels is for.

    Args:
        folder: Work directory of a run, or folder of a batch.

    Returns:
        The folder itself, or that of the batch which the run asked for last.

    Raises:
        InputError: If there is no batch.
    """
    from mmal.annotation.batch import FOLDER, batch_folders

    if (folder / FOLDER).is_dir():
        return folder
    folders = batch_folders(folder)
    if not folders:
        raise InputError(
            f'{folder} has no batch to label: expected a run of al_train.py that waits for labels, '
            f'or a folder with {FOLDER}/.'
        )
    return folders[-1]


@contextmanager
def locked(work_dir: Path | None) -> Iterator[None]:
    """Hold the lock of a run.

    Args:
        work_dir: Work directory of the run; None where there is no run, and nothing to lock.

    Raises:
        InputError: If another process holds the lock.
    """
    from mmal.run.lock import lock, unlock

    if work_dir is None:
        yield
        return
    lock(work_dir)
    try:
        yield
    finally:
        unlock(work_dir)


def import_labels(args: argparse.Namespace) -> None:
    """Import the file, and print what it changed and what comes next.

    Args:
        args: Arguments of the command.

    Raises:
        InputError: If there is no batch, the run is at work, or the file does not fit the batch.
    """
    from mmal.annotation.importer import import_file
    from mmal.annotation.match_rules import parse_rules
    from mmal.annotation.validation import Rules
    from mmal.run.layout import RunPaths
    from mmal.run.recovery import closed_batch
    from mmal.run.selection_labels import is_selection, join_labels

    batch = find_batch(args.folder)
    # Whether the run went on from these labels already.
    closed = closed_batch(batch)
    run = batch.parent if RunPaths(batch.parent).manifest.exists() else None
    match = parse_rules(args.match, '--match')
    rules = Rules(args.clip, args.without_boxes, args.pixels, args.untouched, match)
    with locked(run):
        print(import_file(batch, args.file, rules, closed, args.dry_run) + '.')
    if args.dry_run:
        print('Nothing was changed (--dry-run).')
    elif is_selection(batch):
        print(
            f'All labels are in {join_labels(batch)}: to train on, and to give to the next '
            '`mmal select` by --labeled.'
        )
    elif run and not closed:
        print(
            'Go on by the command that trained, with --resume'
            ' (and --partial, to go on although images are missing).'
        )


def main(argv: Sequence[str] | None = None, prog: str = 'mmal label') -> None:
    """Import labels from a file.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.

    Raises:
        SystemExit: If the labels cannot be taken.
    """
    args = parse(build_parser(prog), argv)
    with explained(prog):
        import_labels(args)


if __name__ == '__main__':
    main()
