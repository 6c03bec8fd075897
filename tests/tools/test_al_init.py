"""The command line and what it refuses; `tests/docs/test_commands.py` goes on from a project to its run."""

import logging
import re
import shutil
import sys
from runpy import run_path

import pytest

from mmal.fileio.text import read_csv, read_json, write_csv, write_json
from tests.project.conftest import picture, pictures  # noqa: F401  pictures is a fixture
from tests.zoo_configs import ROOT

INIT, TRAIN, LABELS = (ROOT / 'tools' / f'al_{name}.py' for name in ('init', 'train', 'labels'))


@pytest.fixture
def call(monkeypatch, capfd, tmp_path):
    """Call it in this process; returns what it ended with (0, or a message), and what it printed."""
    def go(*args, tool=INIT):
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


def test_a_classifier_with_classes_from_a_file(call, pictures, tmp_path):  # noqa: F811
    (tmp_path / 'classes.txt').write_text('cat\ndog\n')
    shutil.copy(pictures / '03.png', pictures / 'copy.png')
    code, said = call(pictures, '--config', ROOT / 'configs/resnet_digits_isal.py', '--classes', 'classes.txt')
    assert code == 0
    assert said.strip().endswith('trains, and asks for the next labels; so on from 2')
    assert {r['part'] for r in read_csv(tmp_path / 'al_project/images.csv')} == {'pool', 'evaluation'}
    assert "2 classes: 'cat', 'dog'\n" in said
    again, _ = call(pictures, '--config', ROOT / 'configs/resnet_digits_isal.py', '--classes', 'cat')
    assert 'al_init.py: --out al_project is not empty' in again


def test_classes_divided_by_a_comma_are_two_and_those_of_a_coco_file_keep_their_commas(call, pictures, tmp_path):  # noqa: F811
    digits = ROOT / 'configs/fcos_digits_isal.py'
    code, said = call(pictures, '--config', digits, '--classes', 'cat,dog', '--out', 'two')
    assert (code, "2 classes: 'cat', 'dog'\n" in said) == (0, True)
    images = [dict(id=n, file_name=file.name) for n, file in enumerate(sorted(pictures.iterdir()), 1) if file.is_file()]
    write_json(tmp_path / 'all.json', dict(images=images, categories=[dict(id=1, name='cup, blue')]))
    code, said = call('all.json', '--base-dir', pictures, '--config', digits, '--out', 'one')
    assert (code, "1 classes: 'cup, blue'\n" in said) == (0, True), code


TINY = """model = dict(backbone=dict(base_channels=8, stem_channels=8), head=dict(in_channels=32))
train_cfg = dict(_delete_=True, by_epoch=True, max_epochs=1, val_interval=1)
train_dataloader = dict(sampler=dict(type='DefaultSampler'))
param_scheduler = []
default_hooks = dict(checkpoint=dict(by_epoch=True, interval=1))
log_processor = dict(by_epoch=True)
"""


def choose(batch):
    """Choose a class for each image of a batch, as in a spreadsheet."""
    table = batch / 'to_label' / 'labels.csv'
    rows = read_csv(table)
    assert {row['label'] for row in rows} == {''}
    done = [[*row.values()] for row in (dict(r, label='cat' if n % 2 else 'dog') for n, r in enumerate(rows))]
    write_csv(batch / 'done.csv', list(rows[0]), done)
    return batch, batch / 'done.csv'


@pytest.mark.usefixtures('no_drawing')
def test_people_choose_classes_from_the_folder_to_the_second_round(call, pictures, tmp_path):  # noqa: F811
    (tmp_path / 'tiny.py').write_text(f'_base_ = {str(ROOT / "configs/resnet_digits_isal.py")!r}\n{TINY}')
    assert call(pictures, '--config', 'tiny.py', '--classes', 'cat', 'dog', '--evaluation', '4', '--initial', '6',
                '--query', '3', '--rounds', '3')[0] == 0
    project = tmp_path / 'al_project'
    config = (project / 'config.py').read_text()
    assert "type='RepeatDataset', times=3837" in config  # of 5 images in batches of 16
    (project / 'config.py').write_text(config.replace('times=3837', 'times=7'))
    for batch in ('initial', 'round_00', 'round_01'):
        code, said = call('al_project/config.py', '--resume', tool=TRAIN)
        assert (code, f'images of batch {batch} wait for labels' in said) == (0, True), said[-3000:]
        for folder in ([project / 'evaluation'] if batch == 'initial' else []) + [project / 'run' / batch]:
            code, said = call(*choose(folder), tool=LABELS)
            assert code == 0, said
    curve = read_json(project / 'run' / 'curve.json')
    assert [p['images'] for p in curve] == [6, 9]
    assert 'accuracy/top1' in curve[1]['metrics']
    assert len(read_json(project / 'run' / 'round_00' / 'labeled.json')) == 9 - 1, 'one is held out'


