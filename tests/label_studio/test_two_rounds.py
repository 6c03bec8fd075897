"""Two rounds by tools/al_train.py with people who label in Label Studio: undisturbed, and with everything killed."""

import os
import subprocess
import sys

import pytest

from mmal.fileio.text import read_json
from tests.label_studio.annotator import SKIPS, Annotator
from tests.label_studio.proxy import Fault
from tests.label_studio.server import TOKEN
from tests.tools.small_digits import selections
from tests.zoo_configs import ROOT

pytestmark = pytest.mark.label_studio
PUSH, PULL = 'POST /import', 'GET /export'
BATCHES = ('initial', 'round_00', 'round_01')


class Run:
    """tools/al_train.py in a folder of its own, with a project of its own."""

    def __init__(self, make_cfg, images, folder, url, title, **oracle):
        cfg = make_cfg(root=images[0], rounds=3, sampler=dict(type='mmal.EntropySampler'), oracle=dict(
            type='mmal.AnnotationServer', url=url, project=title, storage=str(images[0]), chunk=2, **oracle))
        cfg.pop('work_dir')
        cfg.custom_hooks = []
        folder.mkdir()
        cfg.dump(folder / 'config.py')
        self.work_dir, self._folder = folder / 'run', folder

    def start(self):
        command = [sys.executable, ROOT / 'tools/al_train.py', 'config.py', '--work-dir', 'run', '--resume']
        return subprocess.Popen(list(map(str, command)), cwd=self._folder, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, env=dict(os.environ, PYTHONPATH=str(ROOT),
                                                                   OMP_NUM_THREADS='1'))

    def call(self):
        process = self.start()
        output, _ = process.communicate(timeout=300)
        return process.returncode, output

    def labels(self):
        """What it chose and what was labeled, without who and how long."""
        entries = {b: read_json(self.work_dir / b / 'labels.json')['entries'] for b in BATCHES}
        boxes = {b: {i: e['boxes'] for i, e in found.items()} for b, found in entries.items()}
        return selections(self.work_dir), boxes, read_json(self.work_dir / 'round_01' / 'labeled.json')


def run_killed(run, server, proxy, annotator):
    """The same as an undisturbed run, with a kill at each step."""
    process = run.start()
    proxy.fault = Fault(PUSH, 2, 'answered', process.kill)
    assert process.wait(300) == -9
    process.stdout.close()
    assert annotator.label() == 4, 'of 6: the second chunk is there, and the run never heard of it'

    for request, when, doing in ((PUSH, 'during', 'pushing 2 tasks'), (PULL, 'half', 'downloading the export')):
        proxy.fault = Fault(request, 1, when, server.kill)
        code, output = run.call()
        assert code == 1, output[-3000:]
        assert 'Expected a Label Studio server at' in output
        assert doing in output
        assert 'Traceback' not in output
        assert not (run.work_dir / 'initial' / 'labels.json').exists(), 'nothing half-imported'
        server.start()

    proxy.fault = None
    for new, batch in ((2, 'round_00'), (3, 'round_01')):
        assert annotator.label() == new
        code, output = run.call()
        assert code == 0, output[-3000:]
        assert f'3 of 3 images of batch {batch} wait for labels' in output
    assert annotator.label() == 3
    assert 'The learning curve' in run.call()[1]


def test_whatever_is_killed_the_labels_are_those_of_an_undisturbed_run(server, proxy, images, make_cfg, tmp_path):
    straight = Run(make_cfg, images, tmp_path / 'straight', server.url, 'straight', wait=200, poll=2)
    with Annotator(server.url, 'straight', images[1]):
        code, output = straight.call()
    assert code == 0, output[-3000:]
    assert 'Batch round_01: ' in output
    assert '; 0 of 3 still to do' in output

    annotator = Annotator(server.url, 'killed', images[1])
    killed = Run(make_cfg, images, tmp_path / 'killed', proxy.url, 'killed')
    run_killed(killed, server, proxy, annotator)

    assert killed.labels() == straight.labels()
    asked = [(t.data['batch'], t.data['image_id']) for t in annotator.tasks()]
    assert len(asked) == len(set(asked)) == 12, 'no task twice'
    order = [i for b, i in asked if b == 'round_00']
    assert order == read_json(killed.work_dir / 'round_00' / 'selected.json'), 'best first'
    entries = read_json(killed.work_dir / 'initial' / 'labels.json')['entries']
    assert all(e['who'] == annotator.user and e['seconds'] == float(i) for i, e in entries.items())
    assert not [i for boxes in killed.labels()[1].values() for i in boxes if int(i) % SKIPS == 0], 'skipped'
    kept = [p for p in tmp_path.rglob('*') if p.is_file() and TOKEN.encode() in p.read_bytes()]
    assert not kept, 'the token is in none of its files'
