"""People label: the run asks, ends, and goes on to what it would have been had the labels been there."""

import pytest

from mmal.annotation.batch import Batch, BatchImage
from mmal.annotation.export import write_batch
from mmal.annotation.importer import import_file
from mmal.annotation.label_store import LabelStore
from mmal.annotation.validation import Rules
from mmal.engine.dry_run import dry_run
from mmal.errors import InputError
from mmal.fileio.checksummed import read_checksummed
from mmal.fileio.text import read_csv, read_json, write_json
from mmal.oracles.base import LabelsPending, Request
from mmal.oracles.human import HumanOracle
from tests.annotation.annotation_fixtures import boxes_batch, coco_file, write

pytestmark = pytest.mark.usefixtures('no_drawing')


def of_people(make_cfg, dataset, work_dir=None, **train_cfg):
    """The tiny run, whose pool nobody has labeled."""
    truth = read_json(dataset / 'train.json')
    write_json(dataset / 'pool.json', dict(truth, annotations=[]))
    cfg = make_cfg(work_dir, oracle=dict(type='mmal.HumanOracle'), **(dict(max_epochs=1) | train_cfg))
    cfg.train_dataloader.dataset.ann_file = 'pool.json'
    cfg.resume = True
    return cfg


def label(folder, dataset, only=None, truth='train'):
    """Label a batch as its truth has it."""
    truth = read_json(dataset / f'{truth}.json')
    ids = [i.id for i in Batch.read(folder).images][:only]
    content = dict(truth, images=[i for i in truth['images'] if i['id'] in ids],
                   annotations=[a for a in truth['annotations'] if a['image_id'] in ids])
    import_file(folder, write(folder.parent / 'answers.json', content), Rules(without_boxes='empty'))


def said(work_dir):
    return '\n'.join(p.read_text() for p in sorted(work_dir.glob('2*/*.log')))


def page(work_dir):
    """The report, if the log's last line says where it is."""
    assert f'Report: {work_dir}/report.html' in said(work_dir).rstrip().split('\n')[-1]
    return (work_dir / 'report.html').read_text()


def outcome(work_dir):
    queries = [read_json(work_dir / f'round_{r:02d}' / 'selected.json') for r in range(2)]
    return [*queries, *(read_json(work_dir / f'round_{r:02d}' / 'metrics.json') for r in range(3))]


def boxes_in(work_dir, name):
    return sorted((a['image_id'], a['category_id'], *a['bbox']) for a in read_json(work_dir / name)['annotations'])


def test_people_come_to_the_same_as_the_truth(make_cfg, run, dataset, tmp_path):
    straight = run(make_cfg(tmp_path / 'straight', rounds=3, max_epochs=1))
    work_dir = tmp_path / 'people'
    for batch, shown in (('initial', '0 of 14 images are labeled.'),
                         ('round_00', '6 of 14 images are labeled. Round 0 has chosen 3 images'),
                         ('round_01', '9 of 14 images are labeled. Round 1 has chosen 3 images')):
        run(of_people(make_cfg, dataset, work_dir, rounds=3))
        assert f'images of batch {batch} wait for labels' in said(work_dir)
        assert (work_dir / batch / 'to_label' / 'coco.json').exists()
        assert not (work_dir / batch / 'labeled.json').exists()
        assert shown in page(work_dir)
        label(work_dir / batch, dataset)
    run(of_people(make_cfg, dataset, work_dir, rounds=3))
    assert '3 rounds are trained and evaluated; 12 of 14 images are labeled.' in page(work_dir)
    assert 'All 3 rounds are trained and evaluated. The last one selects nothing' in said(work_dir)
    assert not (work_dir / 'round_02' / 'to_label').exists()
    assert outcome(work_dir) == outcome(straight)
    for name in ('initial.json', 'round_00/labeled.json', 'round_01/labeled.json'):
        assert boxes_in(work_dir, name) == boxes_in(straight, name)
        ids = [a['id'] for a in read_json(work_dir / name)['annotations']]
        assert len(set(ids)) == len(ids)
    rows = read_csv(work_dir / 'round_01' / 'costs.csv')
    assert len(rows) == 3
    assert all(float(row['predicted_boxes']) > 0 for row in rows)


