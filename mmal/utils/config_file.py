"""Reading the config a user names, as the tools do."""

from __future__ import annotations

import os

from mmengine.config import Config

from mmal.errors import InputError


def read_config(path: str, options: dict | None = None) -> Config:
    """A config file with the ``--cfg-options`` merged in.

    Args:
        path: Of the config.
        options: {dotted key: value}. ``data_root`` goes to MMAL_DATA_ROOT, too, where configs that read their classes
            from the data look.

    Raises:
        InputError: If a file is not there.
    """
    options = options or {}
    if 'data_root' in options:
        os.environ['MMAL_DATA_ROOT'] = options['data_root']
    try:
        cfg = Config.fromfile(path)
    except FileNotFoundError as e:
        raise InputError(f'Config file not found: {e.filename or e}') from None
    cfg.merge_from_dict(options)
    return cfg