@pytest.mark.usefixtures('no_drawing')
def test_labels_that_exist_are_trained_on_at_once_and_new_images_come_later(call, pictures, tmp_path):  # noqa: F811
    (tmp_path / 'tiny.py').write_text(f'_base_ = {str(ROOT / "configs/resnet_digits_isal.py")!r}\n{TINY}')
    for name, numbers in (('train', range(8)), ('val', range(8, 12))):
        rows = [[f'{n:02d}.png', 'cat' if n % 2 else 'dog'] for n in numbers]
        write_csv(pictures / f'{name}.csv', ['file_name', 'label'], rows)
    project, config = tmp_path / 'al_project', 'al_project/config.py'
    code, said = call(pictures, '--config', 'tiny.py', '--labeled', pictures / 'train.csv', '--val',
                      pictures / 'val.csv', '--query', '3', '--rounds', '2')
    assert code == 0, said
    text = (project / 'config.py').read_text()
    (project / 'config.py').write_text(re.sub(r'times=\d+', 'times=7', text))
    code, said = call(config, '--dry-run', tool=TRAIN)
    assert code == 0, said
    assert '8 images labeled already' in said
    code, said = call(config, tool=TRAIN)
    assert (code, 'images of batch round_00 wait for labels' in said) == (0, True), said[-3000:]
    assert '8 of 16 images are labeled already' in said
    assert [p['images'] for p in read_json(project / 'run' / 'curve.json')] == [8]
    assert 'were labeled before the run' in (project / 'run' / 'report.html').read_text()

    picture(pictures / 'new.png', 77)
    code, _ = call(pictures, '--add-to', 'al_project', '--val', pictures / 'val.csv')
    assert '--add-to adds images without labels' in code
    code, said = call(pictures, '--add-to', 'al_project')
    assert '1 new images, 1 of them added to the pool, which has 17 now' in said
    assert '--pool-grew' in call(config, '--resume', tool=TRAIN)[0]
    assert call(*choose(project / 'run' / 'round_00'), tool=LABELS)[0] == 0
    code, said = call(config, '--resume', '--pool-grew', tool=TRAIN)
    assert code == 0, said
    assert 'new.png' in (project / 'run' / 'pool.json').read_text()
    assert [p['images'] for p in read_json(project / 'run' / 'curve.json')] == [8, 11]
    code, said = call(config, '--resume', '--cfg-options', 'train_cfg.rounds=3', tool=TRAIN)
    assert (code, 'images of batch round_01 wait for labels' in said) == (0, True), said[-3000:]
    assert 'new.png' in {row['id'] for row in read_csv(project / 'run' / 'round_01' / 'scores.csv')}


def test_what_cannot_work_is_one_message(call, pictures, tmp_path):  # noqa: F811
    digits = ROOT / 'configs/fcos_digits_isal.py'
    for args, message in (((pictures, '--config', digits), 'which classes? Give their names'),
                          ((pictures, '--config', 'no.py', '--classes', 'a'), '--config no.py: there is no such file'),
                          (('nowhere', '--config', digits, '--classes', 'a'), 'nowhere does not exist'),
                          ((pictures, '--config', digits, '--classes', 'a', '--task', 'classification'),
                           'is for detection'),
                          ((pictures, ), '--config: which model?'),
                          ((pictures, '--config', digits, '--val', 'v.json'), '--val goes with --labeled FILE'),
                          ((pictures, '--config', digits, '--labeled', 't.json', '--initial', '3'),
                           '--initial and --cold-start choose images to be labeled first')):
        code, _ = call(*args)
        assert f'al_init.py: {message}' in code or message in code
        assert not (tmp_path / 'al_project').exists()
    assert call(pictures, '--config', digits, '--query', '0')[0] == 2
