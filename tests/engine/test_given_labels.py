"""Labels that exist before a run are its first labeled set; labels that do not fit are refused."""

import json
import shutil

import pytest
from mmdet.utils import register_all_modules
from mmengine.config import Config
from PIL import Image

from mmal.adapters import build_data_adapter
from mmal.annotation.match_rules import parse_rules
from mmal.engine.given_labels import ANNOTATED, read_given_labels
from mmal.engine.initial_set import draw_initial_set, label_initial_set
from mmal.errors import InputError
from mmal.fileio.text import read_json
from mmal.run.manifest import read_manifest
from tests.engine.fakes import make_run
from tests.engine.test_bad_input import edit
from tests.engine.test_growth import open_only
from tests.engine.test_resuming import outcome

pytestmark = pytest.mark.usefixtures('no_drawing')


def part(dataset, n=8, name='mine.json', change=None):
    """A file with the labels of the first n images of the pool, with ids of its own."""
    content = read_json(dataset / 'train.json')
    content['images'] = [dict(image, id=100 + image['id']) for image in content['images'][:n]]
    ids = {image['id'] for image in content['images']}
    moved = [dict(box, image_id=100 + box['image_id']) for box in content['annotations']]
    content['annotations'] = [box for box in moved if box['image_id'] in ids]
    if change is not None:
        change(content)
    path = dataset / name
    path.write_text(json.dumps(content))
    return str(path)


@pytest.fixture
def data(make_cfg):
    register_all_modules(init_default_scope=True)
    return build_data_adapter(make_cfg())


def test_a_coco_file_is_matched_by_name_and_gets_the_ids_of_the_pool(data, dataset):
    given = read_given_labels(data, part(dataset))
    truth = data.ground_truth(range(1, 9))
    assert given.ids == list(range(1, 9))
    assert not given.notes
    without_ids = [{key: value for key, value in box.items() if key != 'id'} for box in truth]
    assert given.annotations == without_ids
    assert [a['image_id'] for a in given.response([3]).annotations] == [
        box['image_id'] for box in truth if box['image_id'] == 3]


def test_classes_in_another_order_are_matched_by_name(data, dataset):
    def swap(content):
        content['categories'] = [dict(id=1, name='square'), dict(id=2, name='disc')]
        for box in content['annotations']:
            box['category_id'] = 3 - box['category_id']

    given = read_given_labels(data, part(dataset, change=swap))
    assert given.annotations == read_given_labels(data, part(dataset)).annotations
    assert 'another order (square, disc), and are matched by name' in given.notes[0]


def test_a_dataset_config_and_the_training_set_itself(data, dataset, make_cfg):
    part(dataset, 4)
    leaf = dict(type='CocoDataset', data_root=str(dataset), ann_file='mine.json', data_prefix=dict(img=''),
                metainfo=dict(classes=('disc', 'square')))
    assert read_given_labels(data, leaf).ids == [1, 2, 3, 4]
    edit(dataset, lambda j: j.update(annotations=[a for a in j['annotations'] if a['image_id'] < 3]))
    again = build_data_adapter(make_cfg())
    given = read_given_labels(again, ANNOTATED)
    assert given.ids == [1, 2]
    assert given.annotations == again.ground_truth([1, 2])


def test_an_image_that_the_pool_has_under_another_name_is_found_by_content(data, dataset, tmp_path):
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    shutil.copy(dataset / 'set_003.png', elsewhere / 'mine.png')
    path = part(dataset, 3, change=lambda c: c['images'][2].update(file_name='mine.png'))
    shutil.move(path, elsewhere / 'mine.json')
    given = read_given_labels(data, str(elsewhere / 'mine.json'))
    assert given.ids == [1, 2, 3]
    assert "'mine.png' is 'set_003.png'" in given.notes[0]


