"""Boxes that are none, wherever a run takes boxes in: found at the start, and never counted."""

import json
import math
from pathlib import Path

import pytest
from mmdet.utils import register_all_modules

from mmal.adapters.detection.data import DetectionDataAdapter
from mmal.adapters.detection.listing import DetectionListing
from mmal.engine.dry_run import dry_run
from mmal.errors import InputError
from mmal.fileio.text import read_json
from mmal.run.history import read_points
from tests.conftest import make_voc
from tests.engine.tiny_run import go

pytestmark = pytest.mark.usefixtures('no_drawing')


@pytest.fixture(autouse=True)
def _mmdet():
    register_all_modules(init_default_scope=True)


def change_boxes(dataset, name, change, every=1):
    """Change every nth annotation of a file; json writes NaN as most readers and writers of Python do."""
    path = dataset / f'{name}.json'
    content = json.loads(path.read_text())
    for annotation in content['annotations'][::every]:
        annotation.update(change(*annotation['bbox']))
    path.write_text(json.dumps(content))
    return content


def to(*bbox, **more):
    return lambda x, y, w, h: dict(bbox=list(bbox), **more)


MOST = {
    'corners': (lambda x, y, w, h: dict(bbox=[x, y, x + w, y + h]), 'look like corners [x1, y1, x2, y2]'),
    'shares': (lambda x, y, w, h: dict(bbox=[x / 64, y / 48, w / 64, h / 48]), 'look like shares, expected pixels'),
    'negative': (lambda x, y, w, h: dict(bbox=[x + w, y + h, -w, -h]), 'have a width or height that is not above 0'),
    'zero': (to(1, 1, 0, 5), 'have a width or height that is not above 0'),
    'not finite': (to(math.nan, 1, 2, 3), 'have a number that is NaN or infinite'),
    'infinite': (to(1, 1, math.inf, 3), 'have a number that is NaN or infinite'),
    'outside': (to(100, 100, 5, 5), 'do not lie in their image'),
    'beyond the edge': (to(-20, 5, 30, 20), 'do not lie in their image'),
    'crowds': (lambda *bbox: dict(iscrowd=1), 'are crowds (iscrowd), which training passes over'),
}


@pytest.mark.parametrize('kind', MOST)
@pytest.mark.parametrize('name', ['train', 'val', 'test'])
def test_a_file_of_such_boxes_is_a_problem_of_the_dry_run(make_cfg, dataset, kind, name):
    change, said = MOST[kind]
    change_boxes(dataset, name, change)
    text, problems = dry_run(make_cfg())
    assert 'input:           see below' in text
    assert sum(said in problem for problem in problems) == 1
    assert f'{name}.json' in ' '.join(problems)


FEW = {
    'zero': to(1, 1, 0, 5),
    'negative': to(9, 9, -5, 5),
    'outside': to(100, 100, 5, 5),
    'tiny': to(5, 5, 0.5, 5),
}


@pytest.mark.parametrize('kind', FEW)
@pytest.mark.parametrize('name', ['train', 'val', 'test'])
def test_a_few_are_noted_by_the_dry_run(make_cfg, dataset, kind, name):
    change_boxes(dataset, name, FEW[kind], every=4)
    text, problems = dry_run(make_cfg())
    assert not problems
    note, = [line for line in text.splitlines() if line.startswith('NOTE')]
    assert f'{name}.json: ' in note
    assert 'are left out, as training drops them' in note


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('name', ['val', 'test'])
def test_one_number_that_is_not_finite_is_noted_and_kept_from_the_host(make_cfg, dataset, name, value):
    content = change_boxes(dataset, name, to(1, value, 5, 5), every=100)
    text, problems = dry_run(make_cfg())
    assert not problems
    note, = [line for line in text.splitlines() if line.startswith('NOTE')]
    assert f'1 of {len(content["annotations"])} boxes' in note
    cfg = make_cfg()
    DetectionDataAdapter(cfg).set_evaluation_files(cfg)
    read = json.loads(Path(cfg[f'{name}_dataloader'].dataset.ann_file).read_text())
    assert len(read['annotations']) == len(content['annotations']) - 1


