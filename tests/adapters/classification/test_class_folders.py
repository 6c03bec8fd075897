"""A folder of images per class: folders that would be numbered as other classes are refused with what to do."""

import re
import shutil

import pytest
from mmpretrain.utils import register_all_modules
from PIL import Image

from mmal.adapters.classification.data import ClassificationDataAdapter
from mmal.engine.dry_run import dry_run
from mmal.errors import InputError
from tests.zoo_configs import config

CLASSES = ('cat', 'cow', 'dog')


@pytest.fixture
def root(tmp_path):
    """Folders ``train`` and ``val``, each with two images of each class."""
    for part in ('train', 'val'):
        for n, name in enumerate(CLASSES):
            (tmp_path / 'set' / part / name).mkdir(parents=True)
            for k in range(2):
                pixels = (90 * n, 100 * k + 9, 40 if part == 'train' else 200)
                Image.new('RGB', (32, 32), pixels).save(tmp_path / 'set' / part / name / f'{k}.png')
    return tmp_path / 'set'


@pytest.fixture
def cfg(root, tmp_path):
    """A tiny run on them."""
    register_all_modules(init_default_scope=True)
    cfg = config('resnet_digits_isal.py')
    steps = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    for name in ('train', 'val', 'test'):
        loader = cfg.get(f'{name}_dataloader')
        if loader is None:
            continue
        part = 'train' if name == 'train' else 'val'
        loader.dataset = dict(type='CustomDataset', data_root=str(root), data_prefix=part, pipeline=steps)
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
    cfg.model.head.num_classes = 3
    cfg.train_cfg.update(initial=2, query=1, rounds=2, sampler=dict(type='mmal.RandomSampler'))
    cfg.custom_hooks = []
    cfg.work_dir, cfg.launcher = str(tmp_path / 'run'), 'none'
    return cfg


def pool_problem(cfg):
    with pytest.raises(InputError) as raised:
        ClassificationDataAdapter(cfg)
    return str(raised.value)


def evaluation_problem(cfg):
    """What a dry run says of the evaluation set; it has nothing else to say, and does not call the input complete."""
    text, problems = dry_run(cfg)
    assert len(problems) == 1
    assert 'complete' not in text
    return problems[0]


def move(root, part, old, new):
    (root / part / old).rename(root / part / new)


SPOILT = {
    'hidden folder': (lambda part: (part / '.ipynb_checkpoints').mkdir(),
                      "would take '.ipynb_checkpoints' for a class, and number the others anew. Remove it: rm -r "),
    'folder of Mac': (lambda part: (part / '__MACOSX').mkdir(), "would take '__MACOSX' for a class"),
    'no image': (lambda part: [path.unlink() for path in part.glob('*/*')], 'no image in its folders, of .bmp, .jpeg'),
    'webp': (lambda part: (part / 'cat' / '0.png').rename(part / 'cat' / '0.webp'),
             "1 images with the suffix .webp would be passed over. Write extensions=('.bmp', '.jpeg', '.jpg'"),
    'no such folder': (lambda part: part.rename(part.parent / 'elsewhere'), 'there is no such folder. Expected'),
    'no class': (lambda part: [shutil.rmtree(path) for path in part.iterdir()], 'for each class, found no folder'),
}


@pytest.mark.parametrize('case', SPOILT)
def test_folders_that_are_no_classes_are_refused_in_the_pool(root, cfg, case):
    spoil, message = SPOILT[case]
    spoil(root / 'train')
    assert message in pool_problem(cfg)


@pytest.mark.parametrize('case', SPOILT)
def test_a_dry_run_refuses_them_in_the_evaluation_set(root, cfg, case):
    assert dry_run(cfg)[1] == []
    spoil, message = SPOILT[case]
    spoil(root / 'val')
    assert message in evaluation_problem(cfg)


def test_a_folder_too_high_is_named(root, cfg):
    cfg.train_dataloader.dataset.data_prefix = ''
    text = pool_problem(cfg)
    assert "its folders are 'train', 'val', parts of a data set and not classes" in text
    assert "as data_prefix='train'" in text


def test_a_class_without_a_folder_in_the_evaluation_set_would_shift_the_others(root, cfg):
    shutil.rmtree(root / 'val' / 'cow')
    text = evaluation_problem(cfg)
    assert "there is no folder for 'cow', which the pool has; an empty one keeps the numbers: mkdir " in text
    command = re.search(r'mkdir (\S+?)\.$', text).group(1)
    (root / 'val' / 'cow').mkdir()
    assert command == str(root / 'val' / 'cow')
    assert dry_run(cfg)[1] == []


def test_another_folder_in_the_evaluation_set_is_named(root, cfg):
    (root / 'val' / 'bird').mkdir()
    assert "'bird' would be a class of its own; move it elsewhere" in evaluation_problem(cfg)
    move(root, 'val', 'cow', 'calf')
    text = evaluation_problem(cfg)
    assert "no folder for 'cow'" in text
    assert "'bird', 'calf' would be a class" in text


def test_names_in_another_order_than_the_folders_are_refused(cfg):
    cfg.train_dataloader.dataset.metainfo = dict(classes=('dog', 'cat', 'cow'))
    text = pool_problem(cfg)
    assert 'the classes in another order' in text
    assert "Write metainfo=dict(classes=('cat', 'cow', 'dog')) in every dataset" in text
    cfg.train_dataloader.dataset.metainfo = dict(classes=CLASSES)
    assert ClassificationDataAdapter(cfg).classes == CLASSES


def test_names_unlike_all_folders_are_refused(cfg):
    cfg.train_dataloader.dataset.metainfo = dict(classes=('Katze', 'Kuh', 'Hund'))
    text = pool_problem(cfg)
    assert 'no folder is called like a class' in text
    assert 'call them like the classes, or leave metainfo.classes out' in text


def test_folders_in_folders_and_files_that_are_no_images_are_no_fault(root, cfg):
    (root / 'train' / 'cat' / 'tabby').mkdir()
    (root / 'train' / 'cat' / '0.png').rename(root / 'train' / 'cat' / 'tabby' / '0.png')
    (root / 'train' / 'cat' / 'Thumbs.db').write_text('')
    (root / 'train' / 'labels.txt').write_text('')
    assert len(ClassificationDataAdapter(cfg).images) == 6
    assert dry_run(cfg)[1] == []


def test_a_class_without_an_image_keeps_its_number(root, cfg):
    for path in (root / 'train' / 'cow').iterdir():
        path.unlink()
    data = ClassificationDataAdapter(cfg)
    assert data.classes == CLASSES
    assert {label['label'] for label in data.ground_truth(data.annotated_ids)} == {0, 2}
