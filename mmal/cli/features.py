"""Compute features of all images of a config once, for comparisons that take seconds a run."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from mmal.errors import explained

from .arguments import add_cfg_options
from .check_env import exit_unless_usable
from .init import count
from .unknown_options import parse


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command.

    Args:
        prog: Name of the program in its usage.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description='Features of pool, reference set and evaluation set by the pretrained model, '
        'for `mmal compare --features`. The same command goes on where it was stopped, and '
        'computes only what is new.',
    )
    parser.add_argument('config', help='config of a classifier with pretrained weights')
    parser.add_argument('--out', type=Path, required=True, help='folder of the features')
    parser.add_argument(
        '--layers',
        nargs='+',
        default=['backbone'],
        metavar='NAME',
        help='modules whose outputs are averaged over space (backbone)',
    )
    parser.add_argument(
        '--batch-size', type=count, default=32, help='images that go through at once (32)'
    )
    add_cfg_options(parser, 'override settings of the config, e.g. load_from=weights.pth')
    return parser


def main(argv: Sequence[str] | None = None, prog: str = 'mmal features') -> None:
    """Compute what is missing in a feature cache.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.

    Raises:
        SystemExit: If the environment or the config cannot work.
    """
    exit_unless_usable()
    args = parse(build_parser(prog), argv)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    from mmengine.config import Config
    from mmengine.logging import MMLogger

    from mmal.engine.feature_extraction import extract_features
    from mmal.engine.without_runner import prepare_process

    with explained(prog, 'call it again'):
        cfg = Config.fromfile(args.config)
        if args.cfg_options:
            cfg.merge_from_dict(args.cfg_options)
        cfg.launcher = 'none'
        prepare_process(cfg, seed=0)
        # The host would list every weight that it makes.
        MMLogger.get_instance('features', logger_name='mmengine', log_level='WARNING')
        log = logging.getLogger('mmal')
        cache = extract_features(cfg, args.out, args.layers, args.batch_size, log)
    n_images = len(cache.digests())
    print(f'{args.out} has features of {n_images} different images.')


if __name__ == '__main__':
    main()
