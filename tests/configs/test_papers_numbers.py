"""What the paper says of its runs (sections 4.1 to 4.3, appendices D, E), in the configs and plans of its protocols."""

import pytest
from mmengine.config import Config

from mmal.benchmark.isal_paper.published import published_curve, published_methods, tables
from mmal.benchmark.plan import Plan
from mmal.registry import SAMPLERS
from tests.zoo_configs import ROOT

DETECTOR = {
    'train_cfg.max_epochs': 12, 'train_cfg.val_interval': 12, 'train_dataloader.batch_size': 8,
    'optim_wrapper.optimizer.lr': 0.01, 'optim_wrapper.optimizer.momentum': 0.9,
    'optim_wrapper.optimizer.weight_decay': 0.0001, 'param_scheduler.1.milestones': [8, 11],
    'param_scheduler.1.gamma': 0.1, 'custom_hooks.0.reference': 'val'}
FCOS = {**DETECTOR, 'custom_hooks.0.hessian_images': 5000, 'model.bbox_head.norm_cfg': None}
RESNET = {
    'train_cfg.max_epochs': 200, 'train_cfg.val_interval': 200, 'train_dataloader.batch_size': 128,
    'optim_wrapper.optimizer.lr': 0.1, 'optim_wrapper.optimizer.momentum': 0.9,
    'optim_wrapper.optimizer.weight_decay': 0.0005, 'param_scheduler.milestones': [160], 'param_scheduler.gamma': 0.1,
    'custom_hooks.0.reference': 'val', 'custom_hooks.0.params': ['*'], 'custom_hooks.0.solver.depth': 250,
    'custom_hooks.0.solver.repeats': 4, 'val_dataloader.dataset.split': 'test'}
NUMBERS = {
    'resnet18_cifar10_isal.py': (1000, 1000, 10, {**RESNET, 'model.head.num_classes': 10}),
    'resnet18_cifar100_isal.py': (5000, 1000, 10, {
        **RESNET, 'model.head.num_classes': 100, 'train_dataloader.dataset.type': 'CIFAR100'}),
    'resnet18_svhn_isal.py': (round(0.02 * 73257), round(0.02 * 73257), 10, {
        **RESNET, 'model.head.num_classes': 10, 'train_dataloader.dataset.type': 'mmal.SVHN'}),
    'resnet18_cifar10_isal_5k.py': (5000, 5000, 10, {**RESNET, 'train_dataloader.dataset.type': 'CIFAR10'}),
    'fcos_coco_isal.py': (5000, 1000, 20, {
        **FCOS, 'optim_wrapper.clip_grad.max_norm': 10, 'model.bbox_head.num_classes': 80}),
    'fcos_coco_isal_large.py': (round(0.1 * 118287), round(0.1 * 118287), 10, FCOS),
    'fcos_voc2012_isal.py': (500, 500, 10, {
        **FCOS, 'optim_wrapper.clip_grad.max_norm': 8, 'model.bbox_head.num_classes': 20,
        'train_dataloader.dataset.pipeline.2.scale': (1333, 800),
        'val_dataloader.dataset.pipeline.1.scale': (1333, 800),
        'train_dataloader.dataset.filter_cfg': dict(filter_empty_gt=True, min_size=32)}),
    'faster_rcnn_coco_isal.py': (5000, 1000, 10, {
        **DETECTOR, 'custom_hooks.0.hessian_images': 500, 'custom_hooks.0.params': [
            'rpn_head.rpn_cls', 'rpn_head.rpn_reg', 'roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_reg']}),
}
LEARNING_LOSS = {'fcos_coco': '', 'fcos_voc2012': '', 'resnet18_cifar10': '', 'resnet18_cifar100': '',
                 'resnet18_svhn': '', 'fcos_coco_large': '_large', 'resnet18_cifar10_5k': '_5k'}


def at(cfg, key):
    """What a dotted key leads to."""
    for part in key.split('.'):
        cfg = cfg[int(part) if part.isdigit() else part]
    return cfg


