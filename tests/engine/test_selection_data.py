"""Which images are labeled already, and ids that nothing else has."""

import os

import pytest

from mmal.adapters.listing import LabeledImage, LabeledSet
from mmal.engine.selection_data import FoundImage, _new_ids, _with_unique_ids, known_names, require_budget
from mmal.errors import InputError
from mmal.utils.image_files import file_identity


def found(root, *names):
    return [FoundImage(name, 8, 8, file_identity(root / name)) for name in names]


def test_the_same_file_and_the_same_content_are_labeled_already(tmp_path):
    (tmp_path / 'pool').mkdir()
    for name, content in (('a', b'one'), ('b', b'two'), ('c', b'six'), ('d', b'four')):
        (tmp_path / 'pool' / name).write_bytes(content)
    (tmp_path / 'copy').write_bytes(b'two')
    os.symlink(tmp_path / 'pool' / 'a', tmp_path / 'link')
    (tmp_path / 'of_another_size').write_bytes(b'seven')
    labeled = [str(tmp_path / name) for name in ('copy', 'link', 'of_another_size', 'gone')]
    images = found(tmp_path / 'pool', 'a', 'b', 'c', 'd')
    assert known_names(images, str(tmp_path / 'pool'), labeled) == {'a', 'b'}
    assert known_names(images, str(tmp_path / 'pool'), []) == set()


def test_ids_of_new_images_are_above_those_of_labeled_ones_or_as_they_were(tmp_path):
    (tmp_path / 'x').write_bytes(b'x')
    images = found(tmp_path, 'x')
    labeled = [LabeledImage(7, '/l', [])]
    assert _new_ids(images, {}, labeled, has_boxes=True) == {'x': 8}
    assert _new_ids(images, {'x': 7}, labeled, has_boxes=True) == {'x': 7}
    assert _new_ids(images, {'x': 7}, labeled, has_boxes=False) == {'x': 'x'}


def test_labeled_images_give_way_where_an_id_is_taken():
    labeled = LabeledSet('l', [LabeledImage(n, f'/{n}', []) for n in (7, 9, '12')])
    ids = [image.id for image in _with_unique_ids(labeled, {7, 12}).images]
    assert ids == [13, 9, 14]
    labeled = LabeledSet('l', [LabeledImage(n, f'/{n}', []) for n in (50, 100)])
    assert [image.id for image in _with_unique_ids(labeled, {'50', '101'}).images] == [102, 100]


def test_a_budget_beyond_the_pool_is_refused():
    require_budget(3, 3, 'images')
    with pytest.raises(InputError, match='--budget 4, but there are 3 images'):
        require_budget(4, 3, 'images')
