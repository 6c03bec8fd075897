"""Images and file names as real folders have them: they work, or are named and left out, or refused before training."""

import json
import os
import shutil
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import ExifTags, Image

from mmal.adapters import build_data_adapter
from mmal.errors import InputError
from mmal.fileio.text import read_csv, read_json
from tests.zoo_configs import config

pytestmark = pytest.mark.usefixtures('no_drawing')
RANDOM = dict(sampler=dict(type='mmal.RandomSampler'), max_epochs=1)
LONG = 'long_' + 'x' * 220 + '.png'


def add(dataset, name, size=(64, 48), box=(4, 4, 30, 30)):
    """A line in train.json; its image is up to the caller. Returns the id and where the image belongs."""
    data = read_json(dataset / 'train.json')
    new = len(data['images']) + 1
    data['images'].append(dict(id=new, file_name=name, width=size[0], height=size[1]))
    data['annotations'] += [dict(id=1000 + new, image_id=new, category_id=1, bbox=list(box), area=box[2] * box[3],
                                 iscrowd=0)] if box else []
    (dataset / 'train.json').write_text(json.dumps(data))
    return new, dataset / name


SEEDS = count(1)


def picture(size=(64, 48), mode='RGB'):
    """A picture that no other one is a copy of."""
    pixels = np.random.default_rng(next(SEEDS)).integers(0, 60, (size[1], size[0], 3), dtype=np.uint8)
    pixels[4:34, 4:34, 0] = 230
    return Image.fromarray(pixels).convert(mode)


def turned(path, size, orientation=6):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture(size).save(path, exif=exif)


def link_out(path):
    outside = path.parent.parent / 'elsewhere' / 'file.png'
    outside.parent.mkdir(exist_ok=True)
    picture().save(outside)
    path.symlink_to(outside)


WORKING = {  # what the annotation file says of it: name, size, box
    'turned by EXIF': (lambda p: turned(p, (48, 64)), 'turned.jpg', (64, 48)),
    'grey': (lambda p: picture(mode='L').save(p), 'grey.jpg'),
    'CMYK': (lambda p: picture(mode='CMYK').save(p), 'cmyk.jpg'),
    'palette': (lambda p: picture(mode='P').save(p), 'palette.png'),
    'transparent': (lambda p: picture(mode='RGBA').save(p), 'rgba.png'),
    'one pixel': (lambda p: picture((1, 1)).save(p), 'one.png', (1, 1), None),
    'huge': (lambda p: Image.new('RGB', (9000, 9000)).save(p), 'huge.png', (9000, 9000)),
    'not ASCII': (lambda p: picture().save(p), 'Äpfel 苹果 🍎.png'),
    'long name': (lambda p: picture().save(p), LONG),
    'blanks': (lambda p: picture().save(p), ' a  b\t.png'),
    'quotes and comma': (lambda p: picture().save(p), 'a,"b".png'),
    'link out of data_root': (link_out, 'link.png'),
    'in a folder': (lambda p: (p.parent.mkdir(), picture().save(p)), 'sub folder/a.png'),
}


@pytest.mark.parametrize('cases', [pytest.param([c for c in WORKING if c != 'huge'], id='small'),
                                   pytest.param(['huge'], id='huge', marks=pytest.mark.slow)])
def test_odd_images_are_scored_labeled_and_trained_on(make_cfg, run, dataset, cases):
    added = {}
    for case in cases:
        make, *said = WORKING[case]
        added[case], path = add(dataset, *said)
        make(path)
    cfg = make_cfg(initial=6, query=len(added) + 7, rounds=2, max_epochs=1, sampler=dict(
        type='mmal.InfluenceSampler', score_thr=0.005))
    cfg.train_dataloader.dataset.update(filter_cfg=None)
    cfg.train_dataloader.dataset.pipeline.insert(1, dict(type='Resize', scale=(64, 64), keep_ratio=True))
    work_dir = run(cfg)
    first = {i['id'] for i in read_json(work_dir / 'initial.json')['images']}
    scores = {row['id']: float(row['influence']) for row in read_csv(work_dir / 'round_00' / 'scores.csv')}
    trained_on = {i['id'] for i in read_json(work_dir / 'round_00' / 'labeled.json')['images']}
    for case, i in added.items():
        assert i in first or np.isfinite(scores[str(i)]), case
    assert len(set(added.values()) - trained_on) <= 1, 'all but one image of the pool were trained on in round 1'
    assert read_json(work_dir / 'unreadable.json')['images'] == {}
    assert 'another width and height' not in log(work_dir)


