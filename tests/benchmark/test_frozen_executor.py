"""Comparisons on cached features: of the embedded digits, with a network that has not been trained."""

import json

import numpy as np
import pytest
import torch

from mmal.benchmark.frozen_executor import FrozenExecutor
from mmal.benchmark.frozen_run import FrozenData, FrozenRun, FrozenSettings
from mmal.benchmark.plan import Plan
from mmal.benchmark.results import read_comparison
from mmal.cli.compare import main as compare
from mmal.engine.hooks.stest_hook import StestHook
from mmal.errors import InputError
from mmal.fileio.tensors import load_tensors
from mmal.fileio.text import read_json
from mmal.registry import SAMPLERS
from mmal.run.feature_cache import FeatureCache
from tests.zoo_configs import ROOT


def made_cache(folder, with_reference=True):
    """Three clouds of points, of which the third has a few points alone."""
    cache = FeatureCache(folder)
    cache.open_for(dict(weights='none'))
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(3, 6)) * 2
    for name, n in (('pool', 90), ('reference', 40), ('evaluation', 60)):
        if name == 'reference' and not with_reference:
            continue
        labels = rng.integers(0, 3, n)
        digests = [f'{name}{i}' for i in range(n)]
        cache.add(digests, (centers[labels] + rng.normal(size=(n, 6))).astype(np.float32))
        cache.write_set(name, [f'{name}_{i}.png' for i in range(n)], digests, labels.tolist(), ['a', 'b', 'c'])
    return cache


@pytest.fixture(scope='module')
def cache(tmp_path_factory):
    return made_cache(tmp_path_factory.mktemp('features'))


def settings(sampler='RandomSampler', **kwargs):
    values = dict(initial=6, query=4, rounds=3, sampler=SAMPLERS.build(dict(type=f'mmal.{sampler}')), cold_start=None,
                  stest=StestHook().settings, weight_decay=None)
    return FrozenSettings(**dict(values, **kwargs))


def write_plan(folder, **more):
    path = folder / 'plan.py'
    keys = dict(config=str(ROOT / 'configs' / 'resnet_digits_isal.py'), seeds=[0, 1], metric='accuracy/top1',
                methods=dict(random=dict(sampler=dict(type='mmal.RandomSampler')), isal=dict()),
                options={'train_cfg.initial': 6, 'train_cfg.query': 4, 'train_cfg.rounds': 3}) | more
    path.write_text('\n'.join(f'{key} = {value!r}' for key, value in keys.items()))
    return path


SAMPLER_NAMES = ['RandomSampler', 'InfluenceSampler', 'GradientSimilaritySampler', 'EntropySampler', 'MarginSampler',
                 'LeastConfidenceSampler', 'BadgeSampler', 'CoresetSampler', 'HerdingSampler', 'FisherSampler']


@pytest.mark.parametrize('name', SAMPLER_NAMES)
def test_every_sampler_for_classifiers_runs_and_chooses_each_image_once(cache, tmp_path, name):
    data = FrozenData(cache, 4)
    curve = FrozenRun(data, settings(name), 0, tmp_path).run()
    assert curve == read_json(tmp_path / 'curve.json')
    assert [point['images'] for point in curve] == [6, 10, 14]
    assert all(40 < point['metrics']['accuracy/top1'] <= 100 for point in curve)
    chosen = [*read_json(tmp_path / 'round_00' / 'selected.json'), *read_json(tmp_path / 'round_01' / 'selected.json')]
    assert len(set(chosen)) == 8
    assert set(chosen) <= set(data.ids)
    again = FrozenRun(data, settings(name), 0, tmp_path / 'again').run()
    assert [point['metrics'] for point in again] == [point['metrics'] for point in curve]


def test_all_methods_of_a_seed_begin_with_the_same_images_and_seeds_differ(cache, tmp_path):
    data = FrozenData(cache, None)
    first = {}
    for seed in (0, 1):
        for name in ('RandomSampler', 'EntropySampler'):
            curve = FrozenRun(data, settings(name, rounds=1), seed, tmp_path / f'{name}{seed}').run()
            first[name, seed] = curve[0]['metrics']
    assert first['RandomSampler', 0] == first['EntropySampler', 0]
    assert first['RandomSampler', 0] != first['RandomSampler', 1]


