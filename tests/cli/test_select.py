"""One call to a trained detector: what it leaves, how it goes on, and how labels come back."""

import json
import math
import os
import shutil

import pytest
import torch

from mmal.cli.label import main as label
from mmal.cli.report import main as report
from mmal.cli.select import parse_sampler
from mmal.engine.phases.select import Select
from mmal.errors import InputError
from mmal.fileio.text import read_csv, read_json, write_json
from tests.cli.selection_cases import call, make_world


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp('select') / 'world')


@pytest.fixture(scope='module')
def out(world):
    """The folder of a whole selection."""
    folder = call(world)
    assert folder == world / 'out'
    return folder


def test_the_best_are_selected_and_nothing_that_is_labeled(world, out):
    scores = read_csv(out / 'scores.csv')
    values = [float(row['influence']) for row in scores]
    assert len(scores) == 20, 'a labeled file and a copy of another are left out'
    assert values == sorted(values)
    assert all(map(math.isfinite, values))
    selected = read_json(out / 'selected.json')
    assert [str(image_id) for image_id in selected] == [row['id'] for row in scores[:5]]
    assert [row['selected'] for row in scores] == ['1'] * 5 + ['0'] * 15
    counts = read_json(out / 'selection.json')['inputs']['counts']
    assert counts == dict(found=22, unusable=0, copies=0, labeled_before=2, evaluated=0, candidates=20, labeled=14)
    assert read_json(out / 's_test.json')['n_reference'] == 4
    assert read_json(out / 's_test.json')['n_hessian'] == 14


def test_there_are_files_for_people_and_a_page(world, out):
    asked = read_json(out / 'to_label' / 'coco.json')
    assert {f'{world}/photos/{image["file_name"]}' for image in asked['images']} == set(
        (out / 'to_label' / 'images.txt').read_text().split())
    chosen = read_json(out / 'chosen.json')['images']
    assert all(entry['nearest'] and entry['parts'] for entry in chosen)
    page = (out / 'report.html').read_text()
    for text in ('5 of 20 images are selected', '2 labeled already', 'training set of', 'val set of', 'CG',
                 asked['images'][0]['file_name'], 'Training on it would', 'selection.budget'):
        assert text in page, text
    assert 'Learning curve' not in page
    (out / 'report.html').unlink()
    report([str(out)])
    assert '5 of 20 images are selected' in (out / 'report.html').read_text()


def test_the_same_command_goes_on_and_another_is_refused(world, out):
    before = {file.name: file.stat().st_mtime_ns for file in out.iterdir()}
    assert call(world) == out
    for name in ('s_test.pth', 'scores.csv', 'selected.json', 'chosen.json', 'to_label'):
        assert (out / name).stat().st_mtime_ns == before[name], name
    message = call(world, '--sampler', 'mmal.EntropySampler', budget=7)
    assert 'holds another selection' in message
    assert 'selection.budget: was 5, now 7' in message
    assert "selection.sampler.type: was 'mmal.InfluenceSampler', now 'mmal.EntropySampler'" in message


def test_a_killed_selection_comes_to_the_same(world, out, monkeypatch):
    def die(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Select, 'execute', die)
        with pytest.raises(KeyboardInterrupt):
            call(world, out='killed')
    solved = (world / 'killed' / 's_test.pth').stat().st_mtime_ns
    assert call(world, out='killed') == world / 'killed'
    assert (world / 'killed' / 's_test.pth').stat().st_mtime_ns == solved
    for name in ('scores.csv', 'selected.json'):
        assert (world / 'killed' / name).read_bytes() == (out / name).read_bytes()


def test_labels_that_come_back_are_the_next_labeled_set(world):
    folder = call(world, out='first')
    asked, truth = read_json(folder / 'to_label' / 'coco.json'), read_json(world / 'truth.json')
    id_of = {image['file_name']: image['id'] for image in truth['images']}
    boxes = []
    for image in asked['images']:
        own = [box for box in truth['annotations'] if box['image_id'] == id_of[image['file_name']]]
        boxes += [dict(box, image_id=image['id'], id=len(boxes) + n) for n, box in enumerate(own)]
    write_json(world / 'exported.json', dict(asked, annotations=boxes))
    label([str(folder), str(world / 'exported.json')])
    joined = read_json(folder / 'labeled.json')
    assert len(joined['images']) == 14 + 5
    assert len(joined['annotations']) == len(read_json(world / 'set' / 'train.json')['annotations']) + len(boxes)
    assert len({box['id'] for box in joined['annotations']}) == len(joined['annotations'])
    assert len(read_csv(folder / 'costs.csv')) == 5
    second = call(world, '--labeled', folder / 'labeled.json', out='second')
    counts = read_json(second / 'selection.json')['inputs']['counts']
    assert (counts['labeled'], counts['labeled_before'], counts['candidates']) == (19, 7, 15)
    names = [{image['file_name'] for image in read_json(f / 'to_label' / 'coco.json')['images']}
             for f in (folder, second)]
    assert not names[0] & names[1]
    assert (second / 'earlier_costs' / '000.csv').read_bytes() == (folder / 'costs.csv').read_bytes()