def log(work_dir):
    return '\n'.join(p.read_text() for p in sorted(work_dir.glob('2*/*.log')))


BROKEN = {
    'zero bytes': lambda p: p.write_bytes(b''),
    'text': lambda p: p.write_text('<html>404</html>'),
    'half': lambda p: (picture().save(p), p.write_bytes(p.read_bytes()[:900])),
    'a folder': lambda p: p.mkdir(),
    'not permitted': lambda p: (picture().save(p), p.chmod(0)),
}


def test_broken_images_are_named_once_and_left_out(make_cfg, run, dataset):
    cases = [c for c in BROKEN if c != 'not permitted' or os.geteuid()]  # root may read all
    added = {}
    for case in cases:
        added[case], path = add(dataset, f'{case}.png')
        BROKEN[case](path)
    work_dir = run(make_cfg(**RANDOM, rounds=2, initial=6, query=15))  # until the pool is used up
    labeled = {i['id'] for i in read_json(work_dir / 'round_00' / 'labeled.json')['images']}
    assert labeled == set(range(1, 15))
    for case, i in added.items():
        lines = [line for line in log(work_dir).splitlines() if f'{case}.png' in line]
        assert len(lines) == 1, case
        assert f'Image {i} ' in lines[0]
        assert 'cannot be read and is left out' in lines[0]


def test_a_link_to_nowhere_is_refused_by_name(make_cfg, run, dataset):
    add(dataset, 'nowhere.png')[1].symlink_to(dataset / 'gone.png')
    with pytest.raises(InputError, match='1 of 15 image files of the pool do not exist, e.g. .*nowhere.png'):
        run(make_cfg(**RANDOM))


@pytest.mark.parametrize(('name', 'kind'), [('set_102.png', 'reference set'), ('set_203.png', 'evaluation set')])
def test_a_broken_image_to_evaluate_with_is_refused_before_training(make_cfg, run, dataset, name, kind):
    (dataset / name).write_bytes(b'')
    cfg = make_cfg()
    with pytest.raises(InputError, match=f'1 of 4 images of the {kind} cannot be read: .*{name}'):
        run(cfg)
    assert not list(Path(cfg.work_dir).glob('round_*'))


def test_boxes_lie_where_the_turned_image_has_them(make_cfg, dataset):
    """A mark in the corner of the turned image, boxed; if EXIF were ignored somewhere, it would lie elsewhere."""
    new, path = add(dataset, 'turned.jpg', (48, 64), (38, 0, 10, 10))
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:10, :10] = 255
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # a quarter to the right
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    with DefaultScope.overwrite_default_scope('mmdet'):
        data = build_data_adapter(make_cfg())
        dataset = data.labeled_dataset(None)
    item = dataset[new - 1]
    x1, y1, x2, y2 = item['data_samples'].gt_instances.bboxes.tensor[0].int().tolist()
    assert item['data_samples'].ori_shape == (64, 48)
    assert item['inputs'][:, y1:y2, x1:x2].float().mean() > 200
    assert item['inputs'].float().sum() / item['inputs'][:, y1:y2, x1:x2].float().sum() < 1.2


@pytest.mark.parametrize(('color_type', 'warned'), [('color', True), ('color_ignore_orientation', False)])
def test_a_size_that_is_not_the_annotation_files_is_said_once(make_cfg, run, dataset, color_type, warned):
    turned(add(dataset, 'turned.jpg', (48, 64))[1], (48, 64))  # measured without its EXIF
    cfg = make_cfg(**RANDOM, rounds=1)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.pipeline[0].color_type = color_type
    lines = [line for line in log(run(cfg)).splitlines() if 'another width and height' in line]
    assert len(lines) == warned
    assert all('1 of 15' in line and 'turned.jpg is said to be 48 x 64, and is loaded as 64 x 48' in line
               for line in lines)


