"""A metric that reads another annotation file than its dataset is refused, with the line to write."""

import json
import re

import pytest
from mmengine.config import Config

from mmal.engine.dry_run import dry_run
from mmal.engine.evaluator_files import check_evaluator_files
from mmal.errors import InputError

COCO = dict(type='CocoDataset')


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with data/a.json and data/b.json, which differ, and copy.json, the same as a.json."""
    (tmp_path / 'data').mkdir()
    for name, content in (('a', '{"images": [1]}'), ('b', '{"images": [2]}'), ('copy', '{"images": [1]}')):
        (tmp_path / f'data/{name}.json').write_text(content)
    (tmp_path / 'data/a.txt').write_text('1')
    (tmp_path / 'data/link.json').symlink_to('a.json')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cfg(dataset, evaluator, name='val'):
    return Config({f'{name}_dataloader': dict(dataset=dataset), f'{name}_evaluator': evaluator})


def metric(file, **more):
    return dict(type='CocoMetric', ann_file=file, **more)


@pytest.mark.parametrize('dataset', [
    dict(COCO, ann_file='data/a.json'),
    dict(COCO, data_root='data/', ann_file='a.json'),
    dict(COCO, data_root='data', ann_file='a.json', indices=3),
    dict(type='RepeatDataset', times=2, dataset=dict(COCO, ann_file='data/a.json')),
    dict(type='ConcatDataset', datasets=[dict(COCO, ann_file='data/a.json')])])
@pytest.mark.parametrize('file', ['data/a.json', './data/../data/a.json', 'data/link.json', 'data/copy.json'])
def test_the_same_file_by_any_path_passes(folder, dataset, file):
    check_evaluator_files(cfg(dataset, metric(file)))
    check_evaluator_files(cfg(dict(COCO, ann_file=str(folder / 'data/a.json')), metric(file)))


@pytest.mark.parametrize('evaluator', [
    None, dict(type='CocoMetric'), metric(None), metric(''), [dict(type='VOCMetric'), dict(type='CocoMetric')]])
def test_an_evaluator_without_a_file_passes(folder, evaluator):
    check_evaluator_files(cfg(dict(COCO, ann_file='data/a.json'), evaluator))


@pytest.mark.parametrize('name', ['val', 'test'])
@pytest.mark.parametrize(('dataset', 'file'), [
    (dict(COCO, ann_file='data/b.json'), 'data/b.json'),
    (dict(COCO, data_root='data/', ann_file='b.json'), 'data/b.json'),
    (dict(type='RepeatDataset', times=2, dataset=dict(COCO, data_root='data', ann_file='b.json')), 'data/b.json'),
    (dict(COCO, ann_file='s3://bucket/b.json', data_root='data'), 's3://bucket/b.json')])
def test_another_file_is_refused_with_the_line_to_write(folder, name, dataset, file):
    line = re.escape(f"Write {name}_evaluator = dict(ann_file='{file}').")
    with pytest.raises(InputError, match=f'{name}_evaluator: CocoMetric reads data/a.json, and .* {file}: .*{line}'):
        check_evaluator_files(cfg(dataset, metric('data/a.json'), name))


@pytest.mark.parametrize('evaluator', [
    [dict(type='CocoMetric', ann_file='data/b.json'), metric('data/a.json')],
    dict(type='Evaluator', metrics=[metric('data/a.json')])])
def test_a_metric_of_several_is_named(folder, evaluator):
    line = re.escape("Write in val_evaluator: dict(type='CocoMetric', ann_file='data/b.json', ...).")
    with pytest.raises(InputError, match=line):
        check_evaluator_files(cfg(dict(COCO, ann_file='data/b.json'), evaluator))


def test_a_file_that_is_not_there_is_said(folder):
    with pytest.raises(InputError, match=r'reads data/coco/val.json \(which does not exist\), and'):
        check_evaluator_files(cfg(dict(COCO, ann_file='data/a.json'), metric('data/coco/val.json')))
    with pytest.raises(InputError, match=r'images of labels/val.json \(which does not exist\): predictions'):
        check_evaluator_files(cfg(dict(COCO, ann_file='labels/val.json'), metric('data/a.json')))


def test_a_file_of_one_of_several_datasets_is_refused(folder):
    both = dict(type='ConcatDataset', datasets=[dict(COCO, ann_file=f'data/{part}.json') for part in 'ab'])
    with pytest.raises(InputError, match='reads data/a.json, and val_dataloader has images of 2 files: data/a.json, '
                                         'data/b.json.* Write one COCO file of all the images'):
        check_evaluator_files(cfg(both, metric('data/a.json')))


def coco(*names, start=1):
    return dict(images=[dict(id=n, file_name=name) for n, name in enumerate(names, start)])


MERGED = {
    'all images': ([coco('1.jpg', '2.jpg'), coco('3.jpg', start=3)], coco('x/1.jpg', '2.jpg', '3.jpg'), None),
    'one is not in it': ([coco('1.jpg', '2.jpg'), coco('3.jpg', start=3)], coco('x/1.jpg', '2.jpg'),
                         'the image 3 of data/b.json, 3.jpg, is not in it'),
    'another id': ([coco('1.jpg', '2.jpg'), coco('3.jpg', start=3)], coco('1.jpg', '3.jpg', '2.jpg'),
                   'the image 2 of data/a.json, 2.jpg, is 3.jpg there'),
    'ids of both begin at 1': ([coco('1.jpg'), coco('1.jpg')], coco('1.jpg', '2.jpg'),
                               'the image 1 of data/b.json, 1.jpg, has the id of 1.jpg in data/a.json'),
    'no file': ([coco('1.jpg'), coco('2.jpg', start=2)], None, 'which does not exist'),
}


@pytest.mark.parametrize('case', MERGED)
def test_a_file_for_several_datasets_has_all_of_their_images(folder, case):
    datasets, merged, message = MERGED[case]
    for name, content in zip(('a', 'b', 'merged'), (*datasets, merged), strict=True):
        if content is not None:
            (folder / f'data/{name}.json').write_text(json.dumps(content))
    both = dict(type='ConcatDataset', datasets=[dict(COCO, ann_file=f'data/{part}.json') for part in 'ab'])
    if message is None:
        check_evaluator_files(cfg(both, metric('data/merged.json')))
        return
    with pytest.raises(InputError, match=f'CocoMetric reads data/merged.json, .*{message}.* write one COCO file'):
        check_evaluator_files(cfg(both, metric('data/merged.json')))


def test_an_evaluator_with_a_metric_for_each_dataset_is_compared_pair_by_pair(folder):
    both = dict(type='ConcatDataset', datasets=[dict(COCO, ann_file=f'data/{part}.json') for part in 'ab'])
    evaluator = dict(type='MultiDatasetsEvaluator', dataset_prefixes=['a', 'b'])
    check_evaluator_files(cfg(both, dict(evaluator, metrics=[metric('data/a.json'), metric('data/b.json')])))
    with pytest.raises(InputError, match="reads data/a.json, and .*ann_file='data/b.json'"):
        check_evaluator_files(cfg(both, dict(evaluator, metrics=[metric('data/a.json'), metric('data/a.json')])))


def test_a_dataset_in_another_format_cannot_be_compared(folder):
    check_evaluator_files(cfg(dict(type='VOCDataset', ann_file='data/a.txt'), metric('data/b.json')))


@pytest.mark.parametrize('name', ['val', 'test'])
def test_a_dry_run_says_so_once_and_not_that_the_input_is_complete(make_cfg, dataset, name):
    run_cfg = make_cfg()
    run_cfg[f'{name}_evaluator'].ann_file = str(dataset / 'train.json')
    text, problems = dry_run(run_cfg)
    assert len(problems) == 1
    assert f"Write {name}_evaluator = dict(ann_file='{dataset / name}.json')." in problems[0]
    assert 'complete' not in text