def test_another_picture_of_the_same_name_is_not_the_pools(data, dataset, tmp_path):
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    shutil.copy(dataset / 'set_003.png', elsewhere / 'set_001.png')
    shutil.copy(dataset / 'set_002.png', elsewhere / 'set_002.png')
    shutil.move(part(dataset, 2), elsewhere / 'mine.json')
    leaf = dict(type='CocoDataset', data_root=str(elsewhere), ann_file='mine.json', data_prefix=dict(img=''),
                metainfo=dict(classes=('disc', 'square')))
    given = read_given_labels(data, leaf)
    assert given.ids == [2, 3]
    assert given.notes[0].startswith('1 of the images are in the pool under another name')
    Image.new('RGB', (64, 48)).save(elsewhere / 'set_001.png')
    with pytest.raises(InputError, match=r"elsewhere/set_001.png is another picture than its 'set_001.png'"):
        read_given_labels(data, leaf)


RENAMED = {
    'Roboflow': ('roboflow', 'set_{n:03d}_png.rf.{n:032x}.jpg'),
    'Label Studio': ('label-studio', 'images/{n:08x}-set_{n:03d}.png'),
    'another machine': ('suffix', '/home/ann/data/set_{n:03d}.png'),
    'another extension in capitals': ('case,stem', 'SET_{n:03d}.JPG'),
}


@pytest.mark.parametrize('case', RENAMED)
def test_a_renamed_export_is_refused_with_the_line_that_takes_it_and_taken_by_it(data, dataset, case):
    def rename(content):
        for image in content['images']:
            image['file_name'] = name.format(n=image['id'] - 100)

    rule, name = RENAMED[case]
    path = part(dataset, change=rename)
    with pytest.raises(InputError, match=f"\\n`train_cfg.match='{rule}'` takes 8 of the 8."):
        read_given_labels(data, path)
    given = read_given_labels(data, path, parse_rules(rule, 'train_cfg.match'))
    assert (given.ids, given.annotations) == (list(range(1, 9)), read_given_labels(data, part(dataset)).annotations)
    assert given.notes[0].startswith(f"8 names taken by the rule {rule} ({name.format(n=1)!r} is 'set_001.png', ")


def test_a_rule_takes_no_other_picture_of_the_same_name(data, dataset):
    (dataset / 'sub').mkdir()
    Image.new('RGB', (64, 48)).save(dataset / 'sub' / 'set_001.png')
    path = part(dataset, change=lambda c: c['images'][0].update(file_name='sub/set_001.png'))
    with pytest.raises(InputError, match="sub/set_001.png is another picture than its 'set_001.png'"):
        read_given_labels(data, path, parse_rules('suffix', 'train_cfg.match'))


def test_two_names_of_one_image_are_refused(data, dataset):
    path = part(dataset, change=lambda c: c['images'][0].update(file_name='sub/set_002.png'))
    with pytest.raises(InputError, match="it comes near to 'set_002.png', and so does 'set_002.png'"):
        read_given_labels(data, path, parse_rules('suffix', 'train_cfg.match'))


def test_a_run_records_the_rule_and_notices_another(make_cfg, run, dataset, tmp_path):
    def cfg(**changes):
        made = make_cfg(tmp_path / 'run', max_epochs=1, rounds=1, initial=str(dataset / 'mine.json'), **changes)
        made.resume = True
        return made

    part(dataset, change=lambda c: [image.update(file_name='x/' + image['file_name']) for image in c['images']])
    work_dir = run(cfg(match='suffix'))
    assert len(read_json(work_dir / 'initial.json')['images']) == 8
    with pytest.raises(InputError, match='train_cfg.match'):
        run(cfg(match='suffix,basename'))


@pytest.mark.parametrize('initial', [8, ANNOTATED])
def test_a_rule_without_a_file_of_labels_is_refused(make_cfg, run, dataset, tmp_path, initial):
    with pytest.raises(InputError, match='train_cfg.match is for the names in a file of labels'):
        run(make_cfg(tmp_path / 'run', initial=initial, match='stem'))


def test_a_copy_of_a_labeled_image_is_said(data, dataset):
    shutil.copy(dataset / 'set_002.png', dataset / 'set_013.png')
    notes = read_given_labels(data, part(dataset)).notes
    assert 'byte-identical to a labeled one (set_013.png is set_002.png)' in notes[0]


