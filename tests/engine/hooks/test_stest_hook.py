import json
from pathlib import Path

import pytest
import torch
from mmal.adapters import build_data_adapter, build_model_adapter
from mmal.distributed.group import Group
from mmal.engine.hooks.stest_hook import StestHook
from mmal.engine.mean_gradient import MeanGradient
from mmal.errors import InputError
from mmal.fileio.tensors import load_tensors
from mmal.fileio.text import read_json
from mmal.influence.curvature import hvp
from mmal.influence.parameters import flatten, gradient, restrict_grad
from mmal.influence.solvers.base import cosine
from mmengine import dist
from mmengine.runner import Runner

from tests.processes import together

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
    assert len(report['trace']) == 8
    assert report['effective_damping'] == 50.0
    assert report['s_test_norm'] == pytest.approx(float(flatten(s_test).norm()), rel=1e-5)


def parts(runner, labeled_file=None):
    """What compute() works with: hook, task, data, parameters, and a Finite of each set."""
    hook, data, task = StestHook.from_runner(runner), build_data_adapter(runner.cfg), build_model_adapter(runner.model, runner.cfg)
    labeled = data.labeled_dataset(labeled_file)
    params = hook.select(task, [labeled[0]])
    return hook, data, task, labeled, params, lambda: MeanGradient(task, params, 'set', 0.1, runner.logger, Group())


def test_v_is_the_mean_over_the_reference_set_whatever_the_batch(runner):
    hook, data, task, _, params, finite = parts(runner)
    reference = data.reference_dataset('val')
    with task.loss_mode(), restrict_grad(task.model, params):
        expected = sum(gradient(task.losses([reference[i]])[0], params) for i in range(4)) / 4
        for hook.batch_size in (1, 3):
            v = hook._reference_gradient(runner, finite(), Group(), reference, 0)
            torch.testing.assert_close(v, expected, rtol=1e-4, atol=1e-6)


def test_s_test_follows_the_recursion_on_the_models_own_losses(runner, tmp_path):
    """The file equals Algorithm 3 written out by double backward on the same mini-batches, and is no multiple of v."""
    hook, data, task, labeled, params, finite = parts(runner)
    hook.compute(runner, data, None, tmp_path / 's_test.pth')
    with task.loss_mode(), restrict_grad(task.model, params):
        v = hook._reference_gradient(runner, finite(), Group(), data.reference_dataset('val'), 0)
        batches = list(hook._labeled_batches(runner, finite(), Group(), labeled, 0, hook.solver))
        runs = []
        for repeat in range(2):
            h = v
            for i in hook.solver._draw(len(batches), runner.seed, repeat):
                h = v + 0.9 * h - hvp(task.losses(batches[i]).mean(), params, h) / 500
            runs.append(h)
    assert [len(b) for b in batches] == [2] * 7
    s_test = flatten(load_tensors(tmp_path / 's_test.pth'))
    torch.testing.assert_close(s_test, (runs[0] + runs[1]) / 2 / 500, rtol=1e-4, atol=1e-7)
    report = json.loads((tmp_path / 's_test.json').read_text())
    assert report['cos_s_test_v'] == pytest.approx(cosine(s_test, v), abs=1e-5)
    assert not runs[0].equal(runs[1])


def test_default_solver_solves_the_damped_gauss_newton_system(runner, tmp_path):
    runner.cfg.custom_hooks = None
    hook = StestHook()
    data, task = build_data_adapter(runner.cfg), build_model_adapter(runner.model, runner.cfg)
    hook.compute(runner, data, None, tmp_path / 's_test.pth')
    report = read_json(tmp_path / 's_test.json')
    assert (report['solver'], report['curvature']) == ('CG', 'ggn')
    assert report['converged']
    assert report['residual'] < 1e-3
    assert {n.rsplit('.', 1)[0] for n in report['params']} == {
        f'bbox_head.conv_{n}' for n in ('cls', 'reg', 'centerness')}
    assert task.method is None


def test_hessian_images_and_memory_bound_what_is_kept(runner, tmp_path, caplog):
    hook, data, *_ = parts(runner)
    hook.hessian_images = 5
    hook.compute(runner, data, None, tmp_path / 's_test.pth')
    few = load_tensors(tmp_path / 's_test.pth')
    hook.hessian_images, hook.memory_gb = 1000, 1e-9
    hook.compute(runner, data, None, tmp_path / 's_test.pth')
    assert not all(torch.equal(few[n], t) for n, t in load_tensors(tmp_path / 's_test.pth').items())
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert 'from the first 1 mini-batches' in log


def test_labeled_batches_are_random_but_the_same_each_time(runner):
    hook, _, task, labeled, params, finite = parts(runner)
    with task.loss_mode(), restrict_grad(task.model, params):
        order = [[it['data_samples'].img_id for it in b] for _ in range(2)
                 for b in hook._labeled_batches(runner, finite(), Group(), labeled, 0, hook.solver)]
    assert order[:7] == order[7:]
    assert sorted(i for b in order[:7] for i in b) == list(range(1, 15))
    assert order[0] != [1, 2]


