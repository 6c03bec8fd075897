import json
from pathlib import Path

import pytest
import torch
from mmengine import dist
from mmengine.runner import Runner

from mmal.adapters import build_data_adapter, build_model_adapter
from mmal.distributed.group import Group
from mmal.engine.hooks.stest_hook import StestHook
from mmal.engine.mean_gradient import MeanGradient
from mmal.engine.stest import (
    choose_parameters,
    labeled_batches,
    open_reference_set,
    reference_gradient,
    save_s_test,
    solve_s_test,
)
from mmal.errors import InputError
from mmal.fileio.tensors import load_tensors
from mmal.fileio.text import read_json
from mmal.influence.curvature import hvp
from mmal.influence.parameters import flatten, gradient, restrict_grad
from mmal.influence.solvers.base import cosine
from tests.processes import together

PARAMS = ['bbox_head.conv_cls', 'bbox_head.conv_reg']


@pytest.fixture
def runner(make_cfg, tmp_path):
    """A Runner of an ordinary training: StestHook needs no ActiveLoop."""
    cfg = make_cfg()
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1, val_interval=10)
    cfg.custom_hooks = [dict(type='mmal.StestHook', params=PARAMS,
                             solver=dict(type='mmal.LiSSA', damping=0.1, scale=500.0, depth=4, batch_size=2,
                                         repeats=2))]
    torch.manual_seed(0)
    cfg.experiment_name = tmp_path.name  # mmengine's is the second: tests that share one would share a log
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


def parts(runner):
    """What s_test is made from: settings, task, data, labeled set, parameters, and a MeanGradient of each set."""
    settings = StestHook.from_runner(runner).settings
    data, task = build_data_adapter(runner.cfg), build_model_adapter(runner.model, runner.cfg)
    labeled = data.labeled_dataset(None)
    params = choose_parameters(settings, task, [labeled[0]])
    return settings, data, task, labeled, params, lambda: MeanGradient(task, params, 'set', 0.1, runner.logger, Group())


def compute(runner, settings, path):
    """Solve s_test of a Runner's model, and write it."""
    data = build_data_adapter(runner.cfg)
    save_s_test(solve_s_test(settings, build_model_adapter(runner.model, runner.cfg),
                             open_reference_set(settings.reference, data, None, None), data.labeled_dataset(None),
                             runner.seed, runner.cfg.get('val_dataloader') or {}, runner.logger), path)


def gradient_of(runner, settings, task, params, data):
    return reference_gradient(settings, task, params, data.reference_dataset('val'), {}, runner.logger, Group())


def batches_of(runner, settings, finite, labeled):
    return labeled_batches(settings, finite, labeled, runner.seed, {}, runner.logger, Group())


def select(hook, task, items):
    return choose_parameters(hook.settings, task, items)


def test_a_full_gpu_is_a_message_that_names_the_settings(runner, tmp_path, monkeypatch):
    def full(self, items):
        raise torch.cuda.OutOfMemoryError('CUDA out of memory.')

    monkeypatch.setattr(MeanGradient, 'update', full)
    settings = StestHook.from_runner(runner).settings
    with pytest.raises(InputError, match=r'full in s_test: .*Lower StestHook.batch_size \(now 4\), '
                                         r'solver.batch_size \(now 2\) or StestHook.memory_gb \(now 4\)'):
        compute(runner, settings, tmp_path / 's_test.pth')


def test_peak_gpu_memory_stands_in_the_report_where_there_is_some(runner, tmp_path, monkeypatch):
    settings = StestHook.from_runner(runner).settings
    compute(runner, settings, tmp_path / 's_test.pth')
    if not torch.cuda.is_available():
        assert 'gpu_bytes' not in read_json(tmp_path / 's_test.json')
    monkeypatch.setattr('mmal.engine.stest.peak_bytes', lambda: 12345)
    compute(runner, settings, tmp_path / 's_test.pth')
    assert read_json(tmp_path / 's_test.json')['gpu_bytes'] == 12345


def test_v_is_the_mean_over_the_reference_set_whatever_the_batch(runner):
    hook, data, task, _, params, finite = parts(runner)
    reference = data.reference_dataset('val')
    with task.loss_mode(), restrict_grad(task.model, params):
        expected = sum(gradient(task.losses([reference[i]])[0], params) for i in range(4)) / 4
        for hook.batch_size in (1, 3):
            v = gradient_of(runner, hook, task, params, data)
            torch.testing.assert_close(v, expected, rtol=1e-4, atol=1e-6)