BAD = {
    'no image of the pool': (lambda c: c['images'][0].update(file_name='other.png'),
                             r"images\[0\]: 'other.png' is not in the pool; nor is there such a file"),
    'another folder': (lambda c: c['images'][0].update(file_name='sub/set_001.png'),
                       r"'sub/set_001.png' is not in the pool; the nearest is 'set_001.png': folder sub stands before "
                       r"it; nor.*\n`train_cfg.match='suffix'` takes it. Mend the file"),
    'id twice': (lambda c: c['images'][1].update(id=101), r'id 101 stands 2 times'),
    'image twice': (lambda c: c['images'][1].update(file_name='set_001.png'), "file_name 'set_001.png' stands 2 times"),
    'class': (lambda c: c['categories'][0].update(name='cube'), "labels of 'cube', expected only .*disc, square"),
    'no annotation': (lambda c: c.update(annotations=[]), 'no box at all in 8 images'),
    'no image': (lambda c: c.update(annotations=[], images=[]), 'no box at all in 0 images'),
    'size': (lambda c: c['images'][0].update(width=65), '65 x 48 there and 64 x 48 in the pool'),
    'strange image': (lambda c: c['annotations'][0].update(image_id=999),
                      r'the image_id is not in its "images" \(annotations\[0\] \(id \d+\): 999\)'),
    'corners': (lambda c: [b.update(bbox=[40, 30, 60, 45]) for b in c['annotations']], r'look like corners \[x1, y1,'),
    'shares': (lambda c: [b.update(bbox=[0.1, 0.2, 0.3, 0.4]) for b in c['annotations']], 'look like shares'),
    'crowds': (lambda c: [b.update(iscrowd=1) for b in c['annotations']], r'are crowds \(iscrowd\)'),
    'no numbers': (lambda c: c['annotations'][0].update(bbox=[1, 2]), 'expected four numbers as bbox'),
}


@pytest.mark.parametrize('case', BAD)
def test_labels_that_do_not_fit_are_refused(data, dataset, case):
    change, message = BAD[case]
    with pytest.raises(InputError, match=message) as e:
        read_given_labels(data, part(dataset, change=change))
    assert 'mine.json' in str(e.value)


def test_a_file_that_is_not_there_and_a_pool_without_labels(data, dataset, make_cfg):
    with pytest.raises(InputError, match=r"nowhere.json: there is no such file.*or 'annotated'"):
        read_given_labels(data, 'nowhere.json')
    edit(dataset, lambda j: j.update(annotations=[]))
    with pytest.raises(InputError, match='the training set has no annotation at all'):
        read_given_labels(build_data_adapter(make_cfg()), ANNOTATED)


@pytest.mark.parametrize(('bbox', 'kind'), [
    ([1, 2, 0, 4], 'have a width or height that is not above 0'), ([1, 2, -3, 4], 'have a width or height that is'),
    ([1, float('nan'), 3, 4], 'have a number that is NaN or infinite'), ([1, 2, 10 ** 400, 4], 'is NaN or infinite'),
    ([64, 2, 5, 4], 'lie wholly outside their image'), ([1, 2, 0.5, 4], 'are less than a pixel wide or high')])
def test_a_box_that_training_drops_is_left_out_and_said(data, dataset, bbox, kind):
    path = part(dataset, change=lambda c: c['annotations'][0].update(bbox=bbox))
    given = read_given_labels(data, path)
    note, = given.notes
    assert kind in note
    assert 'are left out, as training drops them' in note
    assert 'on set_001.png (64 x 48)' in note
    assert len(given.annotations) == len(read_given_labels(data, part(dataset)).annotations) - 1


def test_numbers_that_json_cannot_hold_are_left_out_beside_a_box(data, dataset):
    given = read_given_labels(data, part(dataset, change=lambda c: c['annotations'][0].update(score=float('nan'))))
    assert 'score' not in given.annotations[0]
    assert given.digest == read_given_labels(data, part(dataset)).digest


