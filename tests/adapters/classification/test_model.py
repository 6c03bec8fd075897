"""Every classifier the project promises, from mmpretrain's own config, against plain per-image autograd."""

import copy

import pytest
import torch
from mmpretrain.structures import DataSample

from mmal.adapters.base import PseudoLabels
from mmal.adapters.classification.model import ClassificationAdapter
from mmal.adapters.model_modes import eval_mode
from mmal.errors import InputError
from mmal.influence.api import build_curvature, mean_gradient
from mmal.influence.parameters import gradient, restrict_grad, select_parameters
from mmal.influence.solvers.base import cosine
from mmal.influence.solvers.cg import CG
from mmal.influence.solvers.lissa import LiSSA
from tests.adapters.models_under_test import CLASSIFIERS, build_classifier, classifier_cfg


def item(seed, label=None, size=32):
    g = torch.Generator().manual_seed(seed)
    sample = DataSample(metainfo=dict(sample_idx=seed))
    if label is not None:
        sample.set_gt_label(label)
    return dict(inputs=torch.randint(0, 255, (3, size, size), generator=g, dtype=torch.uint8), data_samples=sample)


def public_loss(model, it):
    """The classifier's own loss() of one image, in eval mode."""
    data = model.data_preprocessor(dict(inputs=[it['inputs']], data_samples=[copy.deepcopy(it['data_samples'])]), False)
    with eval_mode(model):
        return model.loss(data['inputs'], data['data_samples'])['loss']


def predicted(model, it):
    data = model.data_preprocessor(dict(inputs=[it['inputs']], data_samples=[DataSample()]), False)
    with eval_mode(model), torch.no_grad():
        return model.predict(data['inputs'])[0]


def labeled_as(it, label):
    sample = DataSample()
    return dict(inputs=it['inputs'], data_samples=sample.set_gt_label(label))


def multi_label():
    cfg = classifier_cfg('resnet_cifar')
    cfg.head = dict(type='MultiLabelLinearClsHead', num_classes=5, in_channels=64,
                    loss=dict(type='CrossEntropyLoss', use_sigmoid=True))
    return build_classifier(cfg)


ALL = dict({name: name for name in CLASSIFIERS}, multi_label=None)


@pytest.mark.parametrize('scope', ['last', 'all'])
@pytest.mark.parametrize('name', ALL)
def test_classifier_from_its_own_config(name, scope):
    check_classifier(name, scope)


def check_classifier(name, scope, device='cpu'):
    model = multi_label() if name == 'multi_label' else build_classifier(name)
    model = model.to(device)
    log: list[str] = []
    task, rule = ClassificationAdapter(model, log.append), PseudoLabels()
    labels = [[1, 3], [0], [4]] if name == 'multi_label' else [1, 0, 4]
    labeled, unlabeled = [item(i, label) for i, label in enumerate(labels)], [item(i) for i in (5, 6, 7)]
    found = task.last_layers(labeled[:1])
    assert len(found) == 2
    assert all(n.startswith('head.') for n in found)

    params = select_parameters(model, found if scope == 'last' else ['*'])
    with task.loss_mode(), restrict_grad(model, params):
        v = mean_gradient(task.losses, [labeled[:2], labeled[2:]], params)
        one_by_one = torch.stack([gradient(public_loss(model, it), params) for it in labeled]).mean(0)
        torch.testing.assert_close(v, one_by_one, rtol=1e-3, atol=1e-5 * float(v.abs().max()))

        curvature = build_curvature(model, task.losses, [labeled], params, 'ggn', log=log.append)
        assert ('closed form' in log[0]) == (scope == 'last')
        solver = CG() if scope == 'last' else LiSSA(damping=0.1, depth=3, repeats=1)
        solution = solver.solve(v, curvature, log=log.append)
        assert cosine(solution.x, v) > 0

        s = solution.x
        values, counts = task.pseudo_derivative(unlabeled, [5, 6, 7], params, s, rule)
        backwards, _ = task.pseudo_derivative(unlabeled[::-1], [7, 6, 5], params, s, rule)
        alone = torch.cat([task.pseudo_derivative([it], [0], params, s, rule)[0] for it in unlabeled])
        targets = [labeled_as(it, predicted(model, it).pred_label) for it in unlabeled]
        gradients = [gradient(public_loss(model, it), params) for it in targets]
    expected = torch.stack([g @ s for g in gradients])
    size = float(s.norm()) * max(float(g.norm()) for g in gradients)
    for found in (values, backwards.flip(0), alone):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5 * size)
    assert counts == [len(t['data_samples'].gt_label) for t in targets]
    assert task.method == ('forward, attention not fused' if (name, scope) == ('vit', 'all') else 'forward')
    assert model.training


