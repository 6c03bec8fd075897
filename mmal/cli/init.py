"""Make a project for active learning from images that nobody has labeled."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from mmal.errors import InputError, explained

from .arguments import add_match
from .check_env import exit_unless_usable
from .unknown_options import parse


def count(text: str) -> int:
    """Parse a whole number of at least 1; argparse names this function in its messages.

    Args:
        text: The argument as it was given.

    Raises:
        ValueError: If it is no whole number.
        ArgumentTypeError: If it is less than 1.
    """
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number of at least 1, got {text}')
    return value


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command.

    Args:
        prog: Name of the program in its usage.
    """
    parser = argparse.ArgumentParser(
        prog=prog, description='Make a project from a folder of images, a list or a COCO file'
    )
    parser.add_argument(
        'images',
        help='a folder, searched with all its folders; a text file with a path a line; or a '
        'COCO file (.json), of which annotations are not used',
    )
    parser.add_argument(
        '--config',
        help='config of the model: a path, or e.g. '
        'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        default=[],
        metavar='NAME',
        help='class names, divided by spaces or commas, or a text file (.txt) with a name a line, '
        'which may have commas; a COCO file has its own',
    )
    parser.add_argument(
        '--task', choices=['detection', 'classification'], help='by default what --config is for'
    )
    parser.add_argument('--out', default='al_project', help='folder to be made (al_project)')
    parser.add_argument(
        '--add-to',
        metavar='PROJECT',
        help='make no project: add the images that PROJECT does not have yet to its pool',
    )
    parser.add_argument(
        '--base-dir',
        metavar='DIR',
        help='folder that names in a list or COCO file are relative to; by '
        'default the folder of that file',
    )
    _add_labels(parser)
    add_match(parser)
    _add_numbers(parser)
    parser.add_argument(
        '--cold-start',
        choices=['random', 'herding', 'coreset'],
        help='how the first images are chosen: at random, or by what the pretrained backbone of '
        '--config sees: herding takes those that stand for most others, coreset spreads them; by '
        'default herding, and random where the backbone is not pretrained',
    )
    parser.add_argument(
        '--drop-near-duplicates',
        action='store_true',
        help='of images that look alike, keep the first',
    )
    parser.add_argument('--seed', type=int, default=0, help='of the draws and the trainings (0)')
    return parser


def _add_labels(parser: argparse.ArgumentParser) -> None:
    """Add the options that name labels which exist already."""
    parser.add_argument(
        '--labeled',
        metavar='FILE',
        help='labels that exist already, the first labeled set: a COCO file; for classes of whole '
        'images a list of {id, label}, a CSV file or a folder with a folder per class',
    )
    parser.add_argument(
        '--labeled-images',
        metavar='DIR',
        help='folder that the names in --labeled are relative to; by default the folder of that '
        'file, or that of the images',
    )
    parser.add_argument(
        '--val',
        metavar='FILE',
        help='labels of a set of your own for evaluation; by default a fifth of the labeled images',
    )
    parser.add_argument(
        '--val-images',
        metavar='DIR',
        help='folder that the names in --val are relative to; by default that of its file, of the '
        'labeled images or of the images',
    )


def _add_numbers(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how many images are for what."""
    parser.add_argument(
        '--evaluation',
        type=count,
        metavar='N',
        help='images drawn at random for evaluation, kept out '
        'of the pool; by default a tenth, at most 500',
    )
    parser.add_argument(
        '--initial',
        type=count,
        metavar='N',
        help='images labeled first; by default a tenth of the pool, 10 to 100',
    )
    parser.add_argument(
        '--query',
        type=count,
        metavar='N',
        help='images labeled after each round; by default half of --initial',
    )
    parser.add_argument('--rounds', type=count, default=5, help='trainings (5)')


def _require_consistent(args: argparse.Namespace) -> None:
    """Refuse options about labels that contradict each other."""
    if not args.labeled:
        for name in ('labeled_images', 'val', 'val_images'):
            if getattr(args, name):
                option = f'--{name.replace("_", "-")}'
                raise InputError(f'{option} goes with --labeled FILE, the labels to begin with.')
        return
    if args.initial or args.cold_start:
        raise InputError(
            '--initial and --cold-start choose images to be labeled first, and --labeled names '
            'those that are labeled already. Leave them out.'
        )
    if args.val and args.evaluation:
        raise InputError('--val and --evaluation both say what the evaluation set is. Keep one.')


def _add_to_project(args: argparse.Namespace) -> str:
    from mmal.annotation.match_rules import parse_rules
    from mmal.project.add_images import add_images, read_project
    from mmal.project.image_source import find_images

    if args.labeled or args.labeled_images or args.val or args.val_images:
        raise InputError(
            '--add-to adds images without labels. Leave --labeled, --val and their images out.'
        )
    project = read_project(args.add_to)
    source = find_images(args.images, args.base_dir, parse_rules(args.match, '--match'))
    return add_images(project, source, logging.getLogger('al_init'))


def make_project(args: argparse.Namespace) -> str:
    """Make the project that the arguments describe.

    Args:
        args: Arguments of the command.

    Returns:
        What was found, what was made of it, and what comes next, in words.

    Raises:
        InputError: If the folder is in use, or the images, the config or the classes cannot work.
    """
    from mmal.annotation.match_rules import parse_rules
    from mmal.project.base_config import BaseConfig
    from mmal.project.class_names import read_classes, require_class_names
    from mmal.project.create import create, require_free
    from mmal.project.image_source import find_images
    from mmal.project.labeled_images import LabelPaths, add_existing_labels
    from mmal.project.settings import Settings

    if args.add_to:
        return _add_to_project(args)
    if not args.config:
        raise InputError(
            '--config: which model? Give the path of its config, or e.g. '
            'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py.'
        )
    # Opening all images may take hours.
    require_free(args.out)
    base = BaseConfig(args.config, args.task)
    rules = parse_rules(args.match, '--match')
    source = find_images(args.images, args.base_dir, rules)
    classes = read_classes(args.classes) if args.classes else []
    labels = None
    _require_consistent(args)
    if args.labeled:
        paths = LabelPaths(args.labeled, args.labeled_images, args.val, args.val_images, rules)
        source, labels = add_existing_labels(source, paths, base.boxes, classes)
        classes = labels.classes
    if not classes and source.classes:
        classes = require_class_names(source.classes, args.images)
    if not classes:
        raise InputError(
            'which classes? Give their names, e.g. --classes cat dog, or a text file with a name a '
            'line.'
        )
    settings = Settings(
        classes=classes,
        out=args.out,
        evaluation=args.evaluation,
        initial=args.initial,
        query=args.query,
        rounds=args.rounds,
        cold_start=args.cold_start,
        seed=args.seed,
        drop_near_duplicates=args.drop_near_duplicates,
    )
    return create(source, base, settings, logging.getLogger('al_init'), labels)


def main(argv: Sequence[str] | None = None, prog: str = 'mmal init') -> None:
    """Make a project from images.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.

    Raises:
        SystemExit: If the environment or the arguments cannot work.
    """
    exit_unless_usable()
    args = parse(build_parser(prog), argv)
    logging.basicConfig(level=logging.INFO, format='%(message)s', stream=sys.stdout)
    with explained(prog):
        print(make_project(args))


if __name__ == '__main__':
    main()