def test_one_reference_image_that_is_not_finite_is_named_and_left_out(runner, caplog):
    hook, data, task, _, params, finite = parts(runner)
    reference = data.reference_dataset('val')
    items = [reference[i] for i in range(4)]
    items[2]['inputs'] = items[2]['inputs'].float() * torch.nan
    with task.loss_mode(), restrict_grad(task.model, params):
        lenient = MeanGradient(task, params, 'reference set', 0.5, runner.logger, Group())
        lenient.update(items)
        good = sum(gradient(task.losses([items[i]])[0], params) for i in (0, 1, 3)) / 3
        torch.testing.assert_close(lenient.mean(), good, rtol=1e-4, atol=1e-6)
        assert lenient.filter_finite(items) == [items[i] for i in (0, 1, 3)]
        strict = MeanGradient(task, params, 'reference set', 0.1, runner.logger, Group())
        strict.update(items)
        with pytest.raises(FloatingPointError, match=r'1 of 4 images of the reference set.*set_103.png.*Likely causes'):
            strict.mean()
    log = next(Path(runner.work_dir).glob('*/*.log')).read_text()
    assert 'set_103.png of the reference set is left out' in log


def test_a_model_that_is_not_finite_stops_the_run(runner, tmp_path):
    hook, data, *_ = parts(runner)
    runner.model.bbox_head.conv_cls.weight.data[0, 0, 0, 0] = torch.nan
    with pytest.raises(FloatingPointError, match=r'4 of 4 images of the reference set.*training diverged'):
        hook.compute(runner, data, None, tmp_path / 's_test.pth')
    assert not (tmp_path / 's_test.pth').exists()


def test_frozen_and_unused_layers_are_refused_early(runner):
    hook, data, task, labeled, *_ = parts(runner)
    runner.model.bbox_head.conv_reg.requires_grad_(False)
    with pytest.raises(InputError, match='conv_reg.*frozen'):
        hook.select(task, [labeled[0]])
    runner.model.bbox_head.conv_reg.requires_grad_(True)
    runner.model.bbox_head.spare = torch.nn.Conv2d(1, 1, 1)
    hook.params = ['bbox_head.conv_cls', 'bbox_head.spare']
    with pytest.raises(InputError, match='bbox_head.spare.*loss depends on'):
        hook.select(task, [labeled[0]])


def test_biases_can_be_left_out(runner):
    _, _, task, labeled, *_ = parts(runner)
    assert list(StestHook(params=PARAMS, biases=False).select(task, [labeled[0]])) == [f'{p}.weight' for p in PARAMS]


@pytest.mark.parametrize(('reference', 'n'), [('labeled', 14), ('val', 4)])
def test_reference_sets_of_an_ordinary_training(runner, reference, n):
    hook = StestHook(reference=reference)
    assert len(hook.reference_dataset(build_data_adapter(runner.cfg), None, None)) == n


def test_reference_sets_of_a_run_need_one(runner):
    data = build_data_adapter(runner.cfg)
    with pytest.raises(InputError, match='needs an mmal.ActiveLoop'):
        StestHook(reference='holdout').reference_dataset(data, None, None)
    with pytest.raises(InputError, match="expected reference='val', 'initial', 'labeled', 'holdout'"):
        StestHook(reference='test').reference_dataset(data, None, None)


def test_unknown_pattern_and_solver_settings_are_input_errors(runner):
    _, _, task, labeled, *_ = parts(runner)
    with pytest.raises(InputError, match='Nearest names: bbox_head.conv_reg'):
        StestHook(params='bbox_head.conv_regs').select(task, [labeled[0]])
    with pytest.raises(InputError, match='scale'):
        StestHook(params=PARAMS, solver=dict(type='mmal.LiSSA', scale=-1))


def test_an_ordinary_training_is_refused_before_it_begins(runner):
    StestHook.from_runner(runner).params = ['bbox_head.nothing']
    with pytest.raises(InputError, match='matches no parameter'):
        runner.train()
    assert runner.iter == 0


@pytest.mark.parametrize('bad', [dict(params=[]), dict(hessian_images=0), dict(memory_gb=0), dict(max_nonfinite=1.0)])
def test_settings_out_of_range(bad):
    with pytest.raises(InputError, match='StestHook'):
        StestHook(**bad)


@pytest.mark.parametrize('solver', [None, dict(type='mmal.LiSSA', damping=0.1, scale=500.0, depth=4, batch_size=2),
                                    dict(type='mmal.CG', curvature='hessian', damping=80.0)])
def test_any_number_of_processes_finds_the_same_s_test(runner, tmp_path, solver):
    """The reference set has 4 images and the labeled set 14: the fourth of four processes has less than the others."""
    found, reports = {}, {}
    for world in (1, 2, 4):
        path = tmp_path / f's_test_{world}.pth'
        hook = StestHook(solver=solver, batch_size=1)

        def compute(hook=hook, path=path):
            runner._seed += dist.get_rank()  # as randomness.diff_rank_seed has it
            hook.compute(runner, build_data_adapter(runner.cfg), None, path)

        together(world, tmp_path / f'group_{world}', compute)
        found[world], reports[world] = flatten(load_tensors(path)), read_json(path.with_suffix('.json'))
    for world in (2, 4):
        torch.testing.assert_close(found[world], found[1], rtol=1e-6, atol=0)
        for key in ('n_reference', 'n_hessian', 'evaluations', 'iterations'):
            assert reports[world][key] == reports[1][key]