@pytest.mark.parametrize('area', [0, None, float('nan'), -3])
def test_an_area_that_is_none_is_that_of_the_box(data, dataset, area):
    given = read_given_labels(data, part(dataset, change=lambda c: c['annotations'][0].update(area=area)))
    box = given.annotations[0]
    assert box['area'] == box['bbox'][2] * box['bbox'][3]


def test_copies_of_what_is_held_out_are_held_out(data, dataset, tmp_path):
    for n in (2, 4, 6, 8):
        shutil.copy(dataset / f'set_{n - 1:03d}.png', dataset / f'set_{n:03d}.png')
    given = read_given_labels(data, part(dataset))
    for seed in range(4):
        folder = tmp_path / f'run_{seed}'
        folder.mkdir()
        chosen = draw_initial_set(make_run(folder, data=data, given=given, initial=8, holdout=2, seed=seed))
        held_out = {(n + 1) // 2 for n in chosen.held_out}
        trained_on = {(n + 1) // 2 for n in set(chosen.ids) - chosen.held_out}
        assert not held_out & trained_on, seed
        assert len(chosen.held_out) == 2 * len(held_out)


def test_a_run_that_takes_over_given_labels_has_the_same_ones(make_cfg, dataset, tmp_path):
    def cfg(name, initial, **changes):
        made = make_cfg(tmp_path / name, initial=initial, holdout=0.25, **changes)
        made.resume = True
        return made

    for n in (2, 4, 6, 8):
        shutil.copy(dataset / f'set_{n - 1:03d}.png', dataset / f'set_{n:03d}.png')
    labels = part(dataset)
    first = open_only(cfg('first', labels)).paths.work_dir
    n_held_out = len(read_json(first / 'holdout.json')['images'])
    assert n_held_out > 2, 'the copies, too'
    second = open_only(cfg('second', labels, start_from=str(first))).paths.work_dir
    assert (second / 'holdout.json').read_bytes() == (first / 'holdout.json').read_bytes()
    with pytest.raises(InputError, match='began with other labels .*than this run would .none'):
        open_only(cfg('third', 8, start_from=str(first)))


def test_the_held_out_part_is_drawn_by_the_seed(data, dataset, tmp_path):
    given = read_given_labels(data, part(dataset))
    parts = []
    for seed in (0, 0, 1):
        folder = tmp_path / f'run_{len(parts)}'
        folder.mkdir()
        run = make_run(folder, data=data, given=given, initial=8, holdout=2, seed=seed)
        run.unreadable.write({8: 'broken'})
        label_initial_set(run, draw_initial_set(run))
        parts.append([run.data.read_labeled(file)[0] for file in (run.paths.holdout, run.paths.initial)])
    held_out, trained_on = parts[0]
    assert parts[0] == parts[1] != parts[2]
    assert len(held_out) == 2
    assert sorted(held_out + trained_on) == list(range(1, 8)), 'one cannot be read'


def test_a_run_begins_with_them_and_notices_other_ones(make_cfg, run, dataset, tmp_path):
    def cfg(name='run', **changes):
        made = make_cfg(tmp_path / name, max_epochs=1, initial=str(dataset / 'mine.json'), holdout=0.25, **changes)
        made.resume = True
        return made

    part(dataset)
    work_dir = run(cfg())
    held_out = [image['id'] for image in read_json(work_dir / 'holdout.json')['images']]
    trained_on = [image['id'] for image in read_json(work_dir / 'initial.json')['images']]
    assert (len(held_out), sorted(held_out + trained_on)) == (2, list(range(1, 9)))
    assert [point['images'] for point in read_json(work_dir / 'curve.json')] == [8, 11]
    labeled = read_json(work_dir / 'round_00' / 'labeled.json')
    ids = [box['id'] for box in labeled['annotations']]
    assert len(ids) == len(set(ids)), 'of two files'
    assert read_manifest(work_dir)['given_labels'].endswith('mine.json')
    before = outcome(work_dir)
    run(cfg())
    assert outcome(work_dir) == before

    adopted = run(cfg('adopted', start_from=str(work_dir)))
    assert (adopted / 'round_00' / 'checkpoint.pth').samefile(work_dir / 'round_00' / 'checkpoint.pth')
    part(dataset, change=lambda c: c['annotations'][0].update(bbox=[1, 2, 3, 4]))
    with pytest.raises(InputError, match=r'annotations.initial labels: was .*8 images, sha256'):
        run(cfg())
    with pytest.raises(InputError, match='began with other labels'):
        run(cfg('another', start_from=str(work_dir)))


def test_nothing_left_to_ask_is_said(make_cfg, run, dataset):
    part(dataset, 14)
    with pytest.raises(InputError, match='All 14 images of the pool are labeled already .*mine.json'):
        run(make_cfg(initial=str(dataset / 'mine.json')))


def test_a_cold_start_has_nothing_to_choose(make_cfg, run, dataset):
    part(dataset)
    with pytest.raises(InputError, match='train_cfg.cold_start chooses the first images'):
        run(make_cfg(initial=str(dataset / 'mine.json'), cold_start=dict(type='mmal.CoresetSampler')))


def test_given_labels_are_not_part_of_what_a_run_spends(data, dataset, tmp_path):
    from mmal.engine.costs import spent_so_far
    from mmal.pool.budget import BudgetUnit
    given = read_given_labels(data, part(dataset))
    for unit, spent in ((BudgetUnit.IMAGE, 3), (BudgetUnit.BOX, 5)):
        folder = tmp_path / unit.value
        folder.mkdir()
        run = make_run(folder, data=data, given=given, initial=8, holdout=2, unit=unit)
        label_initial_set(run, draw_initial_set(run))
        point = dict(images=8 + 3, boxes=len(given.annotations) + 5, round=1)
        assert spent_so_far(run, point) == spent


def test_classes_of_whole_images_by_name_and_by_index(tmp_path):
    for n in range(4):
        Image.new('RGB', (8, 8), (60 * n, 0, 0)).save(tmp_path / f'{n}.png')
    (tmp_path / 'pool.txt').write_text(''.join(f'{n}.png\n' for n in range(4)))
    leaf = dict(type='mmpretrain.CustomDataset', metainfo=dict(classes=('cat', 'dog')), data_root='', with_label=False,
                data_prefix=dict(img_path=str(tmp_path)), ann_file=str(tmp_path / 'pool.txt'), pipeline=[])
    cfg = Config(dict(default_scope='mmpretrain', train_dataloader=dict(dataset=leaf)))
    data = build_data_adapter(cfg)

    def read(name, text):
        (tmp_path / name).write_text(text)
        given = read_given_labels(data, str(tmp_path / name))
        return given.ids, [entry['label'] for entry in given.annotations]

    expected = (['0.png', '2.png'], [1, 0])
    assert read('a.json', '[{"id": "0.png", "label": 1}, {"id": "2.png", "label": 0}]') == expected
    assert read('b.json', '[{"id": "0.png", "label": "dog"}, {"id": "2.png", "label": "cat"}]') == expected
    assert read('c.csv', 'file_name,label\n2.png,cat\n0.png,dog\n1.png,\n') == expected
    listed = dict(leaf, with_label=True, ann_file=str(tmp_path / 'labeled.txt'))
    (tmp_path / 'labeled.txt').write_text('0.png 0\n2.png 1\n')
    listed['metainfo'] = dict(classes=('dog', 'cat'))
    given = read_given_labels(data, listed)
    assert (given.ids, [entry['label'] for entry in given.annotations]) == expected
    assert 'another order (dog, cat)' in given.notes[0]
    with pytest.raises(InputError, match='label 7 is no index of the 2 classes'):
        read('d.json', '[{"id": "0.png", "label": 7}]')
    for label in ('{"class": 1}', '1.0', 'true'):
        with pytest.raises(InputError, match='expected a class name or index'):
            read('d.json', f'[{{"id": "0.png", "label": {label}}}]')
    (tmp_path / 'e.csv').write_text('file_name,label,seconds\n0.png,dog,nan\n1.png,cat,-1\n2.png,cat,2.5\n')
    assert read_given_labels(data, str(tmp_path / 'e.csv')).seconds == {'2.png': 2.5}