def test_part_of_a_batch_is_enough_if_asked(make_cfg, run, dataset, tmp_path):
    work_dir = tmp_path / 'people'
    run(of_people(make_cfg, dataset, work_dir))
    label(work_dir / 'initial', dataset)
    run(of_people(make_cfg, dataset, work_dir))
    partial = of_people(make_cfg, dataset, work_dir)
    partial.train_cfg.oracle.partial = True
    run(partial)
    assert not (work_dir / 'round_00' / 'labeled.json').exists(), 'none is no part'
    label(work_dir / 'round_00', dataset, only=2)
    run(of_people(make_cfg, dataset, work_dir))
    assert '1 of 3 images of batch round_00 wait for labels' in said(work_dir)
    assert '2 are there, and --partial goes on with those' in said(work_dir)
    run(partial)
    selected = read_json(work_dir / 'round_00' / 'selected.json')
    labeled = [i['id'] for i in read_json(work_dir / 'round_00' / 'labeled.json')['images']]
    assert len(labeled) == 8
    assert set(selected[:2]) <= set(labeled)
    assert selected[2] not in labeled, 'it goes back to the pool'


def test_the_oracle_by_itself(tmp_path):
    class Data:
        has_files, classes = True, ('car', 'truck')
    oracle, folder = HumanOracle(Data), tmp_path / 'round_00'
    request = Request([3, 9, 11], folder, boxes_batch)
    with pytest.raises(LabelsPending, match='3 of 3 images of batch round_00 wait for labels: label .* with --resume'):
        oracle.answer(request)
    content = coco_file((3, 1, [1, 1, 300, 300]), (9, 1, [1, 1, 300, 300]))
    import_file(folder, write(tmp_path / 'f', content), Rules(without_boxes='empty'))
    answer = oracle.answer(request)
    assert answer.ids == [3, 9, 11]
    assert {a['image_id'] for a in answer.annotations} == {3, 9}
    assert LabelStore.read(folder).entries['11']['boxes'] == []
    with pytest.raises(InputError, match='asks for other images than this run has chosen'):
        oracle.answer(Request([3, 9], folder, boxes_batch))


@pytest.mark.parametrize(('has_files', 'classes', 'message'), [
    (False, ('a', ), 'lie in memory'), (True, (), 'metainfo=dict')])
def test_what_people_cannot_label_is_refused(has_files, classes, message):
    class Data:
        pass
    Data.has_files, Data.classes = has_files, classes
    with pytest.raises(InputError, match=message):
        HumanOracle(Data)


def test_a_pool_without_labels_needs_people(make_cfg, run, dataset, tmp_path):
    cfg = of_people(make_cfg, dataset, tmp_path / 'x')
    cfg.train_cfg.oracle = dict(type='mmal.SimulatedOracle')
    with pytest.raises(InputError, match='it has none. Have people label'):
        run(cfg)


@pytest.fixture
def beside(make_cfg, run, dataset, tmp_path):
    """Calls a run whose evaluation and reference sets people label, too."""
    for name, truth in (('evaluation', 'test'), ('reference', 'val')):
        content = read_json(dataset / f'{truth}.json')
        images = [BatchImage(i['id'], i['file_name'], n, i['width'], i['height'])
                  for n, i in enumerate(content['images'])]
        write_batch(Batch(name, ['disc', 'square'], content['categories'], str(dataset), images), dataset / name)

    def call(do=run, **oracle):
        cfg = of_people(make_cfg, dataset, tmp_path / 'people')
        cfg.train_cfg.oracle.update(oracle)
        cfg.test_dataloader.dataset.ann_file = 'evaluation/annotations.json'
        cfg.test_evaluator.ann_file = str(dataset / 'evaluation' / 'annotations.json')
        cfg.custom_hooks[0].reference = dict(cfg.val_dataloader.dataset, ann_file='reference/annotations.json')
        return do(cfg)

    return call


def test_sets_beside_the_pool_are_asked_for_with_the_first_images(beside, dataset):
    work_dir = beside()
    for name, images in (('initial', 6), ('evaluation', 4), ('reference', 4)):
        assert f'{images} of {images} images of batch {name} wait for labels' in said(work_dir)
    assert f'bring the labels in by `python tools/al_labels.py {dataset}/evaluation FILE`' in said(work_dir)
    label(work_dir / 'initial', dataset)
    label(dataset / 'reference', dataset, truth='val')
    LabelStore().write(dataset / 'evaluation', Batch.read(dataset / 'evaluation'))  # as by a look at a server too early
    beside()
    label(dataset / 'evaluation', dataset, only=2, truth='test')
    beside()
    assert '2 of 4 images of batch evaluation wait for labels' in said(work_dir)
    assert not (work_dir / 'initial.json').exists()
    label(dataset / 'evaluation', dataset, truth='test')
    beside()
    assert (work_dir / 'round_00' / 'metrics.json').exists()
    assert read_json(work_dir / 'round_00' / 's_test.json')['n_reference'] == 4