def test_a_cold_start_and_a_used_up_pool(cache, tmp_path):
    data = FrozenData(cache, None)
    cold = SAMPLERS.build(dict(type='mmal.HerdingSampler'))
    curve = FrozenRun(data, settings(cold_start=cold, query=50, rounds=9), 0, tmp_path).run()
    assert [point['images'] for point in curve] == [6, 56, 90]
    random = FrozenRun(data, settings(query=50, rounds=9), 0, tmp_path / 'random').run()
    assert curve[0]['metrics'] != random[0]['metrics']
    assert curve[-1]['metrics']['accuracy/top1'] == pytest.approx(random[-1]['metrics']['accuracy/top1'])


def test_the_accuracy_is_that_of_a_fit_by_hand(cache, tmp_path):
    """Both metrics, on sets whose classes are unequal."""
    data = FrozenData(cache, None)
    run = FrozenRun(data, settings(rounds=1), 0, tmp_path)
    metrics = run.run()[0]['metrics']
    layer = run._fit(run._initial_rows())
    predicted = (data.evaluation.double().numpy() @ layer.weight.T + layer.bias).argmax(1)
    right = predicted == data.evaluation_labels
    assert metrics['accuracy/top1'] == pytest.approx(100 * right.mean())
    recalls = [right[data.evaluation_labels == k].mean() for k in range(3)]
    assert metrics['balanced_accuracy'] == pytest.approx(100 * np.mean(recalls))
    assert metrics['l2'] == layer.l2


def test_without_a_reference_set_the_strength_is_cross_validated_and_influence_is_refused(tmp_path):
    data = FrozenData(made_cache(tmp_path / 'features', with_reference=False), None)
    assert len(FrozenRun(data, settings(), 0, tmp_path / 'random').run()) == 3
    with pytest.raises(InputError, match='have no reference set'):
        FrozenRun(data, settings('InfluenceSampler'), 0, tmp_path / 'isal').run()
    labeled = StestHook(reference='labeled').settings
    assert len(FrozenRun(data, settings('InfluenceSampler', stest=labeled), 0, tmp_path / 'v3').run()) == 3


def test_a_head_of_its_own_selects_and_is_not_evaluated(cache, tmp_path):
    data = FrozenData(cache, None)
    loose = FrozenRun(data, settings('MarginSampler', weight_decay=1e-4), 0, tmp_path / 'a').run()
    strict = FrozenRun(data, settings('MarginSampler', weight_decay=10.0), 0, tmp_path / 'b').run()
    assert loose[0]['metrics'] == strict[0]['metrics']
    assert read_json(tmp_path / 'a/round_00/selected.json') != read_json(tmp_path / 'b/round_00/selected.json')


def test_the_damping_is_that_of_the_fitted_head_unless_one_is_given(cache, tmp_path):
    """So s_test solves the Hessian of the very loss that the layer minimises."""
    data = FrozenData(cache, None)
    run = FrozenRun(data, settings('InfluenceSampler'), 0, tmp_path / 'own')
    curve = run.run()
    for point, name in zip(curve, ('round_00', 'round_01'), strict=False):
        report = read_json(tmp_path / 'own' / name / 's_test.json')
        assert report['effective_damping'] == pytest.approx(point['metrics']['l2'] / point['images'])
    given = StestHook(solver=dict(type='mmal.CG', damping=7.0)).settings
    FrozenRun(data, settings('InfluenceSampler', stest=given), 0, tmp_path / 'given').run()
    assert read_json(tmp_path / 'given/round_00/s_test.json')['effective_damping'] == 7.0


def test_s_test_solves_the_hessian_of_the_fitted_loss(cache, tmp_path):
    """Against a dense solve in float64."""
    data = FrozenData(cache, 3)
    run = FrozenRun(data, settings('InfluenceSampler', stest=StestHook(solver=dict(type='mmal.CG', tol=1e-6)).settings),
                    0, tmp_path)
    rows = run._initial_rows()
    layer = run._fit(rows)
    adapter = run._adapter(layer)
    run._solve(run._query(0, rows, 4, adapter, 'round_00'), adapter, rows)
    s_test = load_tensors(tmp_path / 'round_00' / 's_test.pth')

    def loss(flat, images):
        weight, bias = flat[:9].reshape(3, 3), flat[9:]
        outputs = data.table.embed(images).double() @ weight.T + bias
        return torch.nn.functional.cross_entropy(outputs, data.table.targets_of(images).double())

    flat = torch.cat([torch.from_numpy(layer.weight).flatten(), torch.from_numpy(layer.bias)])
    hessian = torch.autograd.functional.hessian(lambda f: loss(f, rows) + layer.l2 / 2 / len(rows) * f @ f, flat)
    gradient = torch.autograd.functional.jacobian(lambda f: loss(f, list(data.reference_rows)), flat)
    expected = torch.linalg.solve(hessian, gradient)
    found = torch.cat([s_test['fc.weight'].flatten(), s_test['fc.bias']]).double()
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * float(expected.norm()))


