"""The command line, from a folder of images to a run that waits for people, and what it refuses."""

import logging
import shutil
import sys
from runpy import run_path

import pytest

from mmal.artifacts import read_csv, read_json, write_json
from tests.conftest import coco
from tests.project.conftest import pictures  # noqa: F401  a fixture
from tests.zoo_configs import ROOT

INIT, LABELS, TRAIN = (ROOT / 'tools' / f'al_{n}.py' for n in ('init', 'labels', 'train'))


@pytest.fixture
def scenes(tmp_path):
    """A folder of 24 scenes without labels, and the labels, which nobody has seen."""
    (tmp_path / 'pics').mkdir()
    return tmp_path / 'pics', coco(24, tmp_path / 'pics')


@pytest.fixture
def call(monkeypatch, capfd, tmp_path):
    """Call a tool in this process; returns what it ended with (0, or a message), and what it printed."""
    def go(tool, *args):
        monkeypatch.setattr(sys, 'argv', [tool.name, *map(str, args)])
        monkeypatch.chdir(tmp_path)
        try:
            run_path(str(tool), run_name='__main__')
            code = 0
        except SystemExit as e:
            code = e.code or 0
        finally:
            logging.getLogger().handlers.clear()
        return code, ''.join(capfd.readouterr())

    return go


def answer(asked, truth, path):
    """Write labels as a tool would: what was asked, with the true boxes."""
    content, by_name = read_json(asked), {i['file_name']: i['id'] for i in truth['images']}
    boxes = [dict(a, image_id=image['id']) for image in content['images'] for a in truth['annotations']
             if a['image_id'] == by_name[image['file_name']]]
    write_json(path, dict(content, annotations=[dict(a, id=n) for n, a in enumerate(boxes)]))


def test_a_folder_becomes_a_project_that_waits_for_people_and_then_trains(call, scenes, config_file, tmp_path):
    pics, truth = scenes
    code, said = call(INIT, pics, '--config', config_file, '--classes', 'disc', 'square', '--out', 'my project',
                      '--initial', 6, '--query', 3, '--rounds', 1, '--evaluation', 4)
    assert (code, 'evaluation:       4 at random' in said) == (0, True)
    project = tmp_path / 'my project'
    code, said = call(TRAIN, project / 'config.py', '--dry-run')
    assert (code, 'evaluation:      its labels are still to come' in said) == (0, True)
    code, said = call(TRAIN, project / 'config.py')
    assert (code, '6 of 6 images of batch initial wait for labels' in said) == (0, True)
    for batch, folder in (('evaluation', 'evaluation'), ('run/initial', 'run')):
        answer(project / batch / 'to_label' / 'coco.json', truth, tmp_path / 'labels.json')
        assert call(LABELS, project / folder, tmp_path / 'labels.json')[0] == 0
    assert call(TRAIN, project / 'config.py', '--resume')[0] == 0
    assert [p['images'] for p in read_json(project / 'run/curve.json')] == [6]
    assert 'coco/bbox_mAP' in read_json(project / 'run/round_00/metrics.json')['metrics']


def test_a_classifier_with_classes_from_a_file(call, pictures, tmp_path):  # noqa: F811
    (tmp_path / 'classes.txt').write_text('cat\ndog\n')
    shutil.copy(pictures / '03.png', pictures / 'copy.png')
    code, said = call(INIT, pictures, '--config', ROOT / 'configs/resnet_digits_isal.py', '--classes', 'classes.txt')
    assert code == 0
    assert said.strip().endswith('trains, and asks for the next labels; so on from 2')
    assert {r['part'] for r in read_csv(tmp_path / 'al_project/images.csv')} == {'pool', 'evaluation'}
    again, _ = call(INIT, pictures, '--config', ROOT / 'configs/resnet_digits_isal.py', '--classes', 'cat')
    assert 'al_init.py: --out al_project is not empty' in again


def test_what_cannot_work_is_one_message(call, pictures, tmp_path):  # noqa: F811
    digits = ROOT / 'configs/fcos_digits_isal.py'
    for args, message in (((pictures, '--config', digits), 'which classes? Give their names'),
                          ((pictures, '--config', 'no.py', '--classes', 'a'), '--config no.py: there is no such file'),
                          (('nowhere', '--config', digits, '--classes', 'a'), 'nowhere does not exist'),
                          ((pictures, '--config', digits, '--classes', 'a', '--task', 'classification'),
                           'is for detection')):
        code, _ = call(INIT, *args)
        assert f'al_init.py: {message}' in code or message in code
        assert not (tmp_path / 'al_project').exists()
    assert call(INIT, pictures, '--config', digits, '--query', '0')[0] == 2