def setup(top_k):
    model = build_classifier('resnet_cifar')
    task, rule = ClassificationAdapter(model, lambda text: None), PseudoLabels(top_k=top_k)
    params = select_parameters(model, ['head.fc'])
    return model, task, rule, params, torch.randn(sum(p.numel() for p in params.values()))


@pytest.mark.parametrize('method', ['forward', 'backward'])
@pytest.mark.parametrize('top_k', [1, 2, 3])
def test_expected_gradient_of_the_top_k_classes(top_k, method):
    """K = 1 is Algorithm 1, without weight; K > 1 is equation 3."""
    model, task, rule, params, s = setup(top_k)
    task.selector.settle(method)
    with task.loss_mode(), restrict_grad(model, params):
        values, counts = task.pseudo_derivative([item(5), item(6)], [5, 6], params, s, rule)
        for value, it in zip(values, (item(5), item(6)), strict=True):
            p = predicted(model, it).pred_score
            top, classes = p.topk(top_k)
            weights = top if top_k > 1 else [1.0]
            expected = sum(w * (gradient(public_loss(model, labeled_as(it, c)), params) @ s)
                           for w, c in zip(weights, classes, strict=True))
            torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-4)
    assert counts == [top_k, top_k]


def test_with_all_classes_the_expected_gradient_is_zero():
    model, task, rule, params, s = setup(5)
    with task.loss_mode(), restrict_grad(model, params):
        zero, _ = task.pseudo_derivative([item(5), item(6)], [5, 6], params, s, rule)
        four, _ = task.pseudo_derivative([item(5), item(6)], [5, 6], params, s, PseudoLabels(top_k=4))
    assert zero.abs().max() < 1e-5 * s.norm()
    assert four.abs().min() > 1e-3


def test_images_of_several_sizes_and_one_that_is_not_finite():
    model, task, rule, params, s = setup(1)
    items = [item(0), item(1, size=40), item(2), item(3, size=40)]
    with task.loss_mode(), restrict_grad(model, params):
        alone = torch.cat([task.pseudo_derivative([it], [0], params, s, rule)[0] for it in items])
        items[2]['inputs'] = items[2]['inputs'].float() * torch.nan
        values, _ = task.pseudo_derivative(items, [0, 1, 2, 3], params, s, rule)
    assert values[2].isnan()
    torch.testing.assert_close(values[[0, 1, 3]], alone[[0, 1, 3]], rtol=1e-4, atol=1e-5)


