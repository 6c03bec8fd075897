"""Select the images that would help a trained model most: one call, no loop."""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmal.errors import InputError, explained

from .arguments import add_cfg_options, add_launcher, add_match
from .check_env import exit_unless_usable
from .init import count
from .unknown_options import parse

if TYPE_CHECKING:
    from mmal.annotation.match_rules import MatchRule
    from mmal.engine.selection import SelectionSettings
    from mmal.engine.selection_data import LabelSource, SelectionInputs


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command.

    Args:
        prog: Name of the program in its usage.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description='Select images to label next, by a model that is trained already. The same '
        'command goes on where it was stopped.',
    )
    parser.add_argument(
        'config', help='config of the model, e.g. of mmdet; it needs no key of mmal'
    )
    parser.add_argument('checkpoint', type=Path, help='the weights that training left')
    parser.add_argument(
        '--images',
        required=True,
        help='images to choose from: a folder, a text file with a path a line, or a COCO file',
    )
    parser.add_argument(
        '--budget', type=count, required=True, help='how much to select, in units of --unit'
    )
    parser.add_argument(
        '--unit',
        choices=['image', 'box', 'second'],
        default='image',
        help='what labels are paid in; boxes and seconds are predicted (image)',
    )
    parser.add_argument('--out', type=Path, required=True, help='folder to be made')
    _add_label_options(parser)
    add_match(parser)
    _add_method_options(parser)
    parser.add_argument('--seed', type=int, default=0, help='of what is drawn (0)')
    parser.add_argument(
        '--dry-run', action='store_true', help='check everything, score nothing, print the plan'
    )
    add_cfg_options(parser, 'override settings of the config, e.g. data_root=/where/data/are')
    add_launcher(parser)
    return parser


def _add_label_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is labeled, and what the model should become better at."""
    parser.add_argument(
        '--labeled',
        type=Path,
        metavar='FILE',
        help='what is labeled already: a COCO file, or images with classes; by default the '
        'training set of the config, if it is needed',
    )
    parser.add_argument(
        '--labeled-images',
        type=Path,
        metavar='DIR',
        help='folder that names in --labeled are relative to; by default the folder of that file',
    )
    parser.add_argument(
        '--reference',
        default='val',
        help="images whose loss is to fall: 'val' or 'test' of the config, or a file like that of "
        '--labeled (val)',
    )
    parser.add_argument(
        '--reference-images',
        type=Path,
        metavar='DIR',
        help='folder that names in --reference are relative to',
    )


def _add_method_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how images are scored."""
    from mmengine.config import DictAction

    parser.add_argument(
        '--sampler',
        nargs='+',
        default=['mmal.InfluenceSampler'],
        metavar=('NAME', 'KEY=VALUE'),
        help='query strategy, with its arguments, e.g. mmal.InfluenceSampler score_thr=0.2 '
        '(mmal.InfluenceSampler)',
    )
    parser.add_argument(
        '--stest',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='arguments of mmal.StestHook, by which s_test is solved, e.g. hessian_images=500 '
        'solver.type=mmal.LiSSA solver.preset=paper',
    )


def parse_sampler(words: Sequence[str]) -> dict[str, Any]:
    """The config of a sampler.

    Args:
        words: A name, or KEY=VALUE with ``type`` among the keys; more KEY=VALUE. Commas may stand
            in the place of spaces.

    Raises:
        InputError: If there is no name.
    """
    from mmengine.config import DictAction

    sampler: dict[str, Any] = {}
    # Commas inside brackets belong to a value.
    for word in re.split(r'[\s,]+(?=[\w.]+=)', ' '.join(words)):
        key, equals, value = word.partition('=')
        if equals:
            sampler[key] = DictAction._parse_iterable(value)
        else:
            sampler['type'] = word
    if not sampler.get('type'):
        raise InputError('--sampler: expected a name, e.g. mmal.InfluenceSampler score_thr=0.2.')
    if '.' not in sampler['type']:
        sampler['type'] = f'mmal.{sampler["type"]}'
    return _nested(sampler)


def _nested(values: dict[str, Any]) -> dict[str, Any]:
    """Values by dotted key as nested dicts, as ``--cfg-options`` has them."""
    from mmengine.config import Config

    config = Config()
    config.merge_from_dict(values)
    nested: dict[str, Any] = config.to_dict()
    return nested


def _label_source(
    file: Path, folder: Path | None, option: str, rules: tuple[MatchRule, ...]
) -> LabelSource:
    from mmal.engine.selection_data import LabelSource

    if not file.is_file():
        raise InputError(f'{option} {file}: there is no such file.')
    folder = folder or file.parent
    if not folder.is_dir():
        raise InputError(f'{option}-images {folder}: there is no such folder.')
    return LabelSource(file.absolute(), folder.absolute(), rules)


