import json

import numpy as np
import pytest
from mmengine.config import Config
from mmpretrain.utils import register_all_modules
from PIL import Image

from mmal.adapters import build_data_adapter
from mmal.datasets.pool_subset import digest_in_id, image_ids
from mmal.errors import InputError
from mmal.fileio.text import read_json
from tests.zoo_configs import ROOT

PACK = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]


@pytest.fixture
def folders(tmp_path):
    """Two classes, three pictures each, as mmpretrain's CustomDataset reads them."""
    register_all_modules(init_default_scope=True)
    for split in ('train', 'val'):
        for label in ('cat', 'dog'):
            (tmp_path / split / label).mkdir(parents=True)
            for i in range(3):
                Image.fromarray(np.full((8, 8, 3), 40 * i, np.uint8)).save(tmp_path / split / label / f'{i}.png')

    def dataset(split):
        return dict(type='CustomDataset', data_root=str(tmp_path), data_prefix=split, with_label=True, pipeline=PACK)

    return Config(dict(default_scope='mmpretrain', train_dataloader=dict(dataset=dataset('train')),
                       val_dataloader=dict(dataset=dataset('val'))))


def test_ids_are_file_names_and_labels_are_kept_apart(folders, tmp_path):
    data = build_data_adapter(folders)
    assert [i['id'] for i in data.images] == [f'{c}/{i}.png' for c in ('cat', 'dog') for i in range(3)]
    assert data.classes == ('cat', 'dog')
    assert 'label' not in json.dumps(data.pool_contents())
    assert data.ground_truth(['dog/1.png']) == [dict(id='dog/1.png', label=1)]
    assert data.image_path('cat/0.png').endswith('train/cat/0.png')
    assert data.is_local
    assert not data.missing_files()


def test_the_checksum_is_of_the_labels_whatever_their_order(folders, tmp_path):
    data, again = build_data_adapter(folders), build_data_adapter(folders)
    val = [build_data_adapter(folders).reference_dataset('val') for _ in range(2)]
    again._truth = dict(reversed(again._truth.items()))
    assert data.annotation_digest() == again.annotation_digest()
    assert data.annotation_digest(val[0]) == data.annotation_digest(val[1])
    (tmp_path / 'val' / 'cat' / '0.png').rename(tmp_path / 'val' / 'dog' / '9.png')
    assert data.annotation_digest(data.reference_dataset('val')) != data.annotation_digest(val[0])
    again._truth['cat/0.png'] = 1
    assert data.annotation_digest() != again.annotation_digest()


def test_labels_come_from_the_file_and_the_pool_has_none(folders, tmp_path):
    data = build_data_adapter(folders)
    (tmp_path / 'pool.json').write_text(json.dumps(data.pool_contents()))
    pool = data.pool_dataset(str(tmp_path / 'pool.json'))
    assert data.row_index(pool)['dog/2.png'] == 5
    assert all('gt_label' not in pool[i]['data_samples'] for i in range(6))
    answers = data.labeled_contents(['dog/1.png', 'cat/0.png'],
                                    [dict(id='cat/0.png', label=1), dict(id='dog/1.png', label=0)])
    (tmp_path / 'labeled.json').write_text(json.dumps(answers))
    labeled = data.labeled_dataset(str(tmp_path / 'labeled.json'))
    assert [int(labeled[i]['data_samples'].gt_label) for i in range(2)] == [0, 1], 'as labeled, not as the folder says'
    assert data.read_labeled(tmp_path / 'labeled.json') == (['dog/1.png', 'cat/0.png'], answers)
    assert data.read_labeled(tmp_path / 'none.json') == ([], [])


def test_a_round_trains_on_the_labeled_file_alone_inside_wrappers(folders, tmp_path):
    folders.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=folders.train_dataloader.dataset)
    data = build_data_adapter(folders)
    answers = data.labeled_contents(['cat/2.png'], [dict(id='cat/2.png', label=0)])
    (tmp_path / 'labeled.json').write_text(json.dumps(answers))
    data.set_training_set(folders, str(tmp_path / 'labeled.json'))
    from mmengine.registry import DATASETS
    dataset = DATASETS.build(folders.train_dataloader.dataset)
    assert len(dataset) == 2
    assert int(dataset[0]['data_samples'].gt_label) == 0


def test_images_without_files_have_ids_of_their_pixels():
    cfg = Config.fromfile(ROOT / 'configs' / 'resnet_digits_isal.py')
    register_all_modules(init_default_scope=True)
    ids = [i['id'] for i in build_data_adapter(cfg).images]
    assert len(set(ids)) == len(ids) == 1000
    assert build_data_adapter(cfg).pixel_digest(ids[0]) == ids[0]
    assert ids[:2] == [i['id'] for i in build_data_adapter(cfg).images][:2]


def test_identical_images_without_files_are_told_apart():

    class Twice:
        data_prefix, data_root = {}, ''

        def __len__(self):
            return 3

        def get_data_info(self, row):
            return dict(img=np.full((2, 2, 3), row // 2, np.uint8))

    first, second, third = image_ids(Twice())
    assert second == f'{first}-2'
    assert third != first
    assert digest_in_id(second) == digest_in_id(first) != digest_in_id(third), 'copies are known by their pixels'


def test_bad_input_is_named(folders, tmp_path):
    data = build_data_adapter(folders)
    (tmp_path / 'x.json').write_text(json.dumps([dict(id='cat/9.png', label=0)]))
    with pytest.raises(InputError, match='lacks, e.g. cat/9.png'):
        data.labeled_dataset(str(tmp_path / 'x.json'))
    reference = data.reference_dataset('val')
    (tmp_path / 'val' / 'cat' / '0.png').unlink()
    with pytest.raises(InputError, match='1 of 6 image files of the reference set'):
        data.check_dataset(reference, 'reference set')
    (tmp_path / 'val' / 'bird').mkdir()
    Image.new('RGB', (8, 8)).save(tmp_path / 'val' / 'bird' / '0.png')
    with pytest.raises(InputError, match="val: mmpretrain numbers .*'bird' would be a class of its own"):
        data.check_dataset(data.reference_dataset('val'), 'reference set')
    with pytest.raises(InputError, match='no label, so|has no label'):
        data.ground_truth(['nowhere.png'])


def test_several_labels_survive_the_round_trip(tmp_path):
    register_all_modules(init_default_scope=True)
    for i in range(2):
        Image.new('RGB', (8, 8), (i, 0, 0)).save(tmp_path / f'{i}.png')
    content = dict(metainfo=dict(classes=['a', 'b', 'c']),
                   data_list=[dict(img_path='0.png', gt_label=[0, 2]), dict(img_path='1.png', gt_label=[])])
    (tmp_path / 'all.json').write_text(json.dumps(content))
    leaf = dict(type='MultiLabelDataset', data_root=str(tmp_path), ann_file='all.json', pipeline=PACK)
    cfg = Config(dict(default_scope='mmpretrain', train_dataloader=dict(dataset=leaf),
                      val_dataloader=dict(dataset=leaf)))
    data = build_data_adapter(cfg)
    assert data.ground_truth(['0.png', '1.png']) == [dict(id='0.png', label=[0, 2]), dict(id='1.png', label=[])]
    (tmp_path / 'l.json').write_text(json.dumps(data.ground_truth(['0.png', '1.png'])))
    labeled = data.labeled_dataset(str(tmp_path / 'l.json'))
    assert labeled[0]['data_samples'].gt_label.tolist() == [0, 2]
    assert read_json(tmp_path / 'l.json')[1]['label'] == []
