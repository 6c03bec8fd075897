"""Whether the metric is measured on images that the choice is made for."""

import html
import shutil

import pytest

from mmal.engine.dry_run import dry_run
from mmal.engine.set_overlap import counterparts, repeated_images
from mmal.errors import InputError
from mmal.fileio.checksummed import digest_file, read_checksummed
from mmal.fileio.text import read_json, write_json
from mmal.run.overlap import overlap_caution
from tests.zoo_configs import config

pytestmark = pytest.mark.usefixtures('no_drawing')
CAUTION = '4 of the 4 evaluation images are in the reference set, too'
RANDOM = dict(type='mmal.RandomSampler')


def test_files_are_compared_by_path_then_by_content_where_sizes_are_the_same(tmp_path):
    (tmp_path / 'a').mkdir()
    for name, content in {'a/1': 'same', 'a/2': 'other', 'a/3': 'longer than any', '1': 'same', '2': 'OTHER',
                          '3': 'short'}.items():
        (tmp_path / name).write_text(content)
    (tmp_path / 'link').symlink_to(tmp_path / 'a')
    reference = [str(tmp_path / 'a' / n) for n in '123']
    evaluation = [str(tmp_path / n) for n in ('1', '2', '3', 'link/2')]
    read = []

    def digest(path):
        read.append(path)
        return digest_file(path)

    by_path = {str(tmp_path / 'link/2'): str(tmp_path / 'a' / '2')}
    assert counterparts(reference, evaluation, digest) == {str(tmp_path / '1'): str(tmp_path / 'a' / '1')} | by_path
    assert str(tmp_path / 'a' / '3') not in read, 'no file of another size is read'
    assert counterparts(reference, evaluation, None) == by_path


def test_what_is_no_file_is_compared_by_its_name():
    assert counterparts(['s3://a/1.png', 'abc'], ['abc', 's3://a/2.png'], digest_file) == {'abc': 'abc'}


def test_images_that_stand_in_a_set_twice_are_found_by_name_path_and_content(tmp_path):
    for name, content in {'1': 'same', '2': 'OTHER', '3': 'same', '4': 'diff'}.items():
        (tmp_path / name).write_text(content)
    (tmp_path / '5').symlink_to(tmp_path / '2')
    names = [str(tmp_path / n) for n in '12345'] + ['abc', 's3://a', 'abc']
    same_file = {str(tmp_path / '5'): str(tmp_path / '2'), 'abc': 'abc'}
    assert repeated_images(names, digest_file) == same_file | {str(tmp_path / '3'): str(tmp_path / '1')}
    assert repeated_images(names, None) == same_file


def test_a_caution_only_where_images_are_shared():
    assert overlap_caution(None) is None
    assert overlap_caution(dict(images=0, evaluation=4, by='x')) is None
    assert overlap_caution(dict(images=1, evaluation=4, by='x')).startswith('1 of the 4 evaluation images')


def log_of(work_dir):
    return '\n'.join(p.read_text() for p in sorted(work_dir.glob('2*/*.log')))


def test_a_test_set_that_is_the_reference_set_is_said_everywhere(make_cfg, run, dataset, tmp_path):
    """As in mmdet's own configs. Here the images are copies, under other names."""
    content = read_json(dataset / 'val.json')
    for image in content['images']:
        shutil.copy(dataset / image['file_name'], dataset / f'copy_{image["file_name"]}')
        image['file_name'] = f'copy_{image["file_name"]}'
    write_json(dataset / 'test.json', content)
    cfg = make_cfg(rounds=1, max_epochs=1)
    assert f'NOTE: {CAUTION}' in dry_run(cfg)[0]
    work_dir = run(make_cfg(rounds=1, max_epochs=1))
    assert f'{CAUTION} (compared by file and content)' in log_of(work_dir)
    assert "Set StestHook(reference='holdout'), or another test_dataloader" in log_of(work_dir)
    assert read_checksummed(work_dir / 'run.json')['overlap'] == dict(images=4, evaluation=4, by='file and content')
    assert CAUTION in (work_dir / 'report.html').read_text()
    by_name = dry_run(make_cfg(tmp_path / 'names', check_images=False))[0]
    assert 'no evaluation image is in the reference set (compared by file name alone)' in by_name
    shared = make_cfg(tmp_path / 'names', check_images=False)
    shared.test_dataloader.dataset.ann_file = 'val.json'
    shared.test_evaluator.ann_file = str(dataset / 'val.json')
    assert f'{CAUTION} (compared by file name alone)' in dry_run(shared)[0]


