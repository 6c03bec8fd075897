import hashlib
import json
from collections import Counter

import numpy as np
import pytest

from mmal.datasets import generate_digit_scenes
from mmal.datasets.generate_digit_scenes import make_digit_scenes


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(generate_digit_scenes, 'SPLITS', dict(train=30, val=5, test=5))


def digest(root):
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(root.rglob('*')) if p.is_file()}


def test_byte_identical_for_one_seed(tmp_path, small):
    for name, seed in (('a', 0), ('b', 0), ('c', 1)):
        make_digit_scenes(tmp_path / name, seed)
    assert digest(tmp_path / 'a') == digest(tmp_path / 'b')
    assert digest(tmp_path / 'a') != digest(tmp_path / 'c')
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a', 'b', 'c']


def test_scans_of_the_splits_are_disjoint():
    scans = generate_digit_scenes._split_scans(np.random.default_rng(0))
    seen = {name: {s.tobytes() for part in parts for s in part} for name, parts in scans.items()}
    assert sum(len(part) for parts in scans.values() for part in parts) == 1797
    assert not seen['train'] & seen['val']
    assert not seen['train'] & seen['test']
    assert not seen['val'] & seen['test']


def test_coco_is_sound_and_classes_are_unequal(tmp_path, monkeypatch):
    monkeypatch.setattr(generate_digit_scenes, 'SPLITS', dict(train=120, val=1, test=1))
    make_digit_scenes(tmp_path / 'd')
    data = json.loads((tmp_path / 'd' / 'annotations' / 'train.json').read_text())
    sizes = {i['id']: (i['width'], i['height']) for i in data['images']}
    for a in data['annotations']:
        x, y, w, h = a['bbox']
        assert x >= 0
        assert y >= 0
        assert x + w <= sizes[a['image_id']][0]
        assert y + h <= sizes[a['image_id']][1]
    count = Counter(a['category_id'] for a in data['annotations'])
    assert count[1] > 3 * count[10] > 0


def test_what_is_there_is_left_alone(tmp_path, small):
    make_digit_scenes(tmp_path / 'd')
    before = digest(tmp_path / 'd')
    make_digit_scenes(tmp_path / 'd', seed=5)
    assert digest(tmp_path / 'd') == before