def test_s_test_follows_the_recursion_on_the_models_own_losses(runner, tmp_path):
    """The file equals Algorithm 3 written out by double backward on the same mini-batches, and is no multiple of v."""
    hook, data, task, labeled, params, finite = parts(runner)
    compute(runner, hook, tmp_path / 's_test.pth')
    with task.loss_mode(), restrict_grad(task.model, params):
        v = gradient_of(runner, hook, task, params, data)
        batches = list(batches_of(runner, hook, finite(), labeled))
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
    hook = StestHook().settings
    task = build_model_adapter(runner.model, runner.cfg)
    compute(runner, hook, tmp_path / 's_test.pth')
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
    compute(runner, hook, tmp_path / 's_test.pth')
    few = load_tensors(tmp_path / 's_test.pth')
    hook.hessian_images, hook.memory_gb = 1000, 1e-9
    compute(runner, hook, tmp_path / 's_test.pth')
    assert not all(torch.equal(few[n], t) for n, t in load_tensors(tmp_path / 's_test.pth').items())
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert 'from the first 1 mini-batches' in log


def test_labeled_batches_are_random_but_the_same_each_time(runner):
    hook, _, task, labeled, params, finite = parts(runner)
    with task.loss_mode(), restrict_grad(task.model, params):
        order = [[it['data_samples'].img_id for it in b] for _ in range(2)
                 for b in batches_of(runner, hook, finite(), labeled)]
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
        compute(runner, hook, tmp_path / 's_test.pth')
    assert not (tmp_path / 's_test.pth').exists()


def test_frozen_and_unused_layers_are_refused_early(runner):
    hook, data, task, labeled, *_ = parts(runner)
    runner.model.bbox_head.conv_reg.requires_grad_(False)
    with pytest.raises(InputError, match='conv_reg.*frozen'):
        choose_parameters(hook, task, [labeled[0]])
    runner.model.bbox_head.conv_reg.requires_grad_(True)
    runner.model.bbox_head.spare = torch.nn.Conv2d(1, 1, 1)
    hook.params = ['bbox_head.conv_cls', 'bbox_head.spare']
    with pytest.raises(InputError, match='bbox_head.spare.*loss depends on'):
        choose_parameters(hook, task, [labeled[0]])


def test_biases_can_be_left_out(runner):
    _, _, task, labeled, *_ = parts(runner)
    assert list(select(StestHook(params=PARAMS, biases=False), task, [labeled[0]])) == [f'{p}.weight' for p in PARAMS]


@pytest.mark.parametrize(('reference', 'n'), [('labeled', 14), ('val', 4)])
def test_reference_sets_of_an_ordinary_training(runner, reference, n):
    hook = StestHook(reference=reference)
    assert len(open_reference_set(hook.settings.reference, build_data_adapter(runner.cfg), None, None)) == n


def test_reference_sets_of_a_run_need_one(runner):
    data = build_data_adapter(runner.cfg)
    with pytest.raises(InputError, match='needs an mmal.ActiveLoop'):
        open_reference_set(StestHook(reference='holdout').settings.reference, data, None, None)
    with pytest.raises(InputError, match="expected reference='val', 'initial', 'labeled', 'holdout'"):
        open_reference_set(StestHook(reference='test').settings.reference, data, None, None)


def test_unknown_pattern_and_solver_settings_are_input_errors(runner):
    _, _, task, labeled, *_ = parts(runner)
    with pytest.raises(InputError, match='Nearest names: bbox_head.conv_reg'):
        select(StestHook(params='bbox_head.conv_regs'), task, [labeled[0]])
    with pytest.raises(InputError, match='scale'):
        StestHook(params=PARAMS, solver=dict(type='mmal.LiSSA', scale=-1))


def test_an_ordinary_training_is_refused_before_it_begins(runner):
    StestHook.from_runner(runner).settings.params = ['bbox_head.nothing']
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
        settings = StestHook(solver=solver, batch_size=1).settings

        def solve(settings=settings, path=path):
            runner._seed += dist.get_rank()  # as randomness.diff_rank_seed has it
            compute(runner, settings, path)

        together(world, tmp_path / f'group_{world}', solve)
        found[world], reports[world] = flatten(load_tensors(path)), read_json(path.with_suffix('.json'))
    for world in (2, 4):
        torch.testing.assert_close(found[world], found[1], rtol=1e-6, atol=0)
        for key in ('n_reference', 'n_hessian', 'evaluations', 'iterations'):
            assert reports[world][key] == reports[1][key]


class SquaredOnce(torch.autograd.Function):
    """Marked as mmcv marks its compiled operators."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad


def test_parameters_before_an_operator_without_a_second_derivative_are_refused_before_training(runner):
    model = runner.model
    model.bbox_head.conv_cls.register_forward_hook(lambda module, args, out: SquaredOnce.apply(out))
    with pytest.raises(InputError, match='StestHook: SquaredOnce between the loss and the chosen parameters'):
        StestHook.from_runner(runner).before_train(runner)


def test_a_solver_without_curvature_asks_for_no_second_derivative(runner):
    runner.model.bbox_head.conv_cls.register_forward_hook(lambda module, args, out: SquaredOnce.apply(out))
    StestHook(params=PARAMS, solver=dict(type='mmal.Identity')).before_train(runner)