def test_nothing_is_said_of_sets_that_are_apart_or_where_none_is_needed(make_cfg, run):
    work_dir = run(make_cfg(rounds=1, max_epochs=1))
    assert read_checksummed(work_dir / 'run.json')['overlap'] == dict(images=0, evaluation=4, by='file and content')
    assert 'optimistic' not in log_of(work_dir)
    assert 'optimistic' not in (work_dir / 'report.html').read_text()
    cfg = make_cfg(sampler=RANDOM)
    assert 'overlap:         nothing to compare' in dry_run(cfg)[0]


def copy_into(dataset, ann_file, images, name='{}'):
    """Copies of images of the pool in another set, with a box each."""
    content = read_json(dataset / ann_file)
    for n in images:
        file_name = name.format(f'set_{n:03d}.png')
        if name != '{}':
            shutil.copy(dataset / f'set_{n:03d}.png', dataset / file_name)
        new = 900 + n
        content['images'].append(dict(id=new, file_name=file_name, width=64, height=48))
        content['annotations'].append(dict(id=new, image_id=new, category_id=1, bbox=[4, 4, 9, 9], area=81, iscrowd=0))
    write_json(dataset / ann_file, content)


@pytest.mark.parametrize(('name', 'shown'), [('{}', 'set_002.png, set_005.png'), (
    'copy_{}', 'set_002.png (there copy_set_002.png), set_005.png (there copy_set_005.png)')])
def test_images_of_the_pool_to_evaluate_with_are_refused_or_dropped_or_kept_and_said(
        make_cfg, run, dataset, tmp_path, name, shown):
    copy_into(dataset, 'test.json', (2, 5), name)
    fact = f'in the evaluation set, too (compared by file and content): {shown}.'
    plan, problems = dry_run(make_cfg(sampler=RANDOM))
    assert len(problems) == 1
    assert f'PROBLEM: 2 images of the pool are {fact}' in plan
    assert '--drop' in plan
    assert 'the annotation file of test_dataloader.dataset' in plan
    with pytest.raises(InputError, match='2 images of the pool are in the evaluation set, too'):
        run(make_cfg(sampler=RANDOM))
    plan, problems = dry_run(make_cfg(sampler=RANDOM, drop_evaluation_images=True))
    assert problems == []
    assert 'pool:            12 images' in plan
    assert f'NOTE: 2 images are left out of the pool, because they are {fact}' in plan
    cfg = make_cfg(tmp_path / 'drop', sampler=RANDOM, rounds=3, query=6, max_epochs=1, drop_evaluation_images=True)
    work_dir = run(cfg)
    assert ids_of(work_dir / 'pool.json') == set(range(1, 15)) - {2, 5}
    assert ids_of(work_dir / 'round_00' / 'labeled.json') == set(range(1, 15)) - {2, 5}, 'the pool is used up'
    record = dict(set='evaluation set', images=2, shown=shown.split(', '), by='file and content', dropped=True)
    assert read_checksummed(work_dir / 'run.json')['pool_overlaps'] == [record]
    page = html.unescape((work_dir / 'report.html').read_text())
    assert f'2 images are left out of the pool, because they are {fact}' in log_of(work_dir)
    assert f'2 images are left out of the pool, because they are {fact}' in page
    work_dir = run(make_cfg(tmp_path / 'keep', sampler=RANDOM, rounds=1, max_epochs=1, drop_evaluation_images=False))
    caution = f'2 images of the pool are {fact} Models that are trained on them are measured on what they learned'
    assert caution in log_of(work_dir)
    assert caution in html.unescape((work_dir / 'report.html').read_text())
    assert len(ids_of(work_dir / 'pool.json')) == 14


def ids_of(file):
    return {image['id'] for image in read_json(file)['images']}


