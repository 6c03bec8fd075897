"""Train a detector or a classifier with active learning.

This is mmdet's ``tools/train.py`` with a dry run, ways to resume, and friendlier errors.
"""

from __future__ import annotations

import argparse
import os
import os.path as osp
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmal.errors import InputError, explained

from .arguments import add_cfg_options, add_launcher
from .check_env import exit_unless_usable
from .unknown_options import TRAINING_OPTIONS, parse

if TYPE_CHECKING:
    from mmengine.config import Config


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command.

    Args:
        prog: Name of the program in its usage.
    """
    parser = argparse.ArgumentParser(prog=prog, description='Train with active learning')
    parser.add_argument('config', help='config file path; its train_cfg is an mmal.ActiveLoop')
    parser.add_argument('--work-dir', help='the dir to save logs, models and the rounds')
    parser.add_argument(
        '--amp', action='store_true', help='enable automatic-mixed-precision training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate to the batch size, from that of auto_scale_lr in the config',
    )
    _add_resume_options(parser)
    parser.add_argument(
        '--unsafe-checkpoints',
        action='store_true',
        help='load checkpoints by full unpickling: code in them RUNS; only for files you made',
    )
    parser.add_argument(
        '--seed', type=int, help='seed of the initial set, the queries and the trainings'
    )
    parser.add_argument(
        '--drop',
        action='store_true',
        help='leave the images out of the pool that are in the evaluation set, too; a run that is '
        'resumed keeps to it',
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='build everything, train nothing, print the plan'
    )
    add_cfg_options(
        parser,
        'override settings of the config by key=value; a list is key="[a,b]" or key=a,b',
    )
    add_launcher(parser)
    return parser


def _resume_way(text: str) -> str:
    """Parse what ``--resume`` says.

    Raises:
        ArgumentTypeError: If it is neither 'auto' nor 'verified'.
    """
    if text in ('auto', 'verified'):
        return text
    if text.endswith('.py'):
        raise argparse.ArgumentTypeError(
            f"expected nothing or 'verified', found a config: write `{text} --resume`"
        )
    if osp.isdir(text):
        raise argparse.ArgumentTypeError(
            f"expected nothing or 'verified', found a folder: write `--work-dir {text} --resume`"
        )
    raise argparse.ArgumentTypeError(
        f"expected nothing or 'verified', found {text}: a run goes on from what its work dir "
        'holds, and an interrupted training from its own last checkpoint there. '
        f'`--cfg-options train_cfg.checkpoint={text}` gives the first round a trained model, '
        f'`--cfg-options load_from={text}` the weights that each training begins from'
    )


def _add_resume_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to go on with a run."""
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        type=_resume_way,
        metavar='verified',
        help='go on with the run in the work dir after its last finished phase, or start it; with '
        '"verified", set aside state that is damaged and go on from the last that is whole',
    )
    parser.add_argument(
        '--allow-config-change',
        action='store_true',
        help='resume although settings that can change the result differ; '
        'run.json keeps the history',
    )
    parser.add_argument(
        '--pool-grew',
        action='store_true',
        help='with --resume: take in images that are new in the pool; run.json keeps the history',
    )
    parser.add_argument(
        '--partial', action='store_true', help='where people label: go on without missing labels'
    )


def load_config(args: argparse.Namespace) -> Config:
    """Read the config and merge the arguments into it.

    Args:
        args: Arguments of the command.

    Returns:
        The config of the run, with its work_dir.

    Raises:
        InputError: If there is no such config, its train_cfg is no ActiveLoop, or it lacks what
            ``--auto-scale-lr`` asks for.
    """
    from mmal.utils.config_file import read_config

    cfg = read_config(args.config, dict(launcher=args.launcher) | args.cfg_options)
    loop = (cfg.get('train_cfg') or {}).get('type')
    if not getattr(loop, '__name__', str(loop)).endswith('ActiveLoop'):
        raise InputError(
            f"{args.config}: expected train_cfg = dict(type='mmal.ActiveLoop', ...); "
            "for an ordinary training use mmdet's tools/train.py."
        )
    # work_dir is determined in this priority: CLI > segment in file > filename
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('./work_dirs', osp.splitext(osp.basename(args.config))[0])
    if args.amp:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'
    if args.auto_scale_lr:
        _scale_lr(cfg, args.config)
    if args.seed is not None:
        cfg.randomness = dict(cfg.get('randomness') or {}, seed=args.seed)
    if args.unsafe_checkpoints:
        cfg.unsafe_checkpoints = True
    _set_resume(cfg, args)
    if args.drop or _drops_already(cfg):
        cfg.train_cfg.drop_evaluation_images = True
    return cfg


