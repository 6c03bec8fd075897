import itertools
import json

import pytest
import torch
from mmengine.runner import Runner

from mmal.artifacts import load_tensors, read_json
from mmal.errors import InputError
from mmal.hooks import StestHook
from mmal.influence import cosine, flatten, gradient, hvp, restrict_grad
from mmal.tasks import build_data, build_task

PARAMS = ['bbox_head.conv_cls', 'bbox_head.conv_reg']


@pytest.fixture
def runner(make_cfg):
    """A Runner of an ordinary training: StestHook needs no ActiveLoop."""
    cfg = make_cfg()
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1, val_interval=10)
    cfg.custom_hooks = [dict(type='mmal.StestHook', params=PARAMS,
                             solver=dict(type='mmal.LiSSA', damping=0.1, scale=500.0, depth=4, batch_size=2,
                                         repeats=2))]
    torch.manual_seed(0)
    return Runner.from_cfg(cfg)


def test_an_ordinary_training_ends_with_s_test_and_its_report(runner, tmp_path):
    runner.train()
    s_test, report = load_tensors(tmp_path / 'run' / 's_test.pth'), read_json(tmp_path / 'run' / 's_test.json')
    assert list(s_test) == [f'bbox_head.{n}.{w}' for n in ('conv_cls', 'conv_reg') for w in ('weight', 'bias')]
    assert report['n_params'] == flatten(s_test).numel()
    assert (report['n_reference'], report['n_labeled'], report['repeats']) == (4, 14, 2)
    assert [len(t) for t in report['trace']] == [4, 4]
    assert report['effective_damping'] == 50.0
    assert report['s_test_norm'] == pytest.approx(float(flatten(s_test).norm()), rel=1e-5)


def test_v_is_the_mean_over_the_reference_set_whatever_the_batch(runner):
    hook = StestHook.of(runner)
    data, task = build_data(runner.cfg), build_task(runner.model, runner.cfg)
    reference, params = data.reference_dataset('val'), hook.select(task.model)
    with task.loss_mode(), restrict_grad(task.model, params):
        expected = sum(gradient(task.losses([reference[i]])[0], params) for i in range(4)) / 4
        for hook.batch_size in (1, 3):
            v = hook._reference_gradient(runner, task, params, reference, 0)
            torch.testing.assert_close(v, expected, rtol=1e-4, atol=1e-6)


def test_s_test_follows_the_recursion_on_the_models_own_losses(runner, tmp_path):
    """The file equals Algorithm 3 written out with the same batches, and is no multiple of v."""
    hook = StestHook.of(runner)
    data, task = build_data(runner.cfg), build_task(runner.model, runner.cfg)
    labeled, params = data.labeled_dataset(None), hook.select(task.model)
    hook.compute(runner, data, labeled, tmp_path / 's_test.pth')
    with task.loss_mode(), restrict_grad(task.model, params):
        v = hook._reference_gradient(runner, task, params, data.reference_dataset('val'), 0)
        runs = []
        for repeat in range(2):
            h = v
            for batch in itertools.islice(hook._labeled_batches(runner, labeled, repeat, 0), 4):
                h = v + 0.9 * h - hvp(task.losses(batch).mean(), params, h) / 500
            runs.append(h)
    s_test = flatten(load_tensors(tmp_path / 's_test.pth'))
    torch.testing.assert_close(s_test, (runs[0] + runs[1]) / 2 / 500, rtol=1e-4, atol=1e-7)
    report = json.loads((tmp_path / 's_test.json').read_text())
    assert report['cos_s_test_v'] == pytest.approx(cosine(s_test, v), abs=1e-5)
    assert not runs[0].equal(runs[1])


def test_labeled_batches_use_every_image_before_any_again(runner):
    hook = StestHook.of(runner)
    hook.solver.depth, hook.solver.batch_size = 14, 3
    seen = []

    class Rows(list):

        def __getitem__(self, i):
            seen.append(i)
            return i

    batches = list(hook._labeled_batches(runner, Rows(range(14)), 0, 0))
    assert [len(b) for b in batches] == [3] * 14
    assert sorted(seen[:14]) == sorted(seen[14:28]) == list(range(14))
    first = list(seen)
    seen.clear()
    list(hook._labeled_batches(runner, Rows(range(14)), 0, 0))
    assert seen == first


def test_a_non_finite_reference_gradient_is_an_error(runner, tmp_path):
    hook = StestHook.of(runner)
    runner.model.bbox_head.conv_cls.weight.data[0, 0, 0, 0] = torch.nan
    data = build_data(runner.cfg)
    with pytest.raises(FloatingPointError, match='reference gradient is not finite'):
        hook.compute(runner, data, data.labeled_dataset(None), tmp_path / 's_test.pth')
    assert not (tmp_path / 's_test.pth').exists()


def test_unknown_pattern_and_solver_settings_are_input_errors(runner):
    with pytest.raises(InputError, match='Nearest names: bbox_head.conv_reg'):
        StestHook(params='bbox_head.conv_regs').select(runner.model)
    with pytest.raises(InputError, match='scale'):
        StestHook(params=PARAMS, solver=dict(type='mmal.LiSSA', scale=-1))
