"""State that is not whole is named, and never gone on from in silence."""

import json
import logging
import os
import shutil

import pytest
import torch

from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.checksummed import CorruptStateError, read_checksummed, write_checksummed
from mmal.fileio.text import read_csv, read_json, write_json
from mmal.oracles.base import LabelsPending
from mmal.run import recovery
from mmal.run.layout import PHASES
from mmal.run.manifest import back_up_manifest, check, record_initial_labels, write_manifest
from mmal.run.recovery import roll_back, verify_run
from mmal.run.round_state import RoundState
from mmal.samplers import pool_pass
from tests.fault_injection import cut, flip

pytestmark = pytest.mark.usefixtures('no_drawing')

LOG = logging.getLogger()


def begin(work_dir):
    for name in ('pool.json', 'initial.json', 'images.csv', 'other_images.csv'):
        write_json(work_dir / name, [name])
    write_checksummed(work_dir / 'unreadable.json', dict(images={}))


def label(folder):
    """What people leave in the folder of a batch, and what their labels cost."""
    for name in ('labels.json', 'to_label/batch.json'):
        write_checksummed(folder / name, dict(of=folder.name))
    write_bytes(folder / 'costs.csv', b'id,boxes\n1,2\n')


@pytest.fixture
def work_dir(tmp_path):
    """Two closed rounds and one that has come to its s_test."""
    begin(tmp_path)
    write_manifest(tmp_path, dict(seed=0, pool={}, config={}))
    label(tmp_path / 'initial')
    record_initial_labels(tmp_path)
    for number, phases in ((0, list(PHASES)), (1, list(PHASES)), (2, list(PHASES)[:3])):
        folder = RoundState(tmp_path, number)
        back_up_manifest(tmp_path, folder.paths.folder)
        label(folder.paths.folder)
        folder.create_record()
        for phase in phases:
            write_json(folder.artifact(phase), [number, phase])
            folder.finish(phase, 1.0)
    return tmp_path


HARM = dict(flip=flip, cut=cut, empty=lambda p: os.truncate(p, 0), remove=os.remove)
NEEDED = ['initial.json', 'pool.json', 'images.csv', 'other_images.csv', 'unreadable.json', 'round_00/labeled.json',
          'round_01/metrics.json', 'round_01/phases.json', 'round_02/checkpoint.pth', 'round_02/s_test.pth',
          'round_02/phases.json', 'round_00/costs.csv', 'round_00/labels.json', 'round_01/to_label/batch.json',
          'initial/costs.csv', 'initial/labels.json']


def restored(work_dir):
    roll_back(work_dir, LOG, lambda: begin(work_dir))
    verify_run(work_dir, LOG)


def test_what_a_kill_leaves_of_a_round_is_no_damage(work_dir):
    for name in ('resume_5.pth', 'resume.json', 'checkpoint.pth.part', 'run.json'):
        write_bytes(work_dir / 'round_03' / name, b'x')
    verify_run(work_dir, LOG)
    RoundState(work_dir, 3).create_record()
    write_bytes(work_dir / 'round_03' / 'checkpoint.pth', b'x')
    verify_run(work_dir, LOG)
    assert RoundState(work_dir, 3).record == {}


def test_labels_that_are_damaged_before_they_were_gone_on_from_are_named_and_set_aside(work_dir):
    labels = work_dir / 'round_02' / 'labels.json'
    write_checksummed(labels, dict(more='labels'))
    verify_run(work_dir, LOG)
    cut(labels)
    message = 'round_02/labels.json is damaged.* What is whole: round 1.*--resume verified'
    with pytest.raises(CorruptStateError, match=message):
        verify_run(work_dir, LOG)
    restored(work_dir)
    assert not labels.exists()
    assert 's_test' in RoundState(work_dir, 2).record


def test_labels_of_the_beginning_that_were_brought_in_anew_are_gone_on_with(work_dir):
    """They are in another file than the one that was damaged."""
    flip(work_dir / 'initial' / 'labels.json')

    def waiting():
        raise LabelsPending

    with pytest.raises(LabelsPending):
        roll_back(work_dir, LOG, waiting)
    write_checksummed(work_dir / 'initial' / 'labels.json', dict(of='another file'))
    restored(work_dir)
    assert read_checksummed(work_dir / 'initial' / 'labels.json') == dict(of='another file')
    flip(work_dir / 'initial' / 'labels.json')
    with pytest.raises(CorruptStateError, match='initial/labels.json is damaged'):
        verify_run(work_dir, LOG)


