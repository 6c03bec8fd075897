"""Train a detector with active learning: mmdet's train.py, with a plan and friendlier errors."""

import argparse
import os
import os.path as osp
import sys

from mmal.check_env import findings, report


def parse_args():
    parser = argparse.ArgumentParser(description='Train a detector with active learning')
    parser.add_argument('config', help='config file path; its train_cfg is an mmal.ActiveLoop')
    parser.add_argument('--work-dir', help='the dir to save logs, models and the rounds')
    parser.add_argument('--amp', action='store_true', help='enable automatic-mixed-precision training')
    parser.add_argument('--resume', nargs='?', const='auto', choices=['auto'],
                        help='go on with the run in the work dir after its last finished phase; start it if there is '
                        'none')
    parser.add_argument('--seed', type=int, help='seed of the initial set, the queries and the trainings')
    parser.add_argument('--dry-run', action='store_true', help='build everything, train nothing, print the plan')
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE',
                        help='override settings of the config, in xxx=yyy format; lists as key="[a,b]" or key=a,b')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load_config(args):
    from mmengine.config import Config

    from mmal.cfg_options import parse
    options = parse(args.cfg_options or [])
    if 'data_root' in options:  # for configs that read their classes from the data
        os.environ['MMAL_DATA_ROOT'] = str(options['data_root'])
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    cfg.merge_from_dict(options)
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
    return cfg


def main():
    args = parse_args()
    found = findings()
    if any(f.fatal for f in found):
        sys.exit(report(found))
    from mmengine.runner import Runner

    from mmal.errors import InputError
    from mmal.plan import plan
    try:
        cfg = load_config(args)
        if args.dry_run:
            text, problems = plan(cfg)
            print(text)
            sys.exit(2 if problems else 0)
        Runner.from_cfg(cfg).train()
    except InputError as e:
        sys.exit(f'\nal_train.py: {e}')


if __name__ == '__main__':
    main()