def _scale_lr(cfg: Config, config: str) -> None:
    """Have every training scale its learning rate.

    Raises:
        InputError: If the config does not say what its learning rate was chosen for.
    """
    if not (cfg.get('auto_scale_lr') or {}).get('base_batch_size'):
        raise InputError(
            f'--auto-scale-lr: expected auto_scale_lr in {config}, the batch size of all GPUs that '
            'its learning rate was chosen for, found none. Add it, for 8 GPUs of 2 images: '
            'auto_scale_lr = dict(enable=True, base_batch_size=16).'
        )
    cfg.auto_scale_lr.enable = True


def _drops_already(cfg: Config) -> bool:
    """Whether the run that is to go on was begun with ``--drop``, and the config leaves it open."""
    from mmal.run.manifest import recorded_setting

    if not cfg.resume or cfg.train_cfg.get('drop_evaluation_images') is not None:
        return False
    return recorded_setting(cfg.work_dir, 'train_cfg.drop_evaluation_images') == 'True'


def _set_resume(cfg: Config, args: argparse.Namespace) -> None:
    """Set what the options about resuming say."""
    cfg.resume = args.resume is not None
    if args.resume == 'verified':
        cfg.train_cfg.on_corruption = 'restore'
    if args.allow_config_change:
        cfg.train_cfg.allow_config_change = True
    if args.pool_grew:
        cfg.train_cfg.pool_grew = True
    if args.partial:
        oracle = cfg.train_cfg.setdefault('oracle', dict(type='mmal.SimulatedOracle'))
        oracle['partial'] = True


def print_plan(cfg: Config) -> None:
    """Build everything, train nothing, print the plan, and end the program.

    Args:
        cfg: Config of the run.

    Raises:
        InputError: If ``--launcher`` does not fit what started this process.
        SystemExit: Always, with status 2 if the plan has problems, else 0.
    """
    from mmengine.dist import is_main_process

    from mmal.distributed.launch import prepare_launch
    from mmal.engine.dry_run import dry_run

    prepare_launch(cfg)
    text, problems = dry_run(cfg)
    if is_main_process():
        print(text)
    sys.exit(2 if problems else 0)


def train(cfg: Config) -> None:
    """Start or resume the run.

    Args:
        cfg: Config of the run.

    Raises:
        InputError: If the work_dir is in use, or something in the config cannot work.
        OSError: If a file cannot be written or read.
    """
    from mmengine.runner import Runner

    from mmal.distributed.launch import prepare_launch
    from mmal.engine.console_output import info_in_file_alone
    from mmal.fileio.atomic import oserror_with_folder
    from mmal.run.lock import lock
    from mmal.run.manifest import holds_run

    prepare_launch(cfg)
    # Before the Runner writes its log and config there.
    holds_run(cfg.work_dir, cfg.resume)
    if os.environ.get('RANK', '0') == '0':
        lock(cfg.work_dir)
    with oserror_with_folder(cfg.work_dir):
        with info_in_file_alone():
            runner = Runner.from_cfg(cfg)
        runner.train()


def main(argv: Sequence[str] | None = None, prog: str = 'mmal train') -> None:
    """Train with active learning, or print the plan of it.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.

    Raises:
        SystemExit: If the environment, the config or the work_dir cannot work, and at the end of a
            dry run.
    """
    exit_unless_usable()
    args = parse(build_parser(prog), argv, TRAINING_OPTIONS)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    from mmal.distributed.launchers import require_launcher
    from mmal.fileio.tensors import forbid_unpickling

    with explained(prog):
        cfg = load_config(args)
        require_launcher(cfg.launcher, os.environ)
        # Some models read a checkpoint when they are built.
        forbid_unpickling(cfg.get('unsafe_checkpoints', False))
        if args.dry_run:
            print_plan(cfg)
        train(cfg)


if __name__ == '__main__':
    main()
