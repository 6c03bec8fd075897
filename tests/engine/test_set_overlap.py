"""Whether the metric is measured on images that the choice is made for."""

import shutil

import pytest

from mmal.engine.dry_run import dry_run
from mmal.engine.set_overlap import shared_images
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

    assert shared_images(reference, evaluation, digest) == {str(tmp_path / '1'), str(tmp_path / 'link/2')}
    assert str(tmp_path / 'a' / '3') not in read, 'no file of another size is read'
    assert shared_images(reference, evaluation, None) == {str(tmp_path / 'link/2')}


def test_what_is_no_file_is_compared_by_its_name():
    assert shared_images(['s3://a/1.png', 'abc'], ['abc', 's3://a/2.png'], digest_file) == {'abc'}


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


def test_images_in_memory_are_compared_by_their_pixels(tmp_path):
    cfg = config('resnet_digits_isal.py')
    cfg.work_dir, cfg.launcher, cfg.visualizer.name = str(tmp_path / 'run'), 'none', str(tmp_path)
    assert 'no evaluation image is in the reference set' in dry_run(cfg)[0]
    cfg = config('resnet_digits_isal.py')
    cfg.work_dir, cfg.launcher, cfg.visualizer.name = str(tmp_path / 'run'), 'none', str(tmp_path / 'b')
    cfg.test_dataloader.dataset = cfg.val_dataloader.dataset
    assert 'evaluation images are in the reference set, too (compared by file and content)' in dry_run(cfg)[0]
