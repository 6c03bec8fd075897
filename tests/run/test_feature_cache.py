import numpy as np
import pytest

from mmal.errors import InputError
from mmal.run.feature_cache import FeatureCache

MODEL = dict(weights='abc', layers=['backbone'])


@pytest.fixture
def cache(tmp_path):
    cache = FeatureCache(tmp_path / 'features')
    cache.open_for(MODEL)
    return cache


def vectors(*rows):
    return np.array(rows, np.float32)


def test_what_is_written_is_read_in_the_order_of_the_set(cache):
    cache.add(['x', 'y'], vectors([1, 2], [3, 4]))
    cache.add(['z'], vectors([5, 6]))
    cache.write_set('pool', ['c.png', 'a.png', 'b.png'], ['z', 'x', 'y'], [0, 1, None], ['cat', 'dog'])
    pool = cache.read_set('pool')
    assert pool.ids == ['c.png', 'a.png', 'b.png']
    assert pool.labels == [0, 1, None]
    assert pool.vectors.tolist() == [[5, 6], [1, 2], [3, 4]]
    assert cache.classes() == ['cat', 'dog']
    assert cache.digests() == {'x', 'y', 'z'}
    assert cache.has_set('pool')
    assert not cache.has_set('reference')


def test_one_content_serves_all_images_that_have_it(cache):
    cache.add(['x'], vectors([1, 2]))
    cache.write_set('pool', [1, 2], ['x', 'x'], [0, 0], ['cat'])
    cache.write_set('evaluation', [7], ['x'], [0], ['cat'])
    assert cache.read_set('pool').vectors.tolist() == [[1, 2], [1, 2]]
    assert cache.read_set('evaluation').vectors.tolist() == [[1, 2]]


def test_an_image_that_cannot_be_read_is_left_out(cache):
    cache.add(['x'], vectors([1, 2]))
    cache.write_set('pool', [1, 2], [None, 'x'], [0, 1], ['cat', 'dog'])
    assert cache.read_set('pool').ids == [2]


def test_features_of_another_model_are_refused(cache, tmp_path):
    cache.open_for(dict(MODEL))
    with pytest.raises(InputError, match='features of another model: weights differ'):
        cache.open_for(dict(MODEL, weights='def'))
    with pytest.raises(InputError, match='holds no features'):
        FeatureCache(tmp_path).model()


def test_what_is_missing_or_damaged_is_said(cache):
    with pytest.raises(InputError, match='pool.json is not there'):
        cache.read_set('pool')
    cache.write_set('pool', [1, 2], ['x', 'y'], [0, 0], ['cat'])
    with pytest.raises(InputError, match='2 of 2 images of pool.json are not there'):
        cache.read_set('pool')
    cache.add(['x'], vectors([1, 2]))
    with pytest.raises(InputError, match='1 of 2 images'):
        cache.read_set('pool')
    (cache.folder / 'vectors_0000.npz').write_bytes(b'half a file')
    with pytest.raises(InputError, match='vectors_0000.npz is damaged'):
        cache.read_set('pool')


def test_no_code_in_a_file_is_run(cache):
    np.savez(cache.folder / 'vectors_0000.npz', digests=np.array(['x']), vectors=np.array([object()]))
    cache.write_set('pool', [1], ['x'], [0], ['cat'])
    with pytest.raises(InputError, match='damaged'):
        cache.read_set('pool')
