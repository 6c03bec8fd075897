import pytest

from mmal.adapters.loading import Unreadable, batches, items_or_raise


class Broken:

    def __len__(self):
        return 5

    def __getitem__(self, index):
        if index == 3:
            raise OSError('image file is truncated')
        return {'n': index}


@pytest.mark.parametrize('workers', [0, 1])
def test_order_is_kept_and_a_broken_item_is_a_value(workers):
    found = list(batches(Broken(), [4, 3, 0], 2, workers))
    assert [[index for index, _ in batch] for batch in found] == [[4, 3], [0]]
    assert found[0][1][1] == Unreadable('OSError: image file is truncated (image number 3)')
    assert items_or_raise(found[1], 'reference set') == [{'n': 0}]
    with pytest.raises(RuntimeError, match='of the reference set cannot be read.*number 3'):
        items_or_raise(found[0], 'reference set')
