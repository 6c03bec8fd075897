from __future__ import annotations

import os
from pathlib import Path

from mmengine.config import Config

from mmal.errors import InputError
from mmal.fileio.checksummed import read_checksummed
from mmal.utils.config import moved_paths

from .manifest import NAME as RUN
from .round_state import RoundState


def load_run_config(work_dir: str | Path) -> Config:
    """The config that a run left in its work_dir; of a project that was moved since, with its paths of now.

    Raises:
        InputError: If there is none.
    """
    configs = sorted(Path(work_dir).glob('*.py'), key=lambda p: p.stat().st_mtime)
    if not configs:
        raise InputError(
            f'{work_dir} holds no config: expected the work_dir of a run of al_train.py.'
        )
    cfg, file = Config.fromfile(configs[-1]), Path(work_dir) / RUN
    was = read_checksummed(file).get('folder') if file.exists() else None
    now = was and _folder_of_moved(
        Path(cfg.get('work_dir') or ''), Path(was), Path(os.path.abspath(work_dir))
    )
    if not now:
        return cfg
    return Config.fromstring(
        moved_paths(configs[-1].read_text(encoding='utf-8'), was, str(now)), '.py'
    )


def _folder_of_moved(then: Path, was: Path, now: Path) -> Path | None:
    """The folder of a project's config, if the project was moved.

    Args:
        then: The work_dir, when the run was last called.
        was: The folder of the config at that time.
        now: The work_dir.
    """
    if then.exists() or not then.is_relative_to(was):
        return None
    place = then.relative_to(was).parts
    folders = (now, *now.parents)
    return folders[len(place)] if now.parts[len(now.parts) - len(place) :] == place else None


def closed_rounds(work_dir: str | Path) -> list[int]:
    """Numbers of the finished rounds, at least one.

    Raises:
        InputError: If none is finished.
    """
    numbers = sorted(
        int(p.name[6:]) for p in Path(work_dir).glob('round_*') if p.name[6:].isdigit()
    )
    found = [n for n in numbers if RoundState(work_dir, n).complete]
    if not found:
        raise InputError(
            f'{work_dir} holds no finished round: expected the work_dir of a run of al_train.py.'
        )
    return found
