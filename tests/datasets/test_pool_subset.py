"""Any classification dataset as a pool with stable ids."""

import json

import numpy as np
import pytest
from mmengine.registry import DATASETS

from mmal.datasets.pool_subset import PoolSubset, image_ids, image_root
from mmal.errors import InputError


@DATASETS.register_module()
class Pictures:
    """Four images without files, the second and the last the same."""

    metainfo = dict(classes=('a', 'b', 'c'))
    CLASSES = ('a', 'b', 'c')
    data_prefix, data_root = {}, None
    shades = (0, 1, 2, 1)

    def full_init(self):
        pass

    def __len__(self):
        return len(self.shades)

    def get_data_info(self, index):
        return dict(img=np.full((2, 2, 3), self.shades[index], np.uint8), gt_label=index % 3, gt_score=[1.0])

    @staticmethod
    def pipeline(info):
        return {k: v for k, v in info.items() if k != 'img'}


class Files(Pictures):
    data_prefix = dict(img_path='/data')

    def get_data_info(self, index):
        return dict(img_path=f'/data/{"abca"[index]}/1.png', gt_label=0)


def test_images_without_files_are_named_by_their_pixels_and_copies_by_their_order():
    ids = image_ids(Pictures())
    assert len(set(ids)) == 4
    assert ids[3] == f'{ids[1]}-2'


def test_files_are_named_below_their_folder_and_once():
    files = Files()
    assert image_root(files) == '/data'
    assert image_root(Pictures()) == ''
    with pytest.raises(InputError, match=r'a/1\.png stands twice in the pool'):
        image_ids(files)
    files.shades = (0, 1, 2)
    assert image_ids(files) == ['a/1.png', 'b/1.png', 'c/1.png']


def test_without_a_file_it_is_the_whole_dataset():
    subset = PoolSubset(dict(type='Pictures'))
    assert (len(subset), subset.get_gt_labels().tolist()) == (4, [0, 1, 2, 0])
    assert subset[1] == dict(gt_label=1, gt_score=[1.0])
    assert subset.metainfo['classes'] == subset.CLASSES == ('a', 'b', 'c')


def test_a_file_chooses_the_images_and_gives_their_labels(tmp_path):
    ids = image_ids(Pictures())
    path = tmp_path / 'labeled.json'
    path.write_text(json.dumps([dict(id=ids[2], label=0), dict(id=ids[0]), dict(id=ids[1], label=[1, 2])]))
    subset = PoolSubset(dict(type='Pictures'), str(path))
    assert subset.ids == [ids[2], ids[0], ids[1]]
    assert [subset[row] for row in range(3)] == [dict(gt_label=0), {}, dict(gt_label=[1, 2])]
    assert (subset.get_cat_ids(0), subset.get_cat_ids(2)) == ([0], [1, 2])


def test_an_image_that_the_dataset_lacks_is_named(tmp_path):
    path = tmp_path / 'labeled.json'
    path.write_text(json.dumps([dict(id='other')]))
    with pytest.raises(InputError, match='names 1 images that the dataset lacks, e.g. other'):
        PoolSubset(dict(type='Pictures'), str(path))