def test_a_run_with_dropped_images_goes_on_with_the_same_pool_and_with_new_ones(make_cfg, run, dataset):
    copy_into(dataset, 'test.json', (2,))
    cfg = make_cfg(sampler=RANDOM, rounds=1, max_epochs=1, drop_evaluation_images=True)
    work_dir = run(cfg)
    copy_into(dataset, 'train.json', (1,), 'new_{}')
    shutil.copy(dataset / 'set_203.png', dataset / 'leak.png')
    content = read_json(dataset / 'train.json')
    content['images'].append(dict(id=99, file_name='leak.png', width=64, height=48))
    write_json(dataset / 'train.json', content)
    cfg = make_cfg(sampler=RANDOM, rounds=2, max_epochs=1, drop_evaluation_images=True, pool_grew=True)
    cfg.resume = True
    assert run(cfg) == work_dir
    assert ids_of(work_dir / 'pool.json') == set(range(1, 15)) - {2} | {901}, 'not 99, which is in the evaluation set'
    assert len(read_json(work_dir / 'curve.json')) == 2
    assert read_checksummed(work_dir / 'run.json')['pool_overlaps'][0]['images'] == 2


def test_labels_that_are_given_lose_those_of_dropped_images(make_cfg, dataset):
    copy_into(dataset, 'test.json', (2, 5))
    shutil.copy(dataset / 'train.json', dataset / 'given.json')
    content = read_json(dataset / 'given.json')
    content['images'] = content['images'][:6]
    content['annotations'] = [box for box in content['annotations'] if box['image_id'] <= 6]
    write_json(dataset / 'given.json', content)
    plan, problems = dry_run(make_cfg(sampler=RANDOM, initial=str(dataset / 'given.json'), drop_evaluation_images=True))
    assert problems == []
    assert '4 images labeled already' in plan


@pytest.mark.parametrize('drop', [None, True])
def test_an_evaluation_set_that_is_the_pool_is_refused_by_the_line_to_change(make_cfg, dataset, drop):
    cfg = make_cfg(sampler=RANDOM)
    if drop:
        cfg.train_cfg.drop_evaluation_images = True
    cfg.test_dataloader.dataset.ann_file = 'train.json'
    cfg.test_evaluator.ann_file = str(dataset / 'train.json')
    plan, problems = dry_run(cfg)
    assert len(problems) == 1
    assert 'All 14 images of the pool are in the evaluation set, too. ' in plan
    assert 'Name other images in test_dataloader.dataset: ' in plan
    assert ('drop_evaluation_images=False' in plan) == (drop is None)


def test_images_of_the_pool_in_the_reference_set_are_said(make_cfg, run, dataset):
    copy_into(dataset, 'val.json', (7,))
    caution = ('1 images of the pool are in the reference set, too (compared by file and content): set_007.png. '
               'Such an image ranks high because labeling it lowers its own loss')
    plan, problems = dry_run(make_cfg())
    assert problems == []
    assert f'NOTE: {caution}' in plan
    assert caution in log_of(run(make_cfg(rounds=1, max_epochs=1)))


def test_images_that_stand_in_the_evaluation_set_twice_are_named(make_cfg, run, dataset):
    shutil.copy(dataset / 'set_203.png', dataset / 'again.png')
    content = read_json(dataset / 'test.json')
    content['images'].append(dict(id=900, file_name='again.png', width=64, height=48))
    write_json(dataset / 'test.json', content)
    note = ('1 images of the evaluation set are others of it again (compared by file and content): again.png is '
            'set_203.png. Each counts twice in the metric')
    plan, problems = dry_run(make_cfg(sampler=RANDOM))
    assert problems == []
    assert f'NOTE: {note}' in plan
    assert note in log_of(run(make_cfg(sampler=RANDOM, rounds=1, max_epochs=1)))


def test_images_in_memory_are_compared_by_their_pixels(tmp_path):
    cfg = config('resnet_digits_isal.py')
    cfg.work_dir, cfg.launcher, cfg.visualizer.name = str(tmp_path / 'run'), 'none', str(tmp_path)
    assert 'no evaluation image is in the reference set' in dry_run(cfg)[0]
    cfg = config('resnet_digits_isal.py')
    cfg.work_dir, cfg.launcher, cfg.visualizer.name = str(tmp_path / 'run'), 'none', str(tmp_path / 'b')
    cfg.test_dataloader.dataset = cfg.val_dataloader.dataset
    assert 'evaluation images are in the reference set, too (compared by file and content)' in dry_run(cfg)[0]
