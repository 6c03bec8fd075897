"""What a finished run can be read with again: its config and its closed rounds."""

from __future__ import annotations

import os
from pathlib import Path

from mmengine.config import Config

from mmal.errors import InputError
from mmal.fileio.checksummed import read_checksummed
from mmal.utils.config import moved_paths

from .layout import RunPaths
from .round_state import RoundState

LAST_ROUND_HINT = (
    'The last round of a run chooses none: --resume --cfg-options train_cfg.rounds=N, with a '
    'greater N, lets it go on.'
)


def load_run_config(work_dir: str | Path) -> Config:
    """The config that a run left in its work_dir.

    If the project was moved since, the paths in the config are those of now.

    Args:
        work_dir: Work directory of the run.

    Raises:
        InputError: If there is none.
    """
    configs = sorted(Path(work_dir).glob('*.py'), key=lambda path: path.stat().st_mtime)
    if not configs:
        raise InputError(
            f'{work_dir} holds no config: expected the work_dir of a run of al_train.py.'
        )
    newest = configs[-1]
    cfg = Config.fromfile(newest)
    manifest = RunPaths(Path(work_dir)).manifest
    old_folder = read_checksummed(manifest).get('folder') if manifest.exists() else None
    if not old_folder:
        return cfg
    old_work_dir = Path(cfg.get('work_dir') or '')
    new_folder = _moved_folder(old_work_dir, Path(old_folder), Path(os.path.abspath(work_dir)))
    if new_folder is None:
        return cfg
    text = moved_paths(newest.read_text(encoding='utf-8'), old_folder, str(new_folder))
    return Config.fromstring(text, '.py')


def _moved_folder(old_work_dir: Path, old_folder: Path, work_dir: Path) -> Path | None:
    """Where the folder of a project's config is now, if the project was moved.

    Args:
        old_work_dir: Work directory as it was when the run was last called.
        old_folder: Folder of the config at that time.
        work_dir: Work directory of now.

    Returns:
        The folder, or None if the project was not moved.
    """
    if old_work_dir.exists() or not old_work_dir.is_relative_to(old_folder):
        return None
    inside = old_work_dir.relative_to(old_folder).parts
    if work_dir.parts[len(work_dir.parts) - len(inside) :] != inside:
        return None
    return (work_dir, *work_dir.parents)[len(inside)]


def closed_rounds(work_dir: str | Path) -> list[int]:
    """Numbers of the rounds whose chosen images are labeled, at least one.

    Args:
        work_dir: Work directory of the run.

    Raises:
        InputError: If there is none.
    """
    numbers = []
    for paths in RunPaths(Path(work_dir)).rounds():
        if RoundState(work_dir, paths.number).closed:
            numbers.append(paths.number)
    if not numbers:
        raise InputError(
            f'{work_dir} holds no round whose chosen images are labeled: expected the work_dir of '
            f'a run of al_train.py. {LAST_ROUND_HINT}'
        )
    return numbers
