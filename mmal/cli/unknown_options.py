"""Options that a command does not have: of other programs, or spelt in another way."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Mapping, Sequence

TRAINING_OPTIONS = {
    'auto-resume': '`--resume` goes on with the run in the work dir.',
    'batch-size': '`--cfg-options train_dataloader.batch_size=N` sets it.',
    'checkpoint': '`--cfg-options train_cfg.checkpoint=PATH` gives the first round a trained '
    'model, `--cfg-options load_from=PATH` the weights that each training begins from.',
    'deterministic': '`--cfg-options randomness.deterministic=True` sets it.',
    'device': 'CUDA_VISIBLE_DEVICES in the environment chooses the GPU; empty, it chooses the CPU.',
    'diff-seed': 'The processes of a run share its seed.',
    'epochs': '`--cfg-options train_cfg.max_epochs=N` sets it, for each round.',
    'gpu-id': 'CUDA_VISIBLE_DEVICES=ID in the environment chooses the GPU.',
    'gpu-ids': 'CUDA_VISIBLE_DEVICES=IDS in the environment chooses the GPUs.',
    'gpus': '`tools/dist_al_train.sh CONFIG GPUS` trains on several.',
    'load-from': '`--cfg-options load_from=PATH` gives the weights that each training begins from.',
    'lr': '`--cfg-options optim_wrapper.optimizer.lr=LR` sets it.',
    'no-persistent-workers': '`--cfg-options train_dataloader.persistent_workers=False` sets it.',
    'no-pin-memory': '`--cfg-options train_dataloader.pin_memory=False` sets it.',
    'no-validate': '`--cfg-options train_cfg.val_interval=1000000` leaves the validations within a '
    'training out. The trained model of a round is evaluated for the curve all the same.',
    'options': '`--cfg-options KEY=VALUE` overrides settings.',
    'resume-from': '`--resume` goes on with the run in the work dir, from what that has finished. '
    '`--cfg-options load_from=PATH` gives the weights that each training begins from.',
}
"""What takes the place of options of other training programs, by their names without dashes."""


def parse(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    elsewhere: Mapping[str, str] | None = None,
) -> argparse.Namespace:
    """Parse arguments, and say of options that are not known what to write in their place.

    Args:
        parser: Parser of the command.
        argv: Arguments of the command; None for those of this process.
        elsewhere: What takes the place of options of other programs, by their names without the
            dashes before them. Defaults to None: nothing.

    Returns:
        The arguments.

    Raises:
        SystemExit: If an argument is wrong or not known.
    """
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.error(_refusal(parser, unknown, elsewhere or {}))
    return args


def _refusal(
    parser: argparse.ArgumentParser, unknown: Sequence[str], elsewhere: Mapping[str, str]
) -> str:
    lines = [f'unrecognized arguments: {" ".join(unknown)}']
    for word in unknown:
        if word.startswith('--'):
            lines.append(_advice(parser, word.partition('=')[0], elsewhere))
    return '\n  '.join(line for line in lines if line)


def _advice(parser: argparse.ArgumentParser, option: str, elsewhere: Mapping[str, str]) -> str:
    """What to write in the place of an option; '' if nothing is near."""
    known = re.findall(r'--[\w-]+', parser.format_usage())
    dashed = option.replace('_', '-')
    if dashed in known:
        return f'{option}: write {dashed}.'
    replacement = elsewhere.get(dashed[2:])
    if replacement is not None:
        return f'{option}: {replacement}'
    near = difflib.get_close_matches(dashed, known, n=1)
    return f'{option}: the nearest option is {near[0]}.' if near else ''
