import os

import pytest

from mmal.errors import InputError
from mmal.utils.config_file import read_config


def test_options_are_merged_and_data_root_is_seen_by_configs(tmp_path, monkeypatch):
    monkeypatch.delenv('MMAL_DATA_ROOT', raising=False)
    text = "_base_ = []\nimport os\nroot = os.environ.get('MMAL_DATA_ROOT')\na = dict(b=1, c=2)\n"
    (tmp_path / 'c.py').write_text(text)
    config = read_config(str(tmp_path / 'c.py'), {'a.b': 3, 'data_root': '/data'})
    try:
        assert (config.a.b, config.a.c, config.root) == (3, 2, '/data')
    finally:
        os.environ.pop('MMAL_DATA_ROOT')
    assert read_config(str(tmp_path / 'c.py')).a.b == 1


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match='Config file not found: .*none.py'):
        read_config(str(tmp_path / 'none.py'))
