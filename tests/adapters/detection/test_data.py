import json

import pytest
import torch
from mmdet.utils import register_all_modules

from mmal.adapters.dataset_config import leaf_dataset
from mmal.adapters.detection.data import DetectionDataAdapter
from mmal.adapters.detection.pipelines import influence_pipeline
from mmal.errors import InputError
from tests.conftest import make_voc
from tests.zoo_configs import ROOT


@pytest.fixture(autouse=True)
def _mmdet():
    register_all_modules(init_default_scope=True)


def gt(item):
    return item['data_samples'].gt_instances


def test_pool_is_read_without_annotations_and_truth_apart(make_cfg, dataset):
    data = DetectionDataAdapter(make_cfg())
    raw = json.loads((dataset / 'train.json').read_text())
    assert data.images == raw['images']
    assert data.pool_contents() == dict(images=raw['images'], annotations=[], categories=raw['categories'])
    assert data.ground_truth([3, 1]) == [a for i in (3, 1) for a in raw['annotations'] if a['image_id'] == i]
    assert data.labeled_contents([3], data.ground_truth([3]))['images'] == [raw['images'][2]]
    assert data.missing_files() == []


def test_a_round_trains_on_the_labeled_file_alone(make_cfg, tmp_path):
    from mmengine.registry import DATASETS
    cfg = make_cfg()
    data = DetectionDataAdapter(cfg)
    (tmp_path / 'labeled.json').write_text(json.dumps(data.labeled_contents([3, 5], data.ground_truth([3, 5]))))
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=cfg.train_dataloader.dataset)
    data.set_training_set(cfg, tmp_path / 'labeled.json')
    built = DATASETS.build(cfg.train_dataloader.dataset)
    assert [built.get_data_info(i)['img_id'] for i in range(len(built))] == [3, 5, 3, 5]


@pytest.mark.parametrize('wrap', [
    lambda leaf: dict(type='RepeatDataset', times=2, dataset=leaf),
    lambda leaf: dict(type='ConcatDataset', datasets=[leaf]),
    lambda leaf: dict(type='RepeatDataset', times=2, dataset=dict(type='ConcatDataset', datasets=[leaf]))])
def test_an_evaluation_set_inside_others_is_examined_as_by_itself(wrap, make_cfg, dataset):
    from mmengine.registry import DATASETS
    cfg = make_cfg()
    leaf = cfg.test_dataloader.dataset.to_dict()
    data = DetectionDataAdapter(cfg)
    built = DATASETS.build(wrap(dict(leaf)))
    assert data.check_dataset(built, 'evaluation set') == []
    assert data.annotation_digest(built) == data.annotation_digest(DATASETS.build(dict(leaf)))
    content = json.loads((dataset / 'test.json').read_text())
    for annotation in content['annotations']:
        annotation['bbox'][2] = -1
    (dataset / 'test.json').write_text(json.dumps(content))
    with pytest.raises(InputError, match='evaluation set'):
        data.check_dataset(DATASETS.build(wrap(dict(leaf))), 'evaluation set')


@pytest.mark.parametrize(('kept', 'lacking'), [(0, "'disc', 'square'"), (1, "'square'")])
def test_a_class_without_a_category_is_refused(make_cfg, dataset, kept, lacking):
    content = json.loads((dataset / 'train.json').read_text())
    content.update(annotations=[], categories=content['categories'][:kept])
    (dataset / 'train.json').write_text(json.dumps(content))
    with pytest.raises(InputError, match=f'"categories" lack {lacking} of the config'):
        DetectionDataAdapter(make_cfg())


