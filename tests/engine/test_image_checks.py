import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine import dist
from PIL import Image

from mmal.engine.image_checks import check_pool_images
from tests.processes import together


@pytest.fixture
def pictures(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    paths = {}
    for name in ('good.jpg', 'good.png', 'cut.jpg', 'cut.png', 'text.jpg', 'empty.png'):
        paths[name] = str(tmp_path / name)
        Image.fromarray(pixels).save(paths[name])
    for name in ('cut.jpg', 'cut.png'):
        content = Path(paths[name]).read_bytes()
        Path(paths[name]).write_bytes(content[:len(content) * 2 // 3])
    Path(paths['text.jpg']).write_text('not an image')
    Path(paths['empty.png']).write_bytes(b'')
    return paths


def test_of_a_pool_rank_0_alone_knows_all(pictures, tmp_path):
    paths, log = list(pictures.values()), logging.getLogger()
    data = SimpleNamespace(is_local=True, images=[dict(id=n) for n in range(len(paths))], image_path=paths.__getitem__,
                           size_mismatches=lambda sizes: {})
    alone = check_pool_images(data, log)
    first, second = together(2, tmp_path / 'group', lambda: dist.all_gather_object(check_pool_images(data, log)))
    assert second == {}
    assert first == alone
    assert list(first) == list(range(len(paths)))