def test_a_kill_while_going_back_leaves_no_round_that_looks_whole(work_dir, monkeypatch):
    def killed(path, logger):
        raise KeyboardInterrupt

    flip(work_dir / 'round_00' / 'labeled.json')
    with monkeypatch.context() as patch:
        patch.setattr(recovery, 'quarantine', killed)
        with pytest.raises(KeyboardInterrupt):
            restored(work_dir)
    with pytest.raises(CorruptStateError, match='round_00/labeled.json is damaged'):
        verify_run(work_dir, LOG)
    restored(work_dir)
    assert sorted(p.name for p in work_dir.glob('*round*')) == ['aside_1_round_01', 'aside_1_round_02', 'round_00']


def test_a_run_record_lost_during_the_first_training_is_missed_and_comes_back(tmp_path):
    begin(tmp_path)
    record = dict(seed=0, pool={}, config={})
    write_manifest(tmp_path, record)
    back_up_manifest(tmp_path, tmp_path / 'round_00')
    (tmp_path / 'run.json').unlink()
    with pytest.raises(InputError, match='holds a run already'):
        check(tmp_path, record, resume=False)
    with pytest.raises(CorruptStateError, match='run.json is missing.*--resume verified'):
        check(tmp_path, record, resume=True)
    restored(tmp_path)
    assert check(tmp_path, record, resume=True)


def test_the_copy_of_the_run_record_is_renewed_with_it(tmp_path):
    for lr in ('1', '2', '2'):
        write_manifest(tmp_path, dict(seed=0, pool={}, config=dict(lr=lr)))
        back_up_manifest(tmp_path, tmp_path / 'round_00')
        assert read_checksummed(tmp_path / 'round_00' / 'run.json')['config'] == dict(lr=lr)


@pytest.mark.parametrize('how', HARM)
@pytest.mark.parametrize('name', NEEDED)
def test_damage_is_named_with_the_last_whole_state_and_can_be_gone_back_from(work_dir, name, how):
    verify_run(work_dir, LOG)
    HARM[how](work_dir / name)
    with pytest.raises(CorruptStateError, match='--resume verified') as error:
        verify_run(work_dir, LOG)
    assert str(work_dir / name) in str(error.value)
    assert 'What is whole: ' in str(error.value)
    restored(work_dir)


def test_going_back_keeps_what_was_before_and_sets_aside_what_was_after(work_dir):
    flip(work_dir / 'round_01' / 'labeled.json')
    with pytest.raises(CorruptStateError, match='What is whole: round 0'):
        verify_run(work_dir, LOG)
    restored(work_dir)
    assert RoundState(work_dir, 0).closed
    assert list(RoundState(work_dir, 1).record) == list(PHASES)[:-1]
    assert not (work_dir / 'round_02').exists()
    assert read_json(work_dir / 'aside_1_round_02' / 's_test.pth') == [2, 's_test']


def test_what_no_later_round_is_made_from_is_a_warning(work_dir, caplog):
    flip(work_dir / 'round_00' / 'checkpoint.pth')
    verify_run(work_dir, LOG)
    assert 'round_00/checkpoint.pth is damaged' in caplog.text


def test_a_lost_run_record_comes_back_from_a_round(work_dir):
    before = read_checksummed(work_dir / 'run.json')
    cut(work_dir / 'run.json')
    flip(work_dir / 'round_02' / 'run.json')
    restored(work_dir)
    assert read_checksummed(work_dir / 'run.json') == before
    for copy in [work_dir / 'run.json', *work_dir.glob('round_*/run.json')]:
        copy.unlink()
    with pytest.raises(CorruptStateError, match='every copy'):
        restored(work_dir)


def test_a_beginning_that_comes_out_otherwise_is_not_put_in_its_place(work_dir):
    flip(work_dir / 'initial.json')
    with pytest.raises(CorruptStateError, match='cannot be made again'):
        roll_back(work_dir, LOG, lambda: write_json(work_dir / 'initial.json', ['other']))


def test_a_newer_version_is_refused(work_dir):
    data = json.loads((work_dir / 'round_02' / 'phases.json').read_text())
    write_json(work_dir / 'round_02' / 'phases.json', dict(data, format=99))
    with pytest.raises(InputError, match='newer mmal'):
        verify_run(work_dir, LOG)
    with pytest.raises(InputError, match='newer mmal'):
        restored(work_dir)


def test_a_kill_while_a_file_is_amended_is_no_damage(work_dir, monkeypatch):
    import mmal.run.round_state as module

    def killed(path, content):
        raise KeyboardInterrupt

    folder = RoundState(work_dir, 2)
    with monkeypatch.context() as patch:
        patch.setattr(module, 'write_bytes', killed)
        for attempt in (b'{"a": 1}', b'{"a": 2}', b'{"a": 2}'):
            with pytest.raises(KeyboardInterrupt):
                folder.replace_artifact('evaluate', attempt)
            verify_run(work_dir, LOG)
            folder = RoundState(work_dir, 2)
    RoundState(work_dir, 2).replace_artifact('evaluate', b'{}')
    verify_run(work_dir, LOG)