CHANGES = {
    'other pixels': (lambda p: Image.open(p).rotate(180).save(p), r'1 images of the pool have changed .*set_014\.png'),
    'cut': (lambda p: p.write_bytes(p.read_bytes()[:-9]), r'1 images of the pool have changed .*set_014\.png'),
    'another in its place': (lambda p: shutil.copy(p.parent / 'set_013.png', p), r'have changed .*set_014\.png'),
    'moved': (lambda p: p.rename(p.parent / 'moved.png'), r'1 of 14 image files .* do not exist.*set_014\.png'),
    'gone': (lambda p: p.unlink(), r'1 of 14 image files .* do not exist.*set_014\.png'),
    'renamed in the file, too': (lambda p: (p.rename(p.parent / 'moved.png'), rename(p.parent / 'train.json')),
                                 'pool, 1 no longer there: set_014.png; 1 new: moved.png'),
}


def rename(path):
    path.write_text(path.read_text().replace('set_014.png', 'moved.png'))


def test_an_image_that_is_another_when_the_run_goes_on_is_named(make_cfg, run, dataset, tmp_path):
    assert make_cfg().train_cfg.get('check_images', True), 'the record needs it'
    work_dir = run(make_cfg(**RANDOM, rounds=1))
    shutil.copytree(dataset, tmp_path / 'kept')
    for change, message in CHANGES.values():
        change(dataset / 'set_014.png')
        cfg = make_cfg(**RANDOM, rounds=2)
        cfg.resume = True
        with pytest.raises(InputError, match=message):
            run(cfg)
        shutil.rmtree(dataset)
        shutil.copytree(tmp_path / 'kept', dataset)
    cfg = make_cfg(**RANDOM, rounds=2)
    cfg.resume = True
    assert len(read_json(run(cfg) / 'curve.json')) == 2, 'with the old files back it goes on'
    assert (work_dir / 'images.csv').exists()


@pytest.fixture
def folder_cfg(tmp_path):
    """The digits classifier on files in a folder a class, as mmpretrain's CustomDataset reads them."""
    root = tmp_path / 'classes'
    for label in ('0', '1'):
        (root / label).mkdir(parents=True)
        for n in range(5):
            picture((16, 16)).save(root / label / f'{n}.png')
    cfg = config('resnet_digits_isal.py')
    cfg.train_dataloader.dataset = dict(type='CustomDataset', data_root=str(root), pipeline=[
        dict(type='LoadImageFromFile'), dict(type='ResizeEdge', scale=16), dict(type='PackInputs')])
    for name in ('val', 'test'):
        cfg[f'{name}_dataloader'].dataset = dict(cfg.train_dataloader.dataset, test_mode=True)
    cfg.model.head.num_classes = cfg.data_preprocessor.num_classes = 2
    cfg.train_cfg.update(initial=4, query=12, rounds=2, max_iters=2, val_interval=2, drop_evaluation_images=False)
    cfg.param_scheduler = [dict(type='ConstantLR', factor=1.0)]
    cfg.work_dir, cfg.launcher, cfg.visualizer.name = str(tmp_path / 'run'), 'none', str(tmp_path)
    return root, cfg


def test_ids_that_are_odd_names_come_back_as_they_were(folder_cfg, run):
    """Of a classifier the ids are the names; one is not even UTF-8, as an old archive leaves it."""
    root, cfg = folder_cfg
    names = ['Äpfel 苹果 🍎.png', LONG, ' a  b\t.png', 'a,"b".png', 'x\ny.png', os.fsdecode(b'caf\xe9.png')]
    for name in names:
        picture((16, 16)).save(root / '1' / name)
    work_dir = run(cfg)
    ids = {f'1/{name}' for name in names}
    first, later = (read_json(work_dir / name) for name in ('initial.json', 'round_00/labeled.json'))
    assert ids <= {e['id'] for e in later}, 'the query takes all'
    scored = {row['id'] for row in read_csv(work_dir / 'round_00' / 'scores.csv')}
    assert ids - {e['id'] for e in first} <= scored
    assert {row['id'] for row in read_csv(work_dir / 'images.csv')} >= ids
    cfg.resume = True
    cfg.train_cfg.rounds = 3
    assert len(read_json(run(cfg) / 'curve.json')) == 2, 'the pool is used up'
    (root / '1' / names[-1]).write_bytes(b'another')
    with pytest.raises(InputError, match='have changed'):
        run(cfg)
