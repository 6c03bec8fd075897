"""Each shell command of the README and of the pages for beginners is run, or it is said here what runs it."""

import logging
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys

import pytest

from mmal.fileio.text import read_json, write_json
from tests.conftest import coco
from tests.docs.pages import ROOT, commands, commands_within_text
from tests.tools.small_digits import OPTIONS

README = ROOT / 'README.md'
QUICK_START = ROOT / 'docs' / 'quick_start.md'
YOUR_DATA = ROOT / 'docs' / 'your_data.md'
PAGES = [README, QUICK_START, YOUR_DATA]
CUSTOM = ('python tools/al_train.py configs/fcos_custom_isal.py --work-dir work_dirs/mine{} --cfg-options '
          'data_root=/path/to/folder train_cfg.initial=100 train_cfg.query=50 train_cfg.rounds=5')
RANDOM = ('python tools/al_train.py configs/resnet_digits_isal.py --work-dir work_dirs/random{} --cfg-options '
          'train_cfg.sampler.type=mmal.RandomSampler')
GO_ON = 'python tools/al_train.py al_project/config.py --resume'
SELECT = 'python tools/al_select.py my_detector.py '
DRY_RUN = GO_ON.replace('--resume', '--dry-run')
SMALL = [*OPTIONS, 'train_cfg.rounds=1']
CUSTOM_SMALL = ['train_cfg.initial=6', 'train_cfg.query=4', 'val_dataloader.dataset.pipeline.1.scale=(128,128)']

# command: how. ('run', more arguments, exit status, what it prints); of a make target, the last line of its recipe is
# run. ('there', file, pattern): CI, the set-up or another test runs it, as this pattern in the file says.
TABLE = {
    'make demo': ('there', 'tests/configs/test_configs.py', r"planned\('fcos_digits_isal\.py'"),
    'make test': ('there', '.ci/run', '^timed tests make test$'),
    'make test-gpu': ('there', 'tests/tools/test_gpu_wheels.py', r"for target, program in \(\('test-gpu'"),
    'make test-slow': ('there', '.ci/run', "^timed 'slow tests' make test-slow$"),
    'make lint': ('there', '.ci/run', '^timed lint make lint$'),
    'make docs': ('there', '.ci/run', '^timed docs make docs$'),
    'make paper-claims': ('run', [], 0, '13 %'),
    'pip install -e .': ('there', 'tools/setup_env.sh', r'^pip install .* -e \.$'),
    'python tools/check_env.py': ('run', [], 0, 'torch'),
    'python tools/al_train.py configs/fcos_coco_isal.py --dry-run':
        ('run', [], 2, 'PROBLEM: Annotation file not found: data/coco/annotations/instances_train2017.json'),
    CUSTOM.format(''): ('run', [*CUSTOM_SMALL, '--dry-run'], 0, 'pool: +14 images, 2 classes; 0 files missing'),
    'python tools/al_report.py work_dirs/mine --open': ('there', 'tests/tools/test_al_report.py', "'al_report.py'"),
    'python tools/al_compare.py configs/plans/cifar10.py --dry-run': ('run', [], 0, 'random'),
    'make demo-classification': ('run', ['--cfg-options', *OPTIONS, 'train_cfg.rounds=2'], 0, 'The learning curve'),
    'head -4 work_dirs/demo-classification/round_00/scores.csv':
        ('run', [], 0, '^id,influence,pseudo_boxes,rank,selected'),
    RANDOM.format(''): ('run', SMALL, 0, 'The learning curve'),
    'python tools/al_compare.py docs/results/digits/plan.py --dry-run': ('run', [], 0, 'badge'),
    RANDOM.format(' --resume') + ' train_cfg.rounds=6': ('run', [*OPTIONS, 'train_cfg.rounds=2'], 0, '^ +1 +30 '),
    CUSTOM.format(' --dry-run'): ('run', CUSTOM_SMALL, 0, 'pool: +14 images, 2 classes; 0 files missing'),
    'python tools/al_init.py photos --config mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py --classes cat dog '
    '--out al_project': ('run', ['--config', 'tiny.py', '--classes', 'disc', 'square', '--initial', '6', '--query', '3',
                                 '--rounds', '2', '--evaluation', '4'], 0, 'evaluation: +4 at random'),
    SELECT + 'my_detector.pth --images photos --budget 30 --out selected_1':
        ('there', 'tests/cli/test_select.py', 'def test_the_best_are_selected_and_nothing_that_is_labeled'),
    'python tools/al_labels.py selected_1 EXPORTED_FILE':
        ('there', 'tests/cli/test_select.py', 'def test_labels_that_come_back_are_the_next_labeled_set'),
    SELECT + 'my_next_detector.pth --images photos --labeled selected_1/labeled.json --budget 30 --out selected_2':
        ('there', 'tests/cli/test_select.py', r"second = call\(world, '--labeled'"),
    'python tools/al_init.py photos --labeled train.json --val val.json --config '
    'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py --out al_labeled':
        ('run', ['--config', 'tiny.py', '--query', '3', '--rounds', '2'], 0, 'pool: +20; 8 labeled already, then 3 a'),
    'python tools/al_init.py photos --add-to al_labeled': ('run', [], 0, 'All 24 images are in'),
    'python tools/al_train.py al_labeled/config.py --resume --pool-grew':
        ('run', ['--dry-run'], 0, 'rounds: +2: 8 images labeled already .*labeled.json'),
    DRY_RUN: ('run', [], 0, r'evaluation: +its labels are still to come(.*\n)+first training: +about 3 iterations'),
    GO_ON: ('run', [], 0, 'images of batch .* wait for labels'),
    'python tools/al_labels.py al_project/evaluation EXPORTED_FILE': ('run', [], 0, '4 images newly labeled'),
    'python tools/al_labels.py al_project/run EXPORTED_FILE': ('run', [], 0, '6 images newly labeled'),
    'python tools/al_init.py photos --config mmpretrain::resnet/resnet18_8xb32_in1k.py --classes cat dog '
    '--out al_classes': ('run', ['--evaluation', '4'], 0, 'evaluation: +4 at random'),
    'python tools/al_labels.py al_classes/evaluation labels.csv': ('run', [], 0, '4 images newly labeled'),
}


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A folder that looks like the repository's root, for what the commands write."""
    folder = tmp_path_factory.mktemp('root')
    for name in ('configs', 'docs', 'tools', 'Makefile'):
        (folder / name).symlink_to(ROOT / name)
    return folder


