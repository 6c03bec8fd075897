"""A kill at any instant, and no space: what was finished is kept, and the run goes on to the very result."""

import errno
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.visualization import LocalVisBackend

from mmal.engine.hooks.resume_hook import MidTrainingCheckpointHook
from mmal.fileio import atomic
from mmal.fileio.checksummed import digest_file
from mmal.fileio.text import read_csv, read_json
from mmal.samplers import pool_pass
from tests.conftest import make_dataset, run_to_its_end, tiny_cfg

pytestmark = pytest.mark.usefixtures('no_drawing')


def outcome(work_dir):
    """Everything a run decided."""
    names = ('selected.json', 'labeled.json', 'metrics.json')
    files = [read_json(work_dir / 'round_00' / name) for name in names]
    scores = read_csv(work_dir / 'round_00' / 'scores.csv')
    last = read_json(work_dir / 'round_01' / 'metrics.json')
    curve = [{k: p[k] for k in ('round', 'images', 'boxes', 'metrics')} for p in read_json(work_dir / 'curve.json')]
    return files, scores, last, curve


class Places:
    """Called instead of ``os.replace``: does something before and after each rename, where a kill would hurt most."""

    def __init__(self, work_dir, do):
        self.work_dir, self.do, self.replace, self.seen = Path(work_dir), do, os.replace, 0

    def __call__(self, source, target):
        self._place(target)
        self.replace(source, target)
        self._place(target)

    def _place(self, target):
        if self.work_dir in Path(target).parents:
            self.do(self.seen)
            self.seen += 1


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp('faults') / 'set')


@pytest.fixture(scope='module')
def go(dataset):
    """Begin a run, or go on with it; what is kept now and then is kept at once."""
    def begin_or_go_on(work_dir):
        cfg = tiny_cfg(work_dir, dataset)
        cfg.resume = True
        cfg.custom_hooks.append(dict(type='mmal.MidTrainingCheckpointHook', interval_seconds=0))
        return outcome(run_to_its_end(cfg))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool_pass, 'FLUSH_SECONDS', 0)
        yield begin_or_go_on


@pytest.fixture(scope='module')
def states(go, tmp_path_factory):
    """What a straight run decided, its work_dir, and copies of it at every place a kill could leave it."""
    folder = tmp_path_factory.mktemp('states')

    def keep(n):
        shutil.copytree(folder / 'straight', folder / f'killed_{n:03d}')

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, 'replace', Places(folder / 'straight', keep))
        straight = go(folder / 'straight')
    return straight, folder / 'straight', sorted(folder.glob('killed_*'))


@pytest.fixture(scope='module')
def straight(states):
    return states[0]


def require_same(go, straight, work_dir):
    assert go(work_dir) == straight, work_dir
    assert not [p for p in work_dir.rglob('.*') if atomic.PARTIAL_FILE.fullmatch(p.name)], 'nothing half-written stays'


def test_a_state_between_two_renames_goes_on_to_the_very_result(go, states):
    straight, _, killed = states
    assert len(killed) > 80
    for work_dir in killed[4::14]:
        require_same(go, straight, work_dir)


@pytest.mark.faults
def test_every_state_between_two_renames_goes_on_to_the_very_result(go, states):
    straight, _, killed = states
    for work_dir in killed:
        require_same(go, straight, work_dir)


def test_a_real_kill_9_changes_nothing(go, straight, tmp_path):
    work_dir = tmp_path / 'killed'
    for place in (31, 37):
        child = os.fork()
        if not child:
            os.replace = Places(work_dir, lambda n, place=place: n == place and os.kill(os.getpid(), signal.SIGKILL))
            go(work_dir)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    require_same(go, straight, work_dir)


