"""tools/al_labels.py as people call it."""

import json
import subprocess
import sys

import pytest

from mmal.annotation.export import write_batch
from mmal.annotation.label_store import LabelStore
from mmal.run.manifest import write_manifest
from tests.annotation.annotation_fixtures import boxes_batch, coco_file, write
from tests.tools.small_digits import environment
from tests.zoo_configs import ROOT

FILE = coco_file((3, 1, [1, 1, 300, 300]), (9, 1, [1, 1, 300, 300]), (11, 1, [1, 1, 200, 200]))


@pytest.fixture
def waiting(tmp_path):
    """A run that waits for the labels of round 0."""
    work_dir = tmp_path / 'run'
    for name in ('initial', 'round_00'):
        write_batch(boxes_batch(name), work_dir / name)
    write_manifest(work_dir, dict(seed=0, pool={}, config={}))
    return work_dir


def call(*args):
    done = subprocess.run([sys.executable, ROOT / 'tools' / 'al_labels.py', *map(str, args)], capture_output=True,
                          text=True, env=environment(), check=False)
    return done.returncode, done.stdout, done.stderr


def test_labels_go_into_the_batch_asked_for_last(waiting, tmp_path):
    path = write(tmp_path / 'labels.json', FILE)
    code, out, _ = call(waiting, path, '--dry-run')
    assert code == 0
    assert 'Batch round_00: 3 images newly labeled, 0 changed, 3 boxes in the file' in out
    assert 'Nothing was changed' in out
    assert not LabelStore.read(waiting / 'round_00').entries
    code, out, _ = call(waiting, path)
    assert code == 0
    assert 'with --resume' in out
    assert len(LabelStore.read(waiting / 'round_00').entries) == 3
    assert not (waiting / '.lock').read_text(), 'let go of'


def test_a_fault_is_one_message_without_a_traceback(waiting, tmp_path):
    path = write(tmp_path / 'labels.json', coco_file((3, 1, [700, 10, 5, 5])))
    code, _, err = call(waiting / 'round_00', path)
    assert code == 1
    assert 'al_labels.py:' in err
    assert 'on a.jpg: lies outside the image' in err
    assert 'Traceback' not in err
    assert not (waiting / '.lock').read_text()


@pytest.mark.parametrize(('args', 'message'), [
    (('nowhere', 'f'), 'nowhere has no batch to label'), (('run', 'no_such_file.json'), 'file not found: ')])
def test_what_is_not_there_is_named(waiting, tmp_path, args, message):
    code, _, err = call(*(tmp_path / a for a in args))
    assert code == 1
    assert message in err
    assert 'Traceback' not in err


def test_a_batch_without_a_run_is_an_evaluation_set(tmp_path):
    write_batch(boxes_batch('evaluation'), tmp_path / 'evaluation')
    code, out, _ = call(tmp_path / 'evaluation', write(tmp_path / 'labels.json', FILE))
    assert code == 0
    assert '--resume' not in out
    assert len(json.loads((tmp_path / 'evaluation' / 'annotations.json').read_text())['images']) == 3


def test_the_models_own_boxes_are_asked_about(waiting, tmp_path):
    cvat = json.loads((waiting / 'round_00/to_label/cvat.json').read_text())
    path = write(tmp_path / 'labels.json', dict(cvat, images=cvat['images'][:1]))
    code, _, err = call(waiting, path)
    assert (code, '--untouched accepted' in err) == (1, True)
    code, out, _ = call(waiting, path, '--untouched', 'unlabeled')
    assert code == 0
    assert "0 images newly labeled, 0 changed, 0 boxes in the file, 0 images without objects, 1 with the model's" in out