@pytest.mark.parametrize('bbox', [[1, math.nan, 5, 5], [1, 1, math.inf, 5], [1, 1, 0, 5], [70, 70, 5, 5]])
def test_a_box_that_is_none_ends_no_round_and_costs_nothing(make_cfg, dataset, bbox):
    """One in each image, beside the right ones: all rounds cost what the right ones do."""
    path = dataset / 'train.json'
    content = json.loads(path.read_text())
    right = {image['id']: 0 for image in content['images']}
    for annotation in content['annotations']:
        right[annotation['image_id']] += 1
    for image_id in right:
        annotation = dict(id=1000 + image_id, image_id=image_id, category_id=1, bbox=bbox, area=25, iscrowd=0)
        content['annotations'].append(annotation)
    path.write_text(json.dumps(content))
    work_dir = go(make_cfg(sampler=dict(type='mmal.RandomSampler'), unit='box', query=5, rounds=3))
    for point in read_points(work_dir):
        file = work_dir / 'initial.json' if point['round'] == 0 else (
            work_dir / f'round_{point["round"] - 1:02d}' / 'labeled.json')
        ids = [image['id'] for image in read_json(file)['images']]
        assert point['boxes'] == sum(right[image_id] for image_id in ids)
        assert point['images'] == len(ids)


def test_empty_cells_of_a_table_that_became_a_file_end_no_round(make_cfg, dataset):
    """pandas writes NaN for them, which Python reads and JSON forbids."""
    path = dataset / 'train.json'
    content = json.loads(path.read_text())
    for entry in [*content['images'], *content['annotations']]:
        entry.update(score=math.nan, reviewed=math.inf, source='x')
    path.write_text(json.dumps(content))
    work_dir = go(make_cfg(sampler=dict(type='mmal.RandomSampler')))
    labeled = read_json(work_dir / 'round_00' / 'labeled.json')
    assert {'score', 'reviewed'}.isdisjoint(labeled['annotations'][0])
    assert labeled['annotations'][0]['source'] == labeled['images'][0]['source'] == 'x'


def test_the_pool_names_what_it_leaves_out(make_cfg, dataset):
    content = change_boxes(dataset, 'train', to(1, 1, 0, 5), every=5)
    data = DetectionDataAdapter(make_cfg())
    ids = [image['id'] for image in content['images']]
    left = [a for a in content['annotations'] if a['bbox'] != [1, 1, 0, 5]]
    assert sorted(a['id'] for a in data.ground_truth(ids)) == [a['id'] for a in left]
    note, = data.check_truth()
    n_left_out = len(content['annotations']) - len(left)
    assert f'train.json: {n_left_out} of {len(content["annotations"])} boxes' in note


def test_an_image_of_bad_boxes_alone_is_not_annotated(make_cfg, dataset):
    content = json.loads((dataset / 'train.json').read_text())
    for annotation in content['annotations']:
        if annotation['image_id'] == 3:
            annotation['bbox'] = [1, 1, 0, 0]
    (dataset / 'train.json').write_text(json.dumps(content))
    data = DetectionDataAdapter(make_cfg())
    assert data.annotated_ids == [image['id'] for image in content['images'] if image['id'] != 3]
    assert data.has_truth


def test_what_the_training_set_itself_holds_is_refused_without_a_usable_box(make_cfg, dataset):
    content = json.loads((dataset / 'train.json').read_text())
    content['annotations'] = content['annotations'][:2]
    (dataset / 'train.json').write_text(json.dumps(content))
    change_boxes(dataset, 'train', to(1, 1, 0, 0.5))
    _, problems = dry_run(make_cfg(initial='annotated'))
    assert len(problems) == 1
    assert 'train.json: none of the 2 boxes can be trained on: [1, 1, 0, 0.5] on set_001' in problems[0]


