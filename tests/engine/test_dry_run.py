"""What a dry run says of the first training."""

import copy
import re

import pytest
from mmengine.runner import Runner

from mmal.engine.dry_run import dry_run
from mmal.errors import InputError
from mmal.fileio.text import read_json, write_json


@pytest.fixture
def said(make_cfg, dataset):
    def go(people=False, end=0, times=1, **train_cfg):
        """The plan of the tiny run, from its first training on."""
        cfg = make_cfg(holdout=0.34, **train_cfg)
        pool = cfg.train_dataloader.dataset
        if people:
            write_json(dataset / 'pool.json', dict(read_json(dataset / 'train.json'), annotations=[]))
            pool.ann_file, cfg.train_cfg.oracle = 'pool.json', dict(type='mmal.HumanOracle')
            pool.filter_cfg = dict(filter_empty_gt=True)
        if times > 1:
            cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=times, dataset=pool)
        if end:
            cfg.param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=end)]
        text, problems = dry_run(cfg)
        assert not problems
        return text.split('first training:')[1]

    return go


@pytest.mark.parametrize(('rounds', 'unit', 'labeled'), [
    (1, 'image', '6 of 14 images'), (3, 'image', '12 of 14 images'), (9, 'image', '14 of 14 images'),
    (3, 'box', '6 images and at least 6 boxes, or the whole pool of 14')])
def test_the_last_round_is_counted_without_a_query(make_cfg, rounds, unit, labeled):
    text, _ = dry_run(make_cfg(rounds=rounds, unit=unit))
    assert f'labeled at last: {labeled}\n' in text


def test_iterations_are_counted_and_of_what_people_are_to_label_estimated(said):
    assert said(initial=9, max_epochs=2).strip().startswith('4 iterations (2 epochs of 2)\ninput')
    assert said(True, initial=9, times=3, max_epochs=2).strip().startswith('about 10 iterations (2 epochs of 5)\ninput')


def test_a_warm_up_of_more_than_half_of_the_first_training_is_named(said):
    assert 'warm-up' not in said(True, initial=9, times=3, max_epochs=2, end=5)
    text = said(True, initial=9, times=3, max_epochs=2, end=6)
    assert 'NOTE: the warm-up in param_scheduler takes 6 iterations, more than half of the first training' in text
    assert "dict(type='RepeatDataset'" in text


def test_the_screen_has_the_plan_alone_and_warnings_stand_in_it_once(make_cfg, capfd):
    text, problems = dry_run(make_cfg(initial=14, rounds=3))
    assert problems == []
    assert text.count('\nNOTE: train_cfg.initial takes all 14 images of the pool') == 1
    assert capfd.readouterr().out == ''


def test_every_fault_is_named_and_each_once_in_the_plan_and_by_a_start(make_cfg, dataset):
    cfg = make_cfg(initial=15, holdout=0.0, unit='second')
    cfg.custom_hooks[0].reference = 'holdout'
    (dataset / 'set_003.png').unlink()
    (dataset / 'test.json').unlink()
    expected = ['The pool has 14 images, fewer than train_cfg.initial = 15.', '1 of 14 image files of the pool',
                "train_cfg.unit='second' needs an oracle that is people", 'needs train_cfg.holdout above 0',
                'Evaluation: file not found']
    text, problems = dry_run(copy.deepcopy(cfg))
    assert len(problems) == len(expected)
    assert [text.count(part) for part in expected] == [1] * 5
    assert 'input:           see below\n' in text
    with pytest.raises(InputError) as refusal:
        Runner.from_cfg(cfg).train()
    said = str(refusal.value).splitlines()
    assert [part in line for part, line in zip(expected, said, strict=True)] == [True] * 5


def test_the_loss_is_run_once(make_cfg, monkeypatch):
    """Of a large model, each time takes seconds."""
    from mmal.engine import preflight
    calls = []
    monkeypatch.setattr(preflight, 'influence_parameters', lambda run, original=preflight.influence_parameters:
                        calls.append(run) or original(run))
    text, problems = dry_run(make_cfg())
    assert not problems
    assert re.search(r'parameters: +\d+ values in bbox_head', text)
    assert len(calls) == 1


@pytest.mark.parametrize('initial', [8, 'annotated'])
def test_images_held_out_that_show_objects_are_no_reason_for_a_warning(make_cfg, initial):
    cfg = make_cfg(initial=initial, holdout=0.3, **({} if initial == 8 else dict(rounds=1)))
    cfg.custom_hooks[0].reference = 'holdout'
    text, problems = dry_run(cfg)
    assert not problems
    assert 'held out' not in text


def test_a_training_file_that_is_refused_is_read_once(make_cfg, dataset, monkeypatch):
    calls = []

    def read_coco(path, *args):
        calls.append(path)
        raise InputError(f'{path} is not whole')

    monkeypatch.setattr('mmal.adapters.detection.host_files.read_coco', read_coco)
    text, problems = dry_run(make_cfg())
    assert problems == [f'{dataset}/train.json is not whole']
    assert calls == [f'{dataset}/train.json']
    assert text.count('see below') > 2