def read(name):
    return Config.fromfile(ROOT / 'configs' / name)


@pytest.mark.parametrize('name', NUMBERS)
def test_the_papers_numbers(name):
    initial, query, rounds, more = NUMBERS[name]
    cfg = read(name)
    assert [cfg.train_cfg[k] for k in ('initial', 'query', 'rounds')] == [initial, query, rounds]
    assert {key: at(cfg, key) for key in more} == more


def test_faster_rcnn_clips_no_gradient():
    """Neither the paper nor the first authors' config does."""
    assert 'clip_grad' not in read('faster_rcnn_coco_isal.py').optim_wrapper


@pytest.mark.parametrize('name', LEARNING_LOSS)
def test_learning_loss_is_the_papers_and_the_rest_its_protocols(name):
    end = LEARNING_LOSS[name]
    stem = name.removesuffix(end)
    cfg, isal = read(f'{stem}_learning_loss{end}.py'), read(f'{stem}_isal{end}.py')
    maps, until = (['neck'], 0) if stem.startswith('fcos') else ([f'backbone.layer{i}' for i in range(1, 5)], 120 / 200)
    assert cfg.model == dict(type='mmal.LearningLoss', feature_maps=maps, detach_at=until, model=isal.model)
    assert dict(cfg.train_cfg, sampler=None) == dict(isal.train_cfg, sampler=None)
    assert cfg.train_cfg.sampler == dict(type='mmal.LearningLossSampler', max_cosine=None)
    assert cfg.train_dataloader == isal.train_dataloader
    assert cfg.optim_wrapper == isal.optim_wrapper


@pytest.fixture(scope='module')
def all_plans(tmp_path_factory):
    return [Plan(path, tmp_path_factory.mktemp('plans')) for path in (ROOT / 'configs' / 'plans').glob('*.py')]


@pytest.fixture(scope='module')
def plans(all_plans):
    """By the number of the table that they draw over."""
    return {plan.published: plan for plan in all_plans if plan.published}


def test_comparison_plans_name_configs_and_samplers_that_exist(all_plans):
    for plan in all_plans:
        runs = plan.runs()
        assert {r.method for r in runs} == set(plan.methods), plan.name
        for name, cfg in plan._configs.items():
            sampler = SAMPLERS.build(cfg.train_cfg.sampler)
            assert sampler.column, (plan.name, name)
            if hasattr(sampler, 'near_copies') and 'frozen' not in plan.path.stem:
                assert sampler.near_copies.max_cosine is None, "the paper's plain ranking"
        first = next(iter({r.seed: r for r in runs}.values()))
        assert first.rounds == plan._configs[first.method].train_cfg.rounds, plan.name


def test_each_table_of_the_paper_has_a_plan_with_its_methods_steps_and_seeds(plans):
    assert sorted(plans) == sorted(tables())
    for number, plan in plans.items():
        table = tables()[number]
        assert sorted(plan.methods) == sorted(m.lower().replace(' ', '_') for m in published_methods(number))
        assert len(plan.seeds) == (table['repeats'] or 1)
        for cfg in plan._configs.values():
            assert (cfg.train_cfg.initial, cfg.train_cfg.query) == (table['initial'], table['query'])


@pytest.mark.parametrize('table', [9, 11])
def test_on_coco_a_run_ends_where_each_of_the_papers_does(plans, table):
    """At an AP of 22 +- 0.3 %: what the plan stops at is first reached in the last printed step of every method."""
    for name, cfg in plans[table]._configs.items():
        assert cfg.train_cfg.stop == dict(metric='coco/bbox_mAP', target=plans[table].target), name
    for method in published_methods(table):
        values = [round(p['value'], 3) for p in published_curve(table, method)]
        assert [v >= plans[table].target for v in values] == [False] * (len(values) - 1) + [True], method
        assert len(values) <= plans[table].runs()[0].rounds


def test_elsewhere_a_run_has_all_its_rounds(plans):
    for table in set(plans) - {9, 11}:
        assert not any(cfg.train_cfg.get('stop') for cfg in plans[table]._configs.values())
