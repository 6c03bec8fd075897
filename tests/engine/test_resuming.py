"""A run that goes on: after every phase, with other settings, from other weights."""

import os

import pytest
import torch

from mmal.engine.phase_runner import PhaseRunner
from mmal.errors import InputError
from mmal.fileio.tensors import load_tensors
from mmal.fileio.text import read_json
from mmal.run.layout import MODEL_PHASES, PHASES
from tests.engine.test_bad_input import edit

pytestmark = pytest.mark.usefixtures('no_drawing')
RANDOM = dict(rounds=1, max_epochs=1, sampler=dict(type='mmal.RandomSampler'))


def outcome(work_dir, rounds=2):
    """Everything a run decided."""
    queries = [read_json(work_dir / f'round_{r:02d}' / name) for r in range(rounds - 1)
               for name in ('selected.json', 'labeled.json')]
    return [*queries, *(read_json(work_dir / f'round_{r:02d}' / 'metrics.json') for r in range(rounds))]


def test_resume_after_every_phase_gives_the_same_result(make_cfg, run, tmp_path, monkeypatch):
    straight = outcome(run(make_cfg(tmp_path / 'straight', max_epochs=1)))
    original = PhaseRunner.run_phase
    work_dir = tmp_path / 'stopped'
    stops = [*((0, phase) for phase in PHASES), *((1, phase) for phase in MODEL_PHASES)]
    for stop in stops:

        def stopping(self, phase, run, round_, stop=stop):
            original(self, phase, run, round_)
            if (round_.number, phase.name) == stop:
                raise KeyboardInterrupt

        monkeypatch.setattr(PhaseRunner, 'run_phase', stopping)
        cfg = make_cfg(work_dir, max_epochs=1)
        cfg.resume = True
        with pytest.raises(KeyboardInterrupt):
            run(cfg)
    monkeypatch.setattr(PhaseRunner, 'run_phase', original)
    cfg = make_cfg(work_dir, max_epochs=1)
    cfg.resume = True
    assert outcome(run(cfg)) == straight


def everything(work_dir):
    """Bytes of every artifact, by its path."""
    files = [work_dir / 'initial.json', *work_dir.glob('round_*/costs.csv')]
    for name in PHASES.values():
        files += work_dir.glob(f'round_*/{name}')
    return {str(file.relative_to(work_dir)): file.read_bytes() for file in files}


def test_more_rounds_later_come_to_the_same_bytes_and_fewer_rounds_undo_nothing(make_cfg, run, tmp_path):
    def go(name, rounds):
        cfg = make_cfg(tmp_path / name, rounds=rounds, max_epochs=1, unit='box', query=5)
        cfg.resume = True
        return everything(run(cfg))

    straight = go('at_once', 3)
    assert [name for name in sorted(straight) if 'round_02' in name] == [
        'round_02/checkpoint.pth', 'round_02/metrics.json']
    assert len([name for name in straight if name.startswith('round_01')]) == len(PHASES) + 1
    one = go('by_and_by', 1)
    assert sorted(one) == ['initial.json', 'round_00/checkpoint.pth', 'round_00/metrics.json']
    go('by_and_by', 2)
    assert go('by_and_by', 3) == straight
    assert go('by_and_by', 2) == straight
    assert len(read_json(tmp_path / 'by_and_by' / 'curve.json')) == 3
    log = '\n'.join(p.read_text() for p in (tmp_path / 'by_and_by').glob('2*/*.log'))
    assert 'The one round is trained and evaluated. It selects nothing' in log
    assert 'with --resume --cfg-options train_cfg.rounds=3' in log
    assert 'holds 1 more, of before train_cfg.rounds was lowered' in log


def test_an_occupied_work_dir_is_refused_and_untouched(make_cfg, run):
    work_dir = run(make_cfg(**dict(RANDOM, rounds=2)))
    before = outcome(work_dir)
    with pytest.raises(InputError, match='holds a run already'):
        run(make_cfg(**RANDOM))
    cfg = make_cfg(**RANDOM)
    cfg.resume, cfg.randomness = True, dict(seed=5)
    with pytest.raises(InputError, match='seed: was 0, now 5'):
        run(cfg)
    cfg = make_cfg(**dict(RANDOM, sampler=dict(type='mmal.InfluenceSampler')))
    cfg.resume = True
    with pytest.raises(InputError, match='train_cfg.sampler.type: was'):
        run(cfg)
    assert outcome(work_dir) == before


def test_resume_with_load_from_trains_from_those_weights(make_cfg, run, tmp_path):
    """mmengine would take load_from for the checkpoint of the outer Runner to resume."""
    first = run(make_cfg(tmp_path / 'first', **RANDOM))
    cfg = make_cfg(tmp_path / 'second', **RANDOM)
    cfg.load_from, cfg.resume = str(first / 'round_00' / 'checkpoint.pth'), True
    cfg.optim_wrapper.optimizer.lr = 0.0
    key = 'bbox_head.conv_cls.weight'
    a, b = (load_tensors(w / 'round_00' / 'checkpoint.pth')['state_dict'][key] for w in (first, run(cfg)))
    assert torch.equal(a, b)


def test_code_in_a_checkpoint_to_begin_from_does_not_run(make_cfg, run, tmp_path):
    class Hostile:

        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'ran'), )

    torch.save(dict(state_dict={}, meta=Hostile()), tmp_path / 'evil.pth')
    cfg = make_cfg(**RANDOM)
    cfg.load_from = str(tmp_path / 'evil.pth')
    with pytest.raises(InputError, match='load_from: .*evil.pth holds more than tensors .*mkdir'):
        run(cfg)
    assert not (tmp_path / 'ran').exists()
    assert not list((tmp_path / 'run').glob('round_*')), 'before anything is trained'


def test_resume_with_another_pool_is_refused(make_cfg, run, dataset):
    run(make_cfg(**RANDOM))
    edit(dataset, lambda j: j['images'].pop())
    edit(dataset, lambda j: j.update(annotations=[a for a in j['annotations'] if a['image_id'] != 14]))
    cfg = make_cfg(**RANDOM)
    cfg.resume = True
    with pytest.raises(InputError, match=r'1 no longer there: set_014.png'):
        run(cfg)
