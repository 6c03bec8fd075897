"""Bring labels that people made into a run that waits for them, or into a batch folder."""

import argparse
from pathlib import Path

from mmal.errors import InputError, explained


def parse_args():
    parser = argparse.ArgumentParser(
        description='Import labels: a COCO file (CVAT exports it, too), the JSON export of Label Studio or, for classes'
        ' of images, CSV. All of the file is taken, or nothing.'
    )
    parser.add_argument(
        'folder',
        type=Path,
        help='work dir of a run that waits for labels, or a folder with to_label/',
    )
    parser.add_argument('file', type=Path, help='what the labeling tool exported; or a zip with it')
    parser.add_argument(
        '--dry-run', action='store_true', help='check the file and say what it would change'
    )
    parser.add_argument(
        '--without-boxes',
        choices=['empty', 'unlabeled'],
        help='what an image without boxes is in a COCO file, which cannot say it: looked at and empty, '
        'or not labeled yet',
    )
    parser.add_argument(
        '--untouched',
        choices=['accepted', 'unlabeled'],
        help='what an image with just the boxes that the model guessed is in a COCO file, which '
        'cannot say it: looked at and right, or not labeled yet',
    )
    parser.add_argument(
        '--clip', action='store_true', help='cut boxes that pass the edge of their image'
    )
    parser.add_argument(
        '--pixels',
        action='store_true',
        help='the numbers are pixels although they look like percents',
    )
    return parser.parse_args()


def open_batch(folder: Path) -> tuple[Path, bool]:
    """The batch a file is for, and whether a run went on from its labels already: the last one asked for."""
    from mmal.annotation.batch import FOLDER, batch_folders
    from mmal.run.recovery import closed_batch

    if (folder / FOLDER).is_dir():
        return folder, closed_batch(folder)
    folders = batch_folders(folder)
    if not folders:
        raise InputError(
            f'{folder} has no batch to label: expected a run of al_train.py that waits for labels, or a '
            f'folder with {FOLDER}/.'
        )
    return folders[-1], closed_batch(folders[-1])


def main():
    args = parse_args()
    from mmal.annotation.importer import import_file
    from mmal.annotation.validation import Rules
    from mmal.run.lock import lock, unlock
    from mmal.run.manifest import NAME

    with explained('al_labels.py'):
        batch, closed = open_batch(args.folder)
        run = batch.parent if (batch.parent / NAME).exists() else None
        if run:
            lock(run)
        rules = Rules(args.clip, args.without_boxes, args.pixels, args.untouched)
        try:
            print(import_file(batch, args.file, rules, closed, args.dry_run) + '.')
        finally:
            if run:
                unlock(run)
        if args.dry_run:
            print('Nothing was changed (--dry-run).')
        elif run and not closed:
            print(
                'Go on by the command that trained, with --resume'
                ' (and --partial, to go on although images are missing).'
            )


if __name__ == '__main__':
    main()