def test_the_project_of_roboflow_among_the_classes_is_told_to_be_none(make_cfg, dataset):
    content = json.loads((dataset / 'train.json').read_text())
    for category in content['categories']:
        category['supercategory'] = 'shapes'
    content['categories'].insert(0, dict(id=0, name='shapes', supercategory='none'))
    (dataset / 'train.json').write_text(json.dumps(content))
    cfg = make_cfg()
    cfg.train_dataloader.dataset.metainfo = dict(classes=('shapes', 'disc', 'square'))
    with pytest.raises(InputError, match=r"'shapes' is the supercategory of all.*Take it out of metainfo.classes of "
                                         'every dataset, and set num_classes=2'):
        DetectionDataAdapter(cfg)


def test_categories_in_another_order_than_the_classes_are_refused(make_cfg, dataset):
    """mmdet would take discs for squares."""
    content = json.loads((dataset / 'train.json').read_text())
    (dataset / 'train.json').write_text(json.dumps(dict(content, categories=content['categories'][::-1])))
    with pytest.raises(InputError, match='"categories" are square, disc, the classes disc, square'):
        DetectionDataAdapter(make_cfg())


def with_ids(path, ids):
    """Give the images of a file other ids."""
    content = json.loads(path.read_text())
    new_ids = dict(zip([image['id'] for image in content['images']], ids, strict=False))
    for image in content['images']:
        image['id'] = new_ids.get(image['id'], image['id'])
    for annotation in content['annotations']:
        annotation['image_id'] = new_ids.get(annotation['image_id'], annotation['image_id'])
    path.write_text(json.dumps(content))


def test_two_images_of_the_pool_do_not_read_alike(make_cfg, dataset):
    """A file of labels names images by the text of their ids."""
    with_ids(dataset / 'train.json', [5, 105, 3, 4, '5'])
    with pytest.raises(InputError, match="train.json: the image id '5' stands 2 times. Ids must be unique, as text"):
        DetectionDataAdapter(make_cfg())
    with_ids(dataset / 'train.json', [2**70])
    assert DetectionDataAdapter(make_cfg()).images[0]['id'] == 2**70


def test_pycocotools_sorts_image_ids_of_one_kind(make_cfg, dataset):
    from mmengine.registry import DATASETS
    with_ids(dataset / 'test.json', ['a'])
    cfg = make_cfg()
    with pytest.raises(InputError, match=r"test.json: image ids are numbers and text, as 202 and 'a'. Expected either"):
        DetectionDataAdapter(cfg).check_dataset(DATASETS.build(cfg.test_dataloader.dataset), 'evaluation set')


def test_several_datasets_are_no_pool():
    one = dict(type='CocoDataset')
    assert leaf_dataset(dict(type='RepeatDataset', dataset=dict(type='ConcatDataset', datasets=[one]))) is one
    with pytest.raises(InputError, match='ConcatDataset of 2'):
        leaf_dataset(dict(type='ConcatDataset', datasets=[one, one]))


def test_boxes_are_resized_with_the_image(make_cfg, dataset):
    """mmdet's test pipelines load boxes after Resize; a loss on them would be wrong."""
    cfg = make_cfg()
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.pipeline[1].update(scale=(128, 96))
    item = DetectionDataAdapter(cfg).reference_dataset('val')[0]
    raw = json.loads((dataset / 'val.json').read_text())
    x, y, w, h = next(a['bbox'] for a in raw['annotations'] if a['image_id'] == 101)
    torch.testing.assert_close(gt(item).bboxes.tensor[0], 2.0 * torch.tensor([x, y, x + w, y + h]))
    assert item['inputs'].shape == (3, 96, 128)


def test_pool_items_carry_no_annotation(make_cfg, tmp_path):
    data = DetectionDataAdapter(make_cfg())
    (tmp_path / 'pool.json').write_text(json.dumps(data.pool_contents()))
    pool = data.pool_dataset(str(tmp_path / 'pool.json'))
    assert len(pool) == 14
    assert 'bboxes' not in gt(pool[0])