def test_a_kill_right_after_a_training_repeats_none_of_it(go, tmp_path, monkeypatch):
    """Its weights are there, and it is not on record yet."""
    seen, replace, before = [], os.replace, MidTrainingCheckpointHook.before_train_iter

    def killed(source, target):
        if Path(target).name == 'phases.json' and (Path(target).parent / 'checkpoint.pth').exists():
            raise KeyboardInterrupt
        replace(source, target)

    def counting(self, runner, batch_idx, data_batch=None):
        seen.append(runner.iter)
        before(self, runner, batch_idx, data_batch)

    monkeypatch.setattr(MidTrainingCheckpointHook, 'before_train_iter', counting)
    with monkeypatch.context() as patch:
        patch.setattr(os, 'replace', killed)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                go(tmp_path / 'run')
            assert seen == [0, 1, 2, 3]
    go(tmp_path / 'run')
    assert not list(tmp_path.glob('run/round_*/resume*'))


HOST_WRITERS = [(Runner, 'save_checkpoint'), (Config, 'dump'), (LocalVisBackend, 'add_scalars')]


@pytest.mark.parametrize(('writer', 'method'), HOST_WRITERS, ids=lambda x: getattr(x, '__name__', x))
def test_where_a_host_library_finds_no_space_the_folder_is_named(make_cfg, run, monkeypatch, writer, method):
    cfg, original = make_cfg(rounds=1, max_epochs=1), getattr(writer, method)
    cfg.default_hooks.checkpoint.interval = cfg.default_hooks.logger.interval = 1

    def full(self, *args, **kwargs):
        if (Path(cfg.work_dir) / 'round_00').exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(writer, method, full)
    with pytest.raises(OSError, match="No space left on device: '.*/run/round_00'"):
        run(cfg)


def test_a_file_that_cannot_be_written_is_named_and_the_state_before_it_intact(go, straight, tmp_path, monkeypatch):
    work_dir, real = tmp_path / 'full', atomic._fsync

    def failing(path):
        if 'scores.csv' in str(path):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(path)

    with monkeypatch.context() as patch:
        patch.setattr(atomic, '_fsync', failing)
        with pytest.raises(OSError, match='scores.csv') as error:
            go(work_dir)
    assert error.value.errno == errno.EIO
    require_same(go, straight, work_dir)


@pytest.mark.skipif(os.geteuid() != 0, reason='mounts a file system')
def test_a_real_full_disk(go, straight, tmp_path):
    small = tmp_path / 'small'
    small.mkdir()
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', str(small)], check=False)
    if mounted.returncode:
        pytest.skip('may not mount')
    try:
        (small / 'ballast').write_bytes(b'0' * 16_000_000)
        with pytest.raises(OSError, match=f"No space left on device: '{small}/run/"):
            go(small / 'run')
        assert not list(small.rglob('*.part'))
        (small / 'ballast').unlink()
        require_same(go, straight, small / 'run')
    finally:
        subprocess.run(['umount', '-l', str(small)], check=True)


def contents(work_dir):
    """Checksums of the state, without what every start writes anew."""
    return {p: digest_file(p) for p in work_dir.rglob('*') if p.suffix in ('.json', '.csv', '.pth')
            and not p.name.startswith('curve') and 'vis_data' not in p.parts}


@pytest.mark.skipif(os.geteuid() != 0, reason='mounts a file system')
@pytest.mark.parametrize(('folder', 'named'), [('.', '/run/'), ('round_01', r'/run/round_01/\w+\.json')])
def test_a_folder_that_is_read_only_is_named_and_the_state_in_it_intact(go, states, tmp_path, folder, named):
    straight, finished, _ = states
    work_dir = tmp_path / 'run'
    shutil.copytree(finished, work_dir)
    shutil.rmtree(work_dir / 'round_01')
    (work_dir / 'round_01').mkdir()
    before, closed = contents(work_dir), str(work_dir / folder)
    if subprocess.run(['mount', '--bind', closed, closed], check=False).returncode:  # root may write whatever modes say
        pytest.skip('may not mount')
    try:
        subprocess.run(['mount', '-o', 'remount,bind,ro', closed], check=True)
        with pytest.raises(OSError, match=f'Read-only file system: .*{named}'):
            go(work_dir)
        assert contents(work_dir) == before
    finally:
        subprocess.run(['umount', '-l', closed], check=True)
    require_same(go, straight, work_dir)
