"""Print a config as a run would see it, with what it inherits and --cfg-options merged in."""

import argparse

from mmengine.config import DictAction

from mmal.errors import InputError, explained

ENDINGS = ('.py', '.json', '.yml')


def parse_args():
    parser = argparse.ArgumentParser(description='Print the whole config')
    parser.add_argument('config', help='config file path')
    parser.add_argument(
        '--save-path', help=f'write it to a file, too; its ending is one of {" ".join(ENDINGS)}'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='override settings, as in al_train.py',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    from mmal.utils.config_file import read_config

    with explained('print_config.py'):
        if args.save_path and not args.save_path.endswith(ENDINGS):
            raise InputError(
                f'--save-path: expected an ending of {" ".join(ENDINGS)}, got {args.save_path}.'
            )
        cfg = read_config(args.config, args.cfg_options)
        print(cfg.pretty_text)
        if args.save_path:
            cfg.dump(args.save_path)


if __name__ == '__main__':
    main()