def test_influence_pipeline_moves_or_drops_the_annotation_step():
    steps = [dict(type='LoadImageFromFile'), dict(type='Resize'), dict(type='mmdet.LoadAnnotations'), dict(type='Pack')]
    mask = dict(type='LoadAnnotations', with_mask=True)
    types = [s['type'] for s in influence_pipeline(steps, mask)]
    assert types == ['LoadImageFromFile', 'LoadAnnotations', 'Resize', 'Pack']
    assert influence_pipeline(steps, mask)[1] == mask
    assert [s['type'] for s in influence_pipeline(steps, None)] == ['LoadImageFromFile', 'Resize', 'Pack']


def test_reference_may_be_a_dataset_of_its_own(make_cfg):
    cfg = make_cfg()
    data = DetectionDataAdapter(cfg)
    assert len(data.reference_dataset(cfg.test_dataloader.dataset)) == 4
    with pytest.raises(InputError, match="reference='val'"):
        data.reference_dataset('testing')


@pytest.fixture
def voc(tmp_path):
    return make_voc(tmp_path / 'VOCdevkit')


def voc_cfg(root):
    from mmengine.config import Config
    cfg = Config.fromfile(ROOT / 'configs' / 'fcos_voc2012_isal.py')
    for name in ('train', 'val', 'test'):
        cfg[f'{name}_dataloader'].dataset.data_root = f'{root}/'
    return cfg


def test_voc_is_converted_and_trains_as_coco(voc, tmp_path):
    from mmengine.registry import DATASETS
    cfg = voc_cfg(voc)
    data = DetectionDataAdapter(cfg)
    assert [i['id'] for i in data.images] == [f'2008_{i:06d}' for i in range(4)]
    assert data.missing_files() == []
    cat, dog = data.ground_truth(['2008_000002'])
    assert (cat['bbox'], cat['iscrowd'], dog['iscrowd']) == ([2.0, 2.0, 34.0, 35.0], 0, 1)
    assert data.categories[cat['category_id'] - 1]['name'] == 'cat'
    ids = ['2008_000003', '2008_000001']
    (tmp_path / 'labeled.json').write_text(json.dumps(data.labeled_contents(ids, data.ground_truth(ids))))
    data.set_training_set(cfg, tmp_path / 'labeled.json')
    trained = DATASETS.build(dict(cfg.train_dataloader.dataset, filter_cfg=None))
    original = DATASETS.build(dict(voc_cfg(voc).train_dataloader.dataset, filter_cfg=None))
    for i, row in enumerate((3, 1)):
        a, b = trained.get_data_info(i), original.get_data_info(row)
        assert (a['img_path'], a['img_id']) == (b['img_path'], b['img_id'])
        assert [(x['bbox'], x['bbox_label'], x['ignore_flag']) for x in a['instances']] == [
            (x['bbox'], x['bbox_label'], x['ignore_flag']) for x in b['instances']]
    assert len(gt(data.labeled_dataset(str(tmp_path / 'labeled.json'))[0])) == 1
    assert len(data.reference_dataset('val')) == 2


def test_the_checksum_of_a_voc_set_is_of_the_list_and_of_each_file_in_it(voc):
    data = DetectionDataAdapter(voc_cfg(voc))
    before = [data.annotation_digest(), data.annotation_digest(data.reference_dataset('val'))]
    assert before[0].startswith('train.txt and 4 more, sha256 ')
    path = voc / 'VOC2012' / 'Annotations' / '2008_000001.xml'
    path.write_text(path.read_text().replace('<ymax>38', '<ymax>37'))
    assert data.annotation_digest() != before[0]
    assert data.annotation_digest(data.reference_dataset('val')) == before[1]


def test_voc_names_the_config_lacks_are_an_error(voc):
    path = voc / 'VOC2012' / 'Annotations' / '2008_000001.xml'
    path.write_text(path.read_text().replace('cat', 'unicorn'))
    with pytest.raises(InputError, match=r"2008_000001.xml: it has boxes of 'unicorn', which the"):
        DetectionDataAdapter(voc_cfg(voc))