def read_settings(args: argparse.Namespace) -> SelectionSettings:
    """What the arguments ask for.

    Args:
        args: Arguments of the command.

    Raises:
        InputError: If a file or folder is missing.
    """
    from mmal.annotation.match_rules import parse_rules
    from mmal.engine.selection import NAMED_REFERENCES, SelectionSettings
    from mmal.pool.budget import BudgetUnit
    from mmal.project.selection_pool import SelectionPool

    rules = parse_rules(args.match, '--match')
    labeled = None
    if args.labeled is not None:
        labeled = _label_source(args.labeled, args.labeled_images, '--labeled', rules)
    elif args.labeled_images is not None:
        raise InputError('--labeled-images is the folder of --labeled, which is not given.')
    reference: str | LabelSource = args.reference
    if args.reference not in NAMED_REFERENCES:
        reference = _label_source(Path(args.reference), args.reference_images, '--reference', rules)
    return SelectionSettings(
        config=args.config,
        checkpoint=args.checkpoint,
        images=SelectionPool(args.images, rules),
        budget=args.budget,
        unit=BudgetUnit(args.unit),
        sampler=parse_sampler(args.sampler),
        stest=_nested(args.stest),
        labeled=labeled,
        reference=reference,
        seed=args.seed,
    )


def select(args: argparse.Namespace) -> None:
    """Select, or print the plan.

    Args:
        args: Arguments of the command.

    Raises:
        InputError: If something cannot work.
    """
    from mmengine.dist import is_main_process

    from mmal.distributed.launchers import launched_rank, require_launcher
    from mmal.engine.selection import Selection
    from mmal.engine.without_runner import open_log, prepare_process
    from mmal.fileio.atomic import oserror_with_folder
    from mmal.reporting.run_page.selection import write_selection_report
    from mmal.run.lock import unlock
    from mmal.utils.config_file import read_config

    cfg = read_config(args.config, dict(launcher=args.launcher) | args.cfg_options)
    require_launcher(cfg.launcher, os.environ)
    settings = read_settings(args)
    if args.dry_run:
        if launched_rank(cfg.launcher, os.environ) > 0:
            return
        # A plan is made by one process, in a folder of its own.
        cfg.launcher = 'none'
    prepare_process(cfg, args.seed)
    if args.dry_run:
        with tempfile.TemporaryDirectory() as scratch:
            log = open_log(Path(scratch))
            _, inputs = Selection(cfg, settings, Path(scratch), log).open()
        print(plan(settings, inputs))
        return
    log = open_log(args.out)
    with oserror_with_folder(str(args.out)):
        run = Selection(cfg, settings, args.out, log).run()
        if is_main_process():
            write_selection_report(args.out, run.data)
            log.info(ending(args.out))
            unlock(args.out)


def plan(settings: SelectionSettings, inputs: SelectionInputs) -> str:
    """What a selection would do.

    Args:
        settings: What is asked.
        inputs: What it would be made from.
    """
    from mmal.reporting.run_page.selection import counts_text

    lines = dict(inputs.sources)
    lines['counts'] = counts_text(inputs.counts)
    lines['sampler'] = ', '.join(f'{key}={value}' for key, value in settings.sampler.items())
    lines['budget'] = f'{settings.budget} {settings.unit.plural}'
    return '\n'.join(f'{name + ":":<10} {text}' for name, text in lines.items())


def ending(out: Path) -> str:
    """What a finished selection has left, and what comes next.

    Args:
        out: Folder of the selection.
    """
    from mmal.fileio.text import read_json
    from mmal.run.layout import SelectionPaths

    paths = SelectionPaths(out)
    n_selected = len(read_json(paths.artifact('select')))
    return (
        f'{n_selected} images are selected.\n'
        f'    Page: {paths.run.report}. All scores: {paths.artifact("score")}.\n'
        f'    To label: {paths.batch.parent}/, with files for each kind of tool.\n'
        f'    Then `mmal label {out} FILE` writes {paths.labeled}: to train on, and the --labeled '
        'of the next selection.'
    )


def main(argv: Sequence[str] | None = None, prog: str = 'mmal select') -> None:
    """Select images to label next.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.

    Raises:
        SystemExit: If the environment or the arguments cannot work.
    """
    exit_unless_usable()
    args = parse(build_parser(prog), argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    with explained(prog, 'call the same command again'):
        select(args)


if __name__ == '__main__':
    main()