def test_a_run_that_was_moved_goes_on_and_one_that_is_damaged_by_resume_verified(make_cfg, run, tmp_path):
    from tests.engine.test_faults import outcome

    def go(name, rounds=2, **more):
        cfg = make_cfg(tmp_path / name, rounds=rounds, max_epochs=1, **more)
        cfg.resume = True
        run(cfg)

    go('whole')
    go('moved', rounds=1)
    shutil.move(tmp_path / 'moved', tmp_path / 'here')
    go('here')
    assert outcome(tmp_path / 'here') == outcome(tmp_path / 'whole')
    flip(tmp_path / 'here' / 'round_00' / 'labeled.json')
    flip(tmp_path / 'here' / 'initial.json')
    cut(tmp_path / 'here' / 'unreadable.json')
    with pytest.raises(CorruptStateError, match='What is whole: nothing'):
        go('here')
    go('here', on_corruption='restore')
    assert outcome(tmp_path / 'here') == outcome(tmp_path / 'whole')
    (tmp_path / 'here' / 'run.json').unlink()
    with pytest.raises(CorruptStateError, match=r'run.json is missing. .*--resume verified'):
        go('here')


def test_other_settings_are_gone_on_with_if_asked_and_noted(make_cfg, run, tmp_path):
    def go(lr, **more):
        cfg = make_cfg(tmp_path / 'run', max_epochs=1, sampler=dict(type='mmal.RandomSampler'), **more)
        cfg.optim_wrapper.optimizer.lr, cfg.resume = lr, True
        run(cfg)

    go(1e-3, rounds=2)
    with pytest.raises(InputError, match=r'(?s)optimizer.lr: was 0.001, now 0.002.*--allow-config-change'):
        go(2e-3, rounds=3)
    go(2e-3, rounds=3, allow_config_change=True)
    history = read_checksummed(tmp_path / 'run' / 'run.json')['history']
    assert history[0]['changes'] == ['optim_wrapper.optimizer.lr: was 0.001, now 0.002']
    assert history[0]['rounds_closed'] == 1
    go(2e-3, rounds=3)


def test_another_number_of_threads_is_told_and_noted(make_cfg, run, tmp_path, capfd):
    def go(resume):
        cfg = make_cfg(tmp_path / 'run', max_epochs=1, sampler=dict(type='mmal.RandomSampler'), rounds=1)
        cfg.resume = resume
        run(cfg)

    go(resume=False)
    torch.set_num_threads(2)
    try:
        go(resume=True)
    finally:
        torch.set_num_threads(1)
    told = 'environment.threads: was 1, now 2'
    assert told in ''.join(capfd.readouterr())
    assert read_checksummed(tmp_path / 'run' / 'run.json')['history'][0]['changes'] == [told]


def test_a_pass_that_was_interrupted_is_not_gone_on_with_by_other_settings(make_cfg, run, tmp_path, monkeypatch):
    def go(name, score_thr, **more):
        cfg = make_cfg(tmp_path / name, max_epochs=1, **more)
        cfg.train_cfg.sampler.score_thr, cfg.resume = score_thr, True
        return read_csv(run(cfg) / 'round_00' / 'scores.csv')

    def stopping(*args):
        for n, batch in enumerate(batches(*args)):
            if n:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(pool_pass, 'FLUSH_SECONDS', 0)
    batches, expected = pool_pass.batches, go('straight', 0.02)
    write_bytes(tmp_path / 'run' / 'initial' / 'passes' / 'left.pt', b'of first images that are chosen by now')
    with monkeypatch.context() as patch:
        patch.setattr(pool_pass, 'batches', stopping)
        with pytest.raises(KeyboardInterrupt):
            go('run', 0.005)
    assert list((tmp_path / 'run' / 'round_00' / 'passes').iterdir())
    assert not (tmp_path / 'run' / 'initial' / 'passes').exists()
    assert go('run', 0.02, allow_config_change=True) == expected


def test_a_model_that_the_next_training_begins_from_must_be_whole(work_dir, caplog):
    """With warm starts the next round is made from it, until that one is trained itself."""
    def warm(value):
        manifest = read_checksummed(work_dir / 'run.json')
        write_checksummed(work_dir / 'run.json', dict(manifest, config={'train_cfg.warm_start': value}))

    flip(RoundState(work_dir, 1).artifact('train'))
    warm('True')
    verify_run(work_dir, LOG)
    shutil.rmtree(work_dir / 'round_02')
    with pytest.raises(CorruptStateError, match=r'round_01/checkpoint.pth .*\. What is whole: round 0\.'):
        verify_run(work_dir, LOG)
    warm('False')
    verify_run(work_dir, LOG)
    warm('True')
    roll_back(work_dir, LOG, rebuild_beginning=None)
    assert 'Round 1 goes on from before train.' in caplog.text
    verify_run(work_dir, LOG)
