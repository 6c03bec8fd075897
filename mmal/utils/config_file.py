"""Reads the config that a user names, as the tools do."""

from __future__ import annotations

import os
from typing import Any

from mmengine.config import Config
from mmengine.hub import get_config

from mmal.errors import InputError


def read_config(path: str, options: dict[str, Any] | None = None) -> Config:
    """Read a config file and merge the ``--cfg-options`` into it.

    ``data_root`` is also put into the environment variable MMAL_DATA_ROOT, where configs that read
    their classes from the data find it.

    Args:
        path: Path of the config file, or a name such as
            ``'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'``.
        options: Values by dotted key. Defaults to None: no options.

    Raises:
        InputError: If the file or one of its bases does not exist.
    """
    options = options or {}
    if 'data_root' in options:
        os.environ['MMAL_DATA_ROOT'] = options['data_root']
    try:
        config = get_config(path) if '::' in path else Config.fromfile(path)
    except FileNotFoundError as e:
        raise InputError(f'Config file not found: {e.filename or e}') from None
    config.merge_from_dict(options)
    return config