def change(world, name, **changes):
    """Write the plain config with other values by dotted key."""
    from mmengine.config import Config
    cfg = Config.fromfile(world / 'plain.py')
    cfg.merge_from_dict(changes)
    cfg.dump(world / name)
    return name


def test_a_sampler_without_s_test_reads_no_labels(world):
    config = change(world, 'no_labels.py', **{'train_dataloader.dataset.ann_file': 'nowhere.json',
                                              'val_dataloader.dataset.ann_file': 'nowhere.json'})
    folder = call(world, '--sampler', 'EntropySampler', out='entropy', config=config)
    assert len(read_json(folder / 'selected.json')) == 5
    assert read_json(folder / 'selection.json')['inputs']['counts']['labeled'] == 0
    assert 'No such' not in (folder / 'report.html').read_text()


def test_wrapped_training_sets_are_read_whole(world):
    from mmengine.config import Config
    cfg = Config.fromfile(world / 'plain.py')
    leaf = cfg.train_dataloader.dataset
    other = dict(leaf, ann_file='test.json')
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=3, dataset=dict(
        type='ConcatDataset', datasets=[leaf, other]))
    cfg.dump(world / 'wrapped.py')
    folder = call(world, out='wrapped', config='wrapped.py', budget=2)
    assert read_json(folder / 'selection.json')['inputs']['counts']['labeled'] == 14 + 4


def test_files_of_labels_a_budget_in_boxes_and_other_arguments(world):
    folder = call(world, '--labeled', world / 'set' / 'test.json', '--reference', world / 'set' / 'val.json', '--unit',
                  'box', '--sampler', 'type=mmal.InfluenceSampler,score_thr=0.005', '--stest', 'hessian_images=3',
                  'solver.type=mmal.CG', 'solver.max_iter=2', out='boxes', budget=6)
    asked = read_csv(folder / 'scores.csv')
    spent = [max(1, int(row['pseudo_boxes'])) for row in asked if row['selected'] == '1']
    assert sum(spent[:-1]) < 6 <= sum(spent)
    solved = read_json(folder / 's_test.json')
    assert (solved['n_hessian'], solved['n_reference'], solved['n_labeled']) == (3, 4, 4)


def test_a_dry_run_tells_and_writes_nothing(world, capsys):
    assert call(world, '--dry-run', out='dry') == world / 'dry'
    said = capsys.readouterr().out
    assert '20 could be chosen' in said
    assert 'sampler:   type=mmal.InfluenceSampler' in said
    assert not (world / 'dry').exists()


def empty(world):
    (world / 'empty').mkdir(exist_ok=True)
    return dict(images='empty')


def only_labeled(world):
    (world / 'all.txt').write_text(f'{world}/set/set_001.png\n{world}/photos/another_name.png\n')
    return dict(images='all.txt', budget=1)


def without_annotations(world):
    content = read_json(world / 'set' / 'val.json')
    write_json(world / 'set' / 'bare.json', dict(content, annotations=[]))
    return {}


class Hostile:
    def __reduce__(self):
        return os.system, ('touch ran',)


def hostile(world):
    torch.save(dict(state_dict=Hostile()), world / 'hostile.pth')
    return dict(checkpoint='hostile.pth')


def turned(world):
    key = '{}_dataloader.dataset.metainfo.classes'
    changes = {key.format(part): ('square', 'disc') for part in ('train', 'val', 'test')}
    return dict(config=change(world, 'turned.py', **changes))