@pytest.mark.parametrize('more', [dict(bbox=[1, 1, 0, 5]), dict(iscrowd=1)])
def test_first_images_without_a_usable_box_are_a_problem_of_the_dry_run(make_cfg, dataset, tmp_path, more):
    """Only an image that is not among the first ones has a right box."""
    chosen = {image['id'] for image in read_json(go(make_cfg(tmp_path / 'other')) / 'initial.json')['images']}
    path = dataset / 'train.json'
    content = json.loads(path.read_text())
    for annotation in content['annotations']:
        if annotation['image_id'] in chosen:
            annotation.update(more)
    path.write_text(json.dumps(content))
    _, problems = dry_run(make_cfg())
    assert problems == [f'None of the {len(chosen)} first images to train on shows an object, so there is nothing to '
                        'learn. Raise train_cfg.initial.']


def test_people_may_label_a_pool_whose_own_boxes_are_none(make_cfg, dataset):
    change_boxes(dataset, 'train', MOST['corners'][0])
    _, problems = dry_run(make_cfg(oracle=dict(type='mmal.HumanOracle')))
    assert not problems


@pytest.mark.parametrize(('kind', 'message'), [('corners', 'look like corners'), ('shares', 'look like shares'),
                                               ('crowds', 'are crowds'), ('negative', 'not above 0')])
def test_a_selection_refuses_such_labels(make_cfg, dataset, kind, message):
    change_boxes(dataset, 'val', MOST[kind][0])
    with pytest.raises(InputError, match=f'val.json: .*{message}'):
        DetectionListing(make_cfg()).labeled_file(dataset / 'val.json', dataset)


def test_a_selection_leaves_a_few_out_and_says_so(make_cfg, dataset):
    content = change_boxes(dataset, 'val', to(1, math.nan, 5, 5), every=4)
    labeled = DetectionListing(make_cfg()).labeled_file(dataset / 'val.json', dataset)
    n_left_out = len(content['annotations'][::4])
    assert sum(len(image.labels) for image in labeled.images) == len(content['annotations']) - n_left_out
    assert f'val.json: {n_left_out} of {len(content["annotations"])} boxes' in labeled.notes[0]


def voc_cfg(make_cfg, root):
    """The tiny config with a tiny VOC2012 as its pool and evaluation."""
    cfg = make_cfg()
    for name in ('train', 'val', 'test'):
        part = 'train' if name == 'train' else 'val'
        loader = cfg[f'{name}_dataloader']
        loader.dataset = dict(
            type='VOCDataset', data_root=str(root), ann_file=f'VOC2012/ImageSets/Main/{part}.txt',
            data_prefix=dict(sub_data_root='VOC2012/'), metainfo=dict(classes=('cat', 'dog')),
            pipeline=list(loader.dataset.pipeline), test_mode=name != 'train')
    return cfg


def test_boxes_of_voc_are_examined_too(make_cfg, tmp_path):
    root = make_voc(tmp_path / 'voc')
    for path in sorted((root / 'VOC2012' / 'Annotations').glob('*.xml'))[:2]:
        path.write_text(path.read_text().replace('<xmax>40<', '<xmax>6<'))  # of dogs, which begin at 6
    data = DetectionDataAdapter(voc_cfg(make_cfg, root))
    note, = data.check_truth()
    assert '2 of 8 boxes (25.0 %) have a width or height that is not above 0' in note
    assert len(data.ground_truth(data.annotated_ids)) == 6
    for path in (root / 'VOC2012' / 'Annotations').glob('*.xml'):
        path.write_text(path.read_text().replace('<ymax>38<', '<ymax>1<'))
    with pytest.raises(InputError, match='8 of 8 boxes .* not above 0'):
        DetectionDataAdapter(voc_cfg(make_cfg, root)).check_truth()
    with pytest.raises(InputError, match='evaluation set, .*val.txt: 4 of 4 boxes'):
        data.check_dataset(data.reference_dataset('val'), 'evaluation set')