def words_of(command: str) -> list[str]:
    """The words of a command; of a make target, those of its recipe's last line."""
    if not command.startswith('make '):
        return shlex.split(command)
    env = {k: v for k, v in os.environ.items() if not k.startswith('MAKE') and k != 'MFLAGS'}
    out = subprocess.run([*command.split(), '-n', 'PYTHON=python'], cwd=ROOT, capture_output=True, text=True, env=env,
                         check=True).stdout
    return shlex.split(re.sub(r'^PYTHONPATH=\S* ', '', out.strip().split('\n')[-1]))


def execute(words: list[str]) -> int:
    """Run a command; a Python program in this process, which has imported what takes long."""
    if words[0] != 'python':
        return subprocess.run(words, check=False).returncode
    argv, env, handlers = sys.argv, dict(os.environ), logging.getLogger().handlers[:]
    sys.argv = words[1:]
    try:
        runpy.run_path(words[1], run_name='__main__')
    except SystemExit as end:
        if isinstance(end.code, str):  # a message, which the interpreter prints
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    finally:
        sys.argv, logging.getLogger().handlers[:] = argv, handlers
        os.environ.clear()
        os.environ.update(env)
    return 0


@pytest.fixture
def check(place, dataset, monkeypatch, capfd):
    """Run a command of the table, made small, and compare its end with the table, or with what it is given."""
    def run(command, how=None):
        _, more, status, pattern = how or TABLE[command]
        monkeypatch.chdir(place)
        capfd.readouterr()
        ended = execute([*(w.replace('/path/to/folder', str(dataset)) for w in words_of(command)), *more])
        said = ''.join(capfd.readouterr())
        assert ended == status, said[-3000:]
        assert re.search(pattern, said, re.MULTILINE), said[-3000:]

    return run


