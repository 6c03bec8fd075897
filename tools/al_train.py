"""Train a detector or a classifier with active learning: mmdet's train.py, with a plan and friendlier errors."""

import argparse
import os
import os.path as osp
import sys

from mmal.errors import InputError, explained
from mmal.utils.check_env import findings, print_report


def parse_args():
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(description='Train with active learning')
    parser.add_argument('config', help='config file path; its train_cfg is an mmal.ActiveLoop')
    parser.add_argument('--work-dir', help='the dir to save logs, models and the rounds')
    parser.add_argument(
        '--amp', action='store_true', help='enable automatic-mixed-precision training'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        choices=['auto', 'verified'],
        help='go on with the run in the work dir after its last finished phase, or start it; with '
        '"verified", set aside state that is damaged and go on from the last that is whole',
    )
    parser.add_argument(
        '--allow-config-change',
        action='store_true',
        help='resume although settings that can change the result differ; run.json keeps the history',
    )
    parser.add_argument(
        '--partial', action='store_true', help='where people label: go on without missing labels'
    )
    parser.add_argument(
        '--unsafe-checkpoints',
        action='store_true',
        help='load checkpoints by full unpickling: code in them RUNS; only for files you made',
    )
    parser.add_argument(
        '--seed', type=int, help='seed of the initial set, the queries and the trainings'
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='build everything, train nothing, print the plan'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='override settings of the config by key=value; a list is key="[a,b]" or key=a,b',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load_config(args):
    from mmal.utils.config_file import read_config

    cfg = read_config(args.config, dict(launcher=args.launcher) | args.cfg_options)
    loop = (cfg.get('train_cfg') or {}).get('type')
    if not getattr(loop, '__name__', str(loop)).endswith('ActiveLoop'):
        raise InputError(
            f"{args.config}: expected train_cfg = dict(type='mmal.ActiveLoop', ...); for an ordinary "
            "training use mmdet's tools/train.py."
        )
    # work_dir is determined in this priority: CLI > segment in file > filename
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('./work_dirs', osp.splitext(osp.basename(args.config))[0])
    if args.amp:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'
    if args.seed is not None:
        cfg.randomness = dict(cfg.get('randomness') or {}, seed=args.seed)
    cfg.resume = args.resume is not None
    if args.resume == 'verified':
        cfg.train_cfg.on_corruption = 'restore'
    if args.allow_config_change:
        cfg.train_cfg.allow_config_change = True
    if args.partial:
        cfg.train_cfg.setdefault('oracle', dict(type='mmal.SimulatedOracle'))['partial'] = True
    if args.unsafe_checkpoints:
        cfg.unsafe_checkpoints = True
    return cfg


def main():
    found = findings()
    if any(f.fatal for f in found):
        sys.exit(print_report(found))
    args = parse_args()
    from mmengine.runner import Runner

    from mmal.distributed.launch import prepare_launch
    from mmal.engine.dry_run import dry_run
    from mmal.fileio.atomic import oserror_with_folder
    from mmal.fileio.tensors import forbid_unpickling
    from mmal.run.lock import lock
    from mmal.run.manifest import holds_run

    with explained('al_train.py'):
        cfg = load_config(args)
        forbid_unpickling(
            cfg.get('unsafe_checkpoints', False)
        )  # some models read a checkpoint when they are built
        if args.dry_run:
            text, problems = dry_run(cfg)
            print(text)
            sys.exit(2 if problems else 0)
        # before the Runner writes its log and config there
        holds_run(cfg.work_dir, cfg.resume)
        prepare_launch(cfg)
        if os.environ.get('RANK', '0') == '0':
            lock(cfg.work_dir)
        with oserror_with_folder(cfg.work_dir):
            Runner.from_cfg(cfg).train()


if __name__ == '__main__':
    main()