CASES = {
    'code in the checkpoint': (hostile, [], 'hostile.pth.*system'),
    'no checkpoint': (lambda world: dict(checkpoint='none.pth'), [], 'none.pth'),
    'classes in another order': (turned, [], 'same 2 classes in another order'),
    'a budget beyond the pool': (lambda world: dict(budget=23), [], '--budget 23, but there are 22 in .*photos'),
    'a budget beyond what is not labeled': (
        lambda world: dict(budget=21), [], '--budget 21, but there are 20 images that are not labeled'),
    'an empty folder': (empty, [], 'No image below .*empty'),
    'all labeled': (only_labeled, [], 'All 1 images of .*all.txt are labeled already'),
    'no validation set': (lambda world: dict(config=change(world, 'no_val.py', val_dataloader=None)), [],
                          'InfluenceSampler needs a reference set.*no val_dataloader.*--reference'),
    'a reference without annotations': (without_annotations, ['--reference', '{}/set/bare.json'],
                                        'bare.json has no annotation at all'),
    'a reference that is not there': (lambda world: {}, ['--reference', 'nowhere.json'], 'nowhere.json: there is no'),
    'another architecture': (
        lambda world: dict(config=change(world, 'wide.py', **{'model.bbox_head.stacked_convs': 2})), [],
        'epoch_2.pth'),
    'labels without images': (lambda world: {}, ['--labeled', '{}/set/train.json', '--labeled-images', '{}/photos'],
                              'labeled images of the train.json do not exist.*--labeled-images'),
    'an unknown sampler': (lambda world: {}, ['--sampler', 'mmal.Nothing'], '--sampler: .*mmal.Nothing'),
    'seconds without any time': (lambda world: {}, ['--unit', 'second'], 'no labeling time is known'),
}


@pytest.mark.parametrize('case', CASES)
def test_what_cannot_work_is_one_message_before_hours_are_spent(world, case):
    import re
    prepare, more, pattern = CASES[case]
    message = call(world, *(word.format(world) for word in more), out='refused', **prepare(world))
    assert re.search(pattern, str(message), re.DOTALL), message
    assert not (world / 'refused' / 's_test.pth').exists()


def test_what_fails_is_no_selection_that_stands_in_the_way(world):
    without_annotations(world)
    assert 'has no annotation' in call(world, '--reference', world / 'set' / 'bare.json', out='again')
    assert call(world, out='again') == world / 'again'
    assert len(json.loads((world / 'again' / 'selected.json').read_text())) == 5


@pytest.mark.parametrize(('words', 'sampler'), [
    (['EntropySampler'], dict(type='mmal.EntropySampler')),
    (['mmal.InfluenceSampler', 'score_thr=0.2', 'top_k=3'], dict(type='mmal.InfluenceSampler', score_thr=0.2, top_k=3)),
    (['type=mmal.CoresetSampler,layers=[a,b],batch_size=4'], dict(type='mmal.CoresetSampler', layers=['a', 'b'],
                                                                   batch_size=4)),
])
def test_a_sampler_is_named_with_its_arguments(words, sampler):
    assert parse_sampler(words) == sampler
    with pytest.raises(InputError, match='expected a name'):
        parse_sampler(['score_thr=0.2'])


def test_images_that_the_model_is_measured_on_are_left_out_and_said(world, capsys):
    """By content in the val set, by path in the test set, and in a set that is named."""
    shutil.copytree(world / 'photos', world / 'more')
    shutil.copy(world / 'set' / 'set_102.png', world / 'more' / 'held_out.png')
    (world / 'more' / 'measured.png').symlink_to(world / 'set' / 'set_203.png')
    named = ('--sampler', 'EntropySampler', '--labeled', world / 'set' / 'train.json')
    folder = call(world, *named, out='apart', images='more')
    said = ''.join(capsys.readouterr())
    counts = read_json(folder / 'selection.json')['inputs']['counts']
    assert (counts['evaluated'], counts['candidates']) == (2, 20)
    assert '1 of the images are in the val set, too, and are left out: held_out.png.' in said
    assert '1 of the images are in the test set, too, and are left out: measured.png.' in said
    pool = {image['file_name'] for image in read_json(folder / 'pool.json')['images']}
    assert not pool & {'held_out.png', 'measured.png'}
    assert '2 in a reference or evaluation set' in (folder / 'report.html').read_text()


def test_nothing_is_written_to_the_folder_of_the_training(world, tmp_path):
    """A dumped config names it, and a file of which mmdet needs a copy has that in the selection's own folder."""
    val = read_json(world / 'set' / 'val.json')
    for n, annotation in enumerate(val['annotations']):
        annotation['id'] = n
    write_json(tmp_path / 'from_0.json', val)
    (world / 'dumped.py').write_text(
        f"_base_ = './plain.py'\nwork_dir = {str(tmp_path / 'trained')!r}\n"
        f"val_dataloader = dict(dataset=dict(ann_file={str(tmp_path / 'from_0.json')!r}))\n")
    assert call(world, '--dry-run', config='dumped.py', out=tmp_path / 'out') == tmp_path / 'out'
    assert [path.name for path in tmp_path.iterdir()] == ['from_0.json']