class Opaque(torch.autograd.Function):
    """A backward, but no forward derivative."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


def test_an_operator_without_forward_derivative_takes_the_backward_way():
    model, task, rule, params, s = setup(1)
    model.head.fc.register_forward_hook(lambda m, args, out: Opaque.apply(out))
    with task.loss_mode(), restrict_grad(model, params):
        values, _ = task.pseudo_derivative([item(5), item(6)], [5, 6], params, s, rule)
        targets = [labeled_as(it, predicted(model, it).pred_label) for it in (item(5), item(6))]
        expected = torch.stack([gradient(public_loss(model, it), params) @ s for it in targets])
    torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-5)
    assert task.method == 'backward'


def test_a_head_whose_loss_needs_more_than_scores_takes_the_backward_way():
    cfg = classifier_cfg('resnet_cifar')
    cfg.head = dict(type='ArcFaceClsHead', num_classes=5, in_channels=64, loss=dict(type='CrossEntropyLoss'))
    model, log = build_classifier(cfg), []
    task = ClassificationAdapter(model, log.append)
    params = select_parameters(model, ['head.norm_product'])
    s = torch.randn(sum(p.numel() for p in params.values()))
    with task.loss_mode(), restrict_grad(model, params):
        values, _ = task.pseudo_derivative([item(5), item(6)], [5, 6], params, s, PseudoLabels())
        targets = [labeled_as(it, predicted(model, it).pred_label) for it in (item(5), item(6))]
        expected = torch.stack([gradient(public_loss(model, it), params) @ s for it in targets])
        losses = task.losses([item(0, 1), item(1, 2)])
    torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(losses, torch.stack([public_loss(model, item(0, 1)), public_loss(model, item(1, 2))]))
    assert 'loss of its own' in log[0]


def test_labels_are_counted_whatever_the_method():
    model = multi_label()
    task, params = ClassificationAdapter(model, lambda text: None), select_parameters(model, ['head.fc'])
    s, items = torch.randn(sum(p.numel() for p in params.values())), [item(5), item(6)]
    expected = [len(predicted(model, it).pred_label) for it in items]
    assert max(expected) > 1
    for method in ('forward', 'backward'):
        task.selector.settle(method)
        with task.loss_mode(), restrict_grad(model, params):
            assert task.pseudo_derivative(items, [5, 6], params, s, PseudoLabels())[1] == expected


def test_batch_norm_left_in_train_mode_and_autocast_change_nothing():
    model, task, rule, params, s = setup(1)
    state, found = copy.deepcopy(model.state_dict()), []
    for mode in (model.train, model.eval):
        mode()
        for autocast in (False, True):
            low = torch.autocast('cpu', torch.bfloat16, enabled=autocast)
            with low, task.loss_mode(), restrict_grad(model, params):
                found.append(task.pseudo_derivative([item(5), item(6)], [5, 6], params, s, rule)[0])
    assert all(torch.equal(values, found[0]) for values in found)
    assert all(torch.equal(t, state[n]) for n, t in model.state_dict().items())


def test_a_loss_of_soft_labels_gets_scores_not_an_index():
    """As in the mixup and cutmix configs."""
    cfg = classifier_cfg('resnet_cifar')
    cfg.head.loss = dict(type='CrossEntropyLoss', use_soft=True)
    model = build_classifier(cfg)
    hard = build_classifier('resnet_cifar')
    values = []
    for m in (model, hard):
        task = ClassificationAdapter(m, lambda text: None)
        params = select_parameters(m, ['head.fc'])
        s = torch.randn(sum(p.numel() for p in params.values()), generator=torch.Generator().manual_seed(0))
        with task.loss_mode(), restrict_grad(m, params):
            values.append((task.pseudo_derivative([item(5), item(6)], [5, 6], params, s, PseudoLabels())[0],
                           task.losses([item(0, 1), item(1, 2)]).detach()))
    torch.testing.assert_close(values[0], values[1])


def test_a_first_image_that_tells_nothing_is_no_proof():
    model, task, rule, params, s = setup(1)
    nan = item(5)
    nan['inputs'] = nan['inputs'].float() * torch.nan
    with task.loss_mode(), restrict_grad(model, params):
        task.pseudo_derivative([nan], [5], params, s, rule)
        assert not task.selector.settled
        task.pseudo_derivative([item(6), item(7)], [6, 7], params, s, rule)
    assert task.selector.settled
    assert task.method == 'forward'


def test_heads_without_one_output_are_refused():
    model = build_classifier('resnet_cifar')
    model.head.register_forward_hook(lambda m, args, out: (out, out))
    task = ClassificationAdapter(model, lambda text: None)
    with task.loss_mode(), pytest.raises(InputError, match='several outputs'):
        task.losses([item(0, 1)])
    model.head = None
    with pytest.raises(InputError, match='no `head`'):
        ClassificationAdapter(model)