def test_a_plan_is_run_once_and_has_a_report(cache, tmp_path, capsys):
    plan = write_plan(tmp_path)
    work_dir = tmp_path / 'out'
    compare([str(plan), '--work-dir', str(work_dir), '--features', str(cache.folder)])
    said = capsys.readouterr().out
    assert '4 runs on cached features, 0 of them done' in said
    assert '\nOver images, nothing is clear: no method is shown to be better than random. The best, isal, ' in said
    comparison = read_comparison(work_dir)
    assert [run.state for run in comparison.runs] == ['done'] * 4
    assert f'--features {cache.folder}' in comparison.command
    assert (work_dir / 'comparison.html').exists()
    before = {run.folder: (run.folder / 'curve.json').stat().st_mtime_ns for run in comparison.runs}
    compare([str(plan), '--work-dir', str(work_dir), '--features', str(cache.folder)])
    assert '4 of them done' in capsys.readouterr().out
    assert {folder: (folder / 'curve.json').stat().st_mtime_ns for folder in before} == before


def test_other_features_make_other_runs(cache, tmp_path):
    work_dir = tmp_path / 'out'
    plan = Plan(write_plan(tmp_path), work_dir)
    first = FrozenExecutor(plan, cache.folder).runs()
    (tmp_path / 'other').mkdir()
    other = FeatureCache(tmp_path / 'other')
    other.open_for(dict(weights='others'))
    second = FrozenExecutor(plan, other.folder).runs()
    assert not {run.digest for run in first} & {run.digest for run in second}


def test_a_failed_run_is_named_and_the_others_go_on(cache, tmp_path, monkeypatch):
    plan = Plan(write_plan(tmp_path), tmp_path / 'out')
    original = FrozenRun.run

    def run(self):
        if self._settings.sampler.needs_s_test and self._seed == 1:
            raise FloatingPointError('s_test is not finite.')
        return original(self)

    monkeypatch.setattr(FrozenRun, 'run', run)
    said = []
    failed = FrozenExecutor(plan, cache.folder, log=said.append).execute()
    assert [(run.method, run.seed) for run in failed] == [('isal', 1)]
    assert any('isal, seed 1: FAILED: FloatingPointError: s_test is not finite.' in line for line in said)


@pytest.mark.parametrize(('options', 'said'), [
    ({'train_cfg.unit': 'box'}, 'paid in images'),
    ({'train_cfg.initial': 'labels.json'}, 'give train_cfg.initial as a number'),
    ({'train_cfg.holdout': 0.2}, 'nothing is held out'),
    ({'train_cfg.head': 'other'}, "expected 'refit' or a dict of layers, components, weight_decay"),
    ({'train_cfg.head': dict(weight_decay=-1)}, 'more than 0')])
def test_what_features_alone_cannot_do_is_refused_before_the_first_run(cache, tmp_path, options, said):
    plan = Plan(write_plan(tmp_path, methods=dict(random=dict(options=options))), tmp_path / 'out')
    with pytest.raises(InputError, match=said):
        FrozenExecutor(plan, cache.folder)


def test_methods_share_one_number_of_components(cache, tmp_path):
    methods = dict(a=dict(), b=dict(options={'train_cfg.head': dict(components=8)}))
    with pytest.raises(InputError, match='components differs between the methods'):
        FrozenExecutor(Plan(write_plan(tmp_path, methods=methods), tmp_path / 'out'), cache.folder)


def test_images_without_a_label_are_refused(tmp_path):
    cache = made_cache(tmp_path)
    content = read_json(tmp_path / 'pool.json')
    content['images'][3]['label'] = None
    (tmp_path / 'pool.json').write_text(json.dumps(content))
    with pytest.raises(InputError, match='1 of 90 images of the pool have no label'):
        FrozenData(cache, None)


def test_the_pool_alone_decides_how_features_are_scaled(cache):
    data = FrozenData(cache, 4)
    pool = data.table.features[:data.n_pool]
    assert pool.mean(0).abs().max() < 1e-5
    assert float(pool.square().mean()) == pytest.approx(1, abs=1e-4)
    assert torch.equal(data.table.embed(list(data.reference_rows)), data.table.features[data.n_pool:])