def test_a_plan_says_that_their_labels_are_still_to_come(beside):
    text, problems = beside(dry_run)
    assert (text.count('its labels are still to come'), problems) == (2, [])


def test_their_images_are_looked_at_on_resume_although_they_were_labeled_later(beside, dataset):
    work_dir = beside()
    label(work_dir / 'initial', dataset)
    for name, truth in (('evaluation', 'test'), ('reference', 'val')):
        label(dataset / name, dataset, truth=truth)
    beside()
    assert 'images of batch round_00 wait for labels' in said(work_dir)
    for name, image in (('reference', 'set_102.png'), ('evaluation', 'set_202.png')):
        whole = (dataset / image).read_bytes()
        (dataset / image).write_bytes(whole + b'another')
        with pytest.raises(InputError, match=f'1 images of the {name} set have changed or gone since .*{image}'):
            beside()
        (dataset / image).write_bytes(whole)
    beside()
    assert set(read_checksummed(work_dir / 'run.json')['files']) >= {'other_images.csv', 'initial.json'}


def test_part_of_an_evaluation_set_is_enough_if_asked(beside, dataset):
    work_dir = beside()
    label(work_dir / 'initial', dataset, only=5)
    label(dataset / 'evaluation', dataset, only=3, truth='test')
    label(dataset / 'reference', dataset, truth='val')
    beside(partial=True)
    assert len(read_json(work_dir / 'initial.json')['images']) == 5
    rows = [row['file'] for row in read_csv(work_dir / 'other_images.csv') if row['set'] == 'evaluation set']
    assert len(rows) == 3
    label(work_dir / 'round_00', dataset)
    beside()
    assert (work_dir / 'round_00' / 'labeled.json').exists(), 'the rest is not asked for again'


def test_a_set_without_a_batch_is_told_to_be_missing_and_then_refused(make_cfg, run, dataset, tmp_path):
    work_dir = tmp_path / 'people'

    def cfg():
        found = of_people(make_cfg, dataset, work_dir)
        found.test_dataloader.dataset.ann_file = 'to_come.json'
        found.test_evaluator.ann_file = str(dataset / 'to_come.json')
        return found
    run(cfg())
    assert 'It is needed as soon as the first images are labeled' in said(work_dir)
    label(work_dir / 'initial', dataset)
    with pytest.raises(InputError, match='Evaluation: file not found: .*to_come.json'):
        run(cfg())


def test_the_first_images_by_a_pretrained_model(make_cfg, run, dataset, tmp_path):
    work_dir = tmp_path / 'people'
    cold = dict(type='mmal.CoresetSampler', layers=['backbone'])
    run(of_people(make_cfg, dataset, work_dir, rounds=1, cold_start=cold, holdout=0.34))
    batch = Batch.read(work_dir / 'initial')
    assert len(batch.images) == 6
    run(of_people(make_cfg, dataset, work_dir, rounds=1, cold_start=cold, holdout=0.34))
    label(work_dir / 'initial', dataset)
    run(of_people(make_cfg, dataset, work_dir, rounds=1, cold_start=cold, holdout=0.34))
    held, trained = (read_json(work_dir / f'{n}.json')['images'] for n in ('holdout', 'initial'))
    assert (len(held), len(trained)) == (2, 4)
    assert {i['id'] for i in held + trained} == {i.id for i in batch.images}
    with pytest.raises(InputError, match='cold_start: InfluenceSampler needs a trained model'):
        run(of_people(make_cfg, dataset, tmp_path / 'y', cold_start=dict(type='mmal.InfluenceSampler')))


def test_skipped_images_are_not_asked_for_again(make_cfg, run, dataset, tmp_path):
    work_dir = tmp_path / 'people'
    for batch in ('initial', 'round_00'):
        run(of_people(make_cfg, dataset, work_dir, rounds=3))
        label(work_dir / batch, dataset)
    labels, batch = LabelStore.read(work_dir / 'round_00'), Batch.read(work_dir / 'round_00')
    gone = batch.images[0].id
    labels.entries.pop(str(gone))
    labels.skipped.append(str(gone))
    labels.write(work_dir / 'round_00', batch)
    run(of_people(make_cfg, dataset, work_dir, rounds=3))
    assert gone not in [i['id'] for i in read_json(work_dir / 'round_00' / 'labeled.json')['images']]
    assert str(gone) not in [row['id'] for row in read_csv(work_dir / 'round_01' / 'scores.csv')]
