"""The detection task against plain per-image autograd on the detector's own public loss()."""

import copy

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmal.adapters.base import PseudoLabels
from mmal.adapters.detection.model import DetectionAdapter
from mmal.adapters.detection.modes import loss_mode
from mmal.adapters.detection.pseudo_labels import pseudo_sample
from mmal.errors import InputError
from mmal.influence.parameters import gradient, restrict_grad, select_parameters
from tests.adapters.detection.test_detectors import item, public, public_loss, with_predictions
from tests.adapters.models_under_test import build_detector
from tests.zoo_configs import ROOT

FCOS = ['bbox_head.conv_cls', 'bbox_head.conv_reg', 'bbox_head.conv_centerness']
RULE = PseudoLabels(score_thr=0.25)


def build(name):
    if name == 'retinanet':
        return build_detector(name)
    cfg = Config.fromfile(ROOT / 'configs' / '_base_' / 'fcos_tiny.py').model
    cfg.backbone.update(base_channels=8, stem_channels=8)
    cfg.neck.update(in_channels=[16, 32, 64], out_channels=16)
    cfg.bbox_head.update(num_classes=3, in_channels=16, feat_channels=16, stacked_convs=1,
                         norm_on_bbox=name == 'fcos')
    return build_detector(cfg)


def direction(params):
    return torch.randn(sum(p.numel() for p in params.values()), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('name', ['fcos', 'fcos_exp', 'retinanet'])
def test_losses_of_a_mixed_batch_equal_those_of_single_images(name):
    model = build(name)
    task, items = DetectionAdapter(model), [item(0), item(1, (64, 96)), item(2)]
    assert task.dense
    with task.loss_mode(), torch.no_grad():
        together = task.losses(items)
        expected = torch.stack([public_loss(model, it) for it in items])
        torch.testing.assert_close(together, expected, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(together, torch.cat([task.losses([it]) for it in items]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', ['fcos', 'fcos_exp', 'retinanet'])
def test_influence_agrees_with_per_image_autograd(name):
    """Whatever the batch and its order; FCOS with and without norm_on_bbox."""
    model = build(name)
    task, items = DetectionAdapter(model), [item(s, (64, 64 + 32 * (s == 1)), boxes=False) for s in range(4)]
    params = select_parameters(model, task.last_layers([item(0)]))
    s = direction(params)
    with task.loss_mode(), restrict_grad(model, params):
        labeled = [with_predictions(model, it, RULE) for it in items]
        expected = torch.stack([gradient(public_loss(model, it), params) @ s for it in labeled])
        together, counts = task.pseudo_derivative(items, [0, 1, 2, 3], params, s, RULE)
        backwards, _ = task.pseudo_derivative(items[::-1], [3, 2, 1, 0], params, s, RULE)
        alone = torch.cat([task.pseudo_derivative([it], [i], params, s, RULE)[0] for i, it in enumerate(items)])
    assert task.method == 'dense'
    for values in (together, backwards.flip(0), alone):
        torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-5)
    assert counts == [len(it['data_samples'].gt_instances) for it in labeled]
    assert max(counts) > 0
    assert together.abs().min() > 0


def test_head_runs_once_for_pseudo_boxes_and_loss():
    model = build('fcos')
    task, items = DetectionAdapter(model), [item(s, boxes=False) for s in range(3)]
    params = select_parameters(model, FCOS)
    s, calls = direction(params), []
    with task.loss_mode(), restrict_grad(model, params):
        task.pseudo_derivative(items, [0, 1, 2], params, s, PseudoLabels())  # finds out how to undo the stride
        model.bbox_head.register_forward_hook(lambda *args: calls.append(1))
        task.pseudo_derivative(items, [0, 1, 2], params, s, PseudoLabels())
    assert len(calls) == 1


def test_an_image_without_confident_prediction_is_scored_as_background():
    model = build('fcos')
    task, items = DetectionAdapter(model), [item(0, boxes=False)]
    params = select_parameters(model, ['bbox_head.conv_cls'])
    s = direction(params)
    empty = copy.deepcopy(items)
    empty[0]['data_samples'].gt_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long())
    with task.loss_mode():
        value, count = task.pseudo_derivative(items, [0], params, s, PseudoLabels(score_thr=1.0))
        expected = gradient(task.losses(empty)[0], params) @ s
    assert count == [0]
    torch.testing.assert_close(value[0], expected, rtol=1e-4, atol=1e-6)
    assert value[0] != 0


def test_annotations_of_an_item_do_not_reach_its_score():
    model = build('fcos')
    task, params = DetectionAdapter(model), select_parameters(model, FCOS)
    s = direction(params)
    with task.loss_mode():
        without, _ = task.pseudo_derivative([item(0, boxes=False)], [0], params, s, PseudoLabels(score_thr=0.2))
        with_boxes, _ = task.pseudo_derivative([item(0, boxes=True)], [0], params, s, PseudoLabels(score_thr=0.2))
    assert torch.equal(without, with_boxes)


def test_parameters_outside_the_head_take_the_backward_way():
    model = build('fcos')
    task, items = DetectionAdapter(model), [item(0, boxes=False)]
    params = select_parameters(model, ['neck.fpn_convs.0.conv', 'bbox_head.conv_cls'])
    s = direction(params)
    with task.loss_mode(), restrict_grad(model, params):
        labeled = with_predictions(model, items[0], RULE)
        value, _ = task.pseudo_derivative(items, [0], params, s, RULE)
        expected = gradient(public_loss(model, labeled), params) @ s
    torch.testing.assert_close(value[0], expected, rtol=1e-4, atol=1e-5)
    assert task.method == 'backward'


def test_loss_mode_freezes_statistics_and_restores_every_flag():
    model = build('fcos')
    model.backbone.layer1.eval()
    before = {n: m.training for n, m in model.named_modules()}
    state = copy.deepcopy(model.state_dict())
    task = DetectionAdapter(model)
    asked = torch.distributed.is_initialized
    with loss_mode(model):
        assert model.training
        assert model.bbox_head.training
        assert not any(m.training for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d))
        assert torch.distributed.is_initialized() is False
        task.losses([item(0)])
    assert before == {n: m.training for n, m in model.named_modules()}
    assert all(torch.equal(t, state[n]) for n, t in model.state_dict().items())
    assert torch.distributed.is_initialized is asked


def test_focal_loss_with_one_hot_targets_is_the_same_loss():
    """Inside loss_mode mmdet's CUDA operator, which has no second derivative, is avoided."""
    from mmdet.models.losses import FocalLoss
    model = torch.nn.ModuleDict(dict(loss=FocalLoss(use_sigmoid=True)))
    pred, target = torch.randn(6, 3), torch.tensor([0, 1, 2, 3, 3, 0])
    seen = []
    expected = model.loss(pred, target, avg_factor=2.0)
    with loss_mode(model):
        handle = model.loss.register_forward_pre_hook(lambda m, args: seen.append(args[1].shape))
        torch.testing.assert_close(model.loss(pred, target, avg_factor=2.0), expected)
        handle.remove()
    assert seen == [torch.Size([6, 3])]
    assert not model.loss._forward_pre_hooks


def test_a_single_stage_mask_head_is_refused_before_anything_is_computed():
    model = build('fcos')
    model.mask_head = torch.nn.Identity()
    with pytest.raises(InputError, match='FCOS has a mask head'):
        DetectionAdapter(model)


class NoForwardDerivative(torch.autograd.Function):
    """Like mmcv's compiled operators: a backward, but no jvp."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


def test_an_operator_without_forward_derivative_is_no_obstacle():
    model = build('fcos')
    params = select_parameters(model, ['bbox_head.conv_cls'])
    model.bbox_head.conv_cls.register_forward_hook(lambda m, args, out: NoForwardDerivative.apply(out))
    s = direction(params)
    task, items = DetectionAdapter(model), [item(0, boxes=False)]
    with task.loss_mode(), restrict_grad(model, params):
        labeled = with_predictions(model, items[0], RULE)
        value, _ = task.pseudo_derivative(items, [0], params, s, RULE)
        expected = gradient(public_loss(model, labeled), params) @ s
    torch.testing.assert_close(value[0], expected, rtol=1e-4, atol=1e-5)


class BehindTheBack(torch.nn.Module):

    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        return torch.nn.functional.conv2d(x, self.conv.weight, self.conv.bias, padding=1)


def test_a_way_that_gives_another_number_is_not_taken():
    """A weight used behind its layer's back: no hook sees it."""
    model, log = build('fcos'), []
    model.bbox_head.conv_cls = BehindTheBack(model.bbox_head.conv_cls)
    params = select_parameters(model, FCOS)
    s = direction(params)
    task, items = DetectionAdapter(model, log.append), [item(0, boxes=False), item(1, boxes=False)]
    with task.loss_mode(), restrict_grad(model, params):
        values, _ = task.pseudo_derivative(items, [0, 1], params, s, RULE)
        labeled = [with_predictions(model, it, RULE) for it in items]
        expected = torch.stack([gradient(public_loss(model, it), params) @ s for it in labeled])
    torch.testing.assert_close(values, expected, rtol=1e-3, atol=1e-5)
    assert task.method == 'backward'
    assert 'where plain autograd gives' in log[0]


def test_one_image_that_is_not_finite_does_not_touch_its_neighbours():
    model = build('fcos')
    task, items = DetectionAdapter(model), [item(s, boxes=False) for s in range(3)]
    params = select_parameters(model, FCOS)
    s = direction(params)
    with task.loss_mode(), restrict_grad(model, params):
        clean, _ = task.pseudo_derivative(items, [0, 1, 2], params, s, RULE)
        items[1]['inputs'] = torch.full_like(items[1]['inputs'], torch.nan, dtype=torch.float)
        dirty, _ = task.pseudo_derivative(items, [0, 1, 2], params, s, RULE)
    assert dirty[1].isnan()
    torch.testing.assert_close(dirty[[0, 2]], clean[[0, 2]])


def test_autocast_and_a_train_mode_left_behind_change_nothing():
    model = build('fcos')
    task, items = DetectionAdapter(model), [item(s, boxes=False) for s in range(2)]
    params = select_parameters(model, FCOS)
    s, found = direction(params), []
    for mode in (model.eval, model.train):
        mode()
        for autocast in (False, True):
            low = torch.autocast('cpu', torch.bfloat16, enabled=autocast)
            with low, task.loss_mode(), restrict_grad(model, params):
                found.append(task.pseudo_derivative(items, [0, 1], params, s, RULE)[0])
    assert all(torch.equal(values, found[0]) for values in found)


def test_mask_r_cnn_counts_by_its_box_part_and_gets_its_mask_head_back():
    model = build_detector('mask_rcnn')
    with DetectionAdapter(model).loss_mode():
        assert not model.roi_head.with_mask
        losses = model.loss(*public(model, item(0)))
    assert 'loss_mask' not in losses
    assert model.roi_head.with_mask


SAMPLE = DetDataSample(metainfo=dict(img_shape=(64, 64)))
FOUND = InstanceData(
    bboxes=torch.tensor([[0, 0, 20.1, 20], [1, 0, 21, 20], [30, 30, 50, 50], [40, 0, 40.4, 9], [5, 40, 9, 60.0]]),
    scores=torch.tensor([0.3, 0.6, 0.5, 0.9, 0.2]), labels=torch.tensor([0, 1, 1, 0, 2]))


@pytest.mark.parametrize(('rule', 'expected'), [
    (PseudoLabels(0.25), [0, 1, 2]),
    (PseudoLabels(0.1), [0, 1, 2, 4]),
    (PseudoLabels(1.0), []),
])
def test_which_predictions_become_pseudo_boxes(rule, expected):
    """Index 3 is narrower than a pixel."""
    found = pseudo_sample(SAMPLE, FOUND, rule).gt_instances
    assert found.labels.tolist() == FOUND.labels[expected].tolist()
    torch.testing.assert_close(found.bboxes, (FOUND.bboxes[expected] * 4).round() / 4)