@pytest.mark.parametrize('page', PAGES, ids=lambda p: p.name)
def test_every_command_is_in_the_table(page):
    assert commands(page)
    assert not [c for c in commands(page) + commands_within_text(page) if c not in TABLE]


def test_the_table_has_no_more_than_that():
    assert set(TABLE) == {c for page in PAGES for c in commands(page) + commands_within_text(page)}


@pytest.mark.parametrize('command', [c for c, how in TABLE.items() if how[0] == 'there'])
def test_what_is_run_elsewhere_is_run_there(command):
    _, file, pattern = TABLE[command]
    found = re.search(pattern, (ROOT / file).read_text(), re.MULTILINE)
    assert found
    for config in [w for w in words_of(command) if w.startswith('configs/')]:
        assert os.path.basename(config) in found[0]


@pytest.mark.parametrize('command', [c for c in dict.fromkeys(commands(README) + commands_within_text(README))
                                     if TABLE.get(c, 'there')[0] == 'run' and c not in commands(YOUR_DATA)])
def test_commands_of_the_readme(command, check):
    check(command)


def test_the_quick_start_from_top_to_bottom(check):
    for command in commands(QUICK_START):
        check(command)


def label(asked, truth, path):
    """Write labels as a tool exports them: what was asked, with the true boxes."""
    content, by_name = read_json(asked), {i['file_name']: i['id'] for i in truth['images']}
    boxes = [dict(a, image_id=image['id']) for image in content['images'] for a in truth['annotations']
             if a['image_id'] == by_name[image['file_name']]]
    write_json(path, dict(content, annotations=[dict(a, id=n) for n, a in enumerate(boxes)]))


def test_your_data_from_top_to_bottom_and_a_project_that_is_moved(check, place, config_file):
    (place / 'photos').mkdir()
    truth = coco(24, place / 'photos')
    shutil.copy(config_file, place / 'tiny.py')
    for name, first, last in (('train', 1, 8), ('val', 9, 12)):
        images = [image for image in truth['images'] if first <= image['id'] <= last]
        boxes = [box for box in truth['annotations'] if first <= box['image_id'] <= last]
        write_json(place / f'{name}.json', dict(truth, images=images, annotations=boxes))
    for command in [c for c in commands(YOUR_DATA) if TABLE[c][0] == 'run']:
        if 'al_labels.py al_project' in command:
            batch = 'evaluation' if '/evaluation ' in command else 'run/initial'
            label(place / 'al_project' / batch / 'to_label' / 'coco.json', truth, place / 'EXPORTED_FILE')
        if 'al_labels.py al_classes' in command:
            table = (place / 'al_classes/evaluation/to_label/labels.csv').read_text()
            (place / 'labels.csv').write_text(table.replace('png,,', 'png,dog,'))
        check(command)
        if 'al_init.py' in command and 'mmdet' in command:  # trainings of 1200 iterations are not for a test
            config = place / command.split('--out ')[1].split()[0] / 'config.py'
            config.write_text(re.sub(r'times=\d+', 'times=2', config.read_text()))
    run = (place / 'al_project').rename(place / 'my project') / 'run'
    (run / 'report.html').unlink()
    check("python tools/al_report.py 'my project/run'", ('run', [], 0, 'Report: my project/run/report.html'))
    moved = GO_ON.replace('al_project/config.py', "'my project/config.py'")
    visualizer = ['--cfg-options', 'visualizer.name=moved']  # by its name mmengine finds the old one in this process
    check(moved, ('run', visualizer, 0, 'images of batch round_00 wait for labels'))
    assert [p['images'] for p in read_json(run / 'curve.json')] == [6]
    assert 'coco/bbox_mAP' in read_json(run / 'round_00' / 'metrics.json')['metrics']
    assert 'history' not in read_json(run / 'run.json')
