"""An evaluation set that people label in Label Studio beside the first images, with kills in the middle of it."""

import pytest

from mmal.annotation.batch import Batch, BatchImage
from mmal.annotation.export import write_batch
from mmal.fileio.text import read_csv, read_json
from tests.label_studio.annotator import SKIPS, Annotator
from tests.label_studio.proxy import Fault
from tests.label_studio.test_two_rounds import PULL, PUSH, Run

pytestmark = pytest.mark.label_studio


@pytest.fixture
def evaluation(images, tmp_path):
    """A project's folder with the batch; and the truth about it."""
    root = images[0]
    truth = read_json(root / 'test.json')
    asked = [BatchImage(i['id'], i['file_name'], n, i['width'], i['height']) for n, i in enumerate(truth['images'])]
    write_batch(Batch('evaluation', ['disc', 'square'], truth['categories'], str(root), asked), tmp_path / 'evaluation')
    return tmp_path / 'evaluation', truth


@pytest.fixture
def run_with(make_cfg, images, evaluation, server, tmp_path):
    """Makes a run that is measured on that set."""
    def make(name, url, **oracle):
        def cfg(**train_cfg):
            found = make_cfg(**train_cfg | dict(rounds=2, max_epochs=1))
            for part in (found.test_dataloader.dataset, found.test_evaluator):
                part.ann_file = str(evaluation[0] / 'annotations.json')
            return found
        return Run(cfg, images, tmp_path / name, url, name, **oracle)

    return make


@pytest.fixture
def annotator(server, images, evaluation):
    def make(title):
        both = {key: images[1][key] + evaluation[1][key] for key in ('images', 'annotations')}
        return Annotator(server.url, title, dict(images[1], **both))
    return make


def test_it_is_pushed_once_and_pulled_when_done_whatever_is_killed(run_with, annotator, evaluation, server, proxy):
    folder, truth = evaluation
    run, who = run_with('set_killed', proxy.url), annotator('set_killed')
    process = run.start()
    proxy.fault = Fault(PUSH, 2, 'answered', process.kill)
    assert process.wait(300) == -9
    process.stdout.close()
    assert {t.data['batch'] for t in who.tasks()} == {'evaluation'}
    proxy.fault = Fault(PUSH, 2, 'half', server.kill)
    code, output = run.call()
    assert (code, 'Expected a Label Studio server at' in output) == (1, True), output[-3000:]
    server.start()
    proxy.fault = None
    code, output = run.call()
    assert code == 0, output[-3000:]
    for batch, number in (('initial', 6), ('evaluation', 4)):
        assert f'{number} of {number} images of batch {batch} wait for labels: label them at' in output
    assert who.label() == 10
    proxy.fault = Fault(PULL, 1, 'half', lambda: None)
    code, output = run.call()
    assert (code, 'downloading the export' in output) == (1, True), output[-3000:]
    assert read_json(folder / 'labels.json')['entries'] == {}, 'nothing half-imported'
    code, output = run.call()
    assert (code, '3 of 3 images of batch round_00 wait for labels' in output) == (0, True), output[-3000:]
    asked = [(t.data['batch'], t.data['image_id']) for t in who.tasks()]
    assert len(asked) == len(set(asked)) == 13, 'no task twice'
    check(folder, truth, run)


def check(folder, truth, run):
    """The set is what people made of it, and the run was measured on it."""
    found, labels = read_json(folder / 'annotations.json'), read_json(folder / 'labels.json')
    ids = [i['id'] for i in truth['images'] if i['id'] % SKIPS]
    assert [i['id'] for i in found['images']] == ids
    true = sorted((a['image_id'], a['category_id'], *a['bbox']) for a in truth['annotations'] if a['image_id'] in ids)
    drawn = sorted((a['image_id'], a['category_id'], *a['bbox']) for a in found['annotations'])
    assert len(drawn) == len(true)
    assert [v for row in drawn for v in row] == pytest.approx([v for row in true for v in row])
    assert labels['skipped'] == [str(i['id']) for i in truth['images'] if i['id'] % SKIPS == 0]
    assert 'coco/bbox_mAP' in read_json(run.work_dir / 'round_00' / 'metrics.json')['metrics']
    rows = [r['file'] for r in read_csv(run.work_dir / 'other_images.csv')]
    assert sorted(rows) == sorted(i['file_name'] for i in found['images'])


def test_one_call_waits_for_both(run_with, annotator, evaluation, server):
    run = run_with('set_waiting', server.url, wait=200, poll=2)
    with annotator('set_waiting'):
        code, output = run.call()
    assert code == 0, output[-3000:]
    assert 'The learning curve' in output
    check(*evaluation, run)
