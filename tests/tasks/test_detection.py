"""The detection task against plain per-image autograd on the detector's own public loss()."""

import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmal.errors import InputError
from mmal.influence import gradient, restrict_grad, select_parameters
from mmal.tasks.detection import DetectionTask
from mmal.tasks.modes import eval_mode, loss_mode
from tests.conftest import ROOT

PARAMS = dict(
    fcos=['bbox_head.conv_cls', 'bbox_head.conv_reg', 'bbox_head.conv_centerness'],
    fcos_exp=['bbox_head.conv_cls', 'bbox_head.conv_reg', 'bbox_head.conv_centerness'],
    retinanet=['bbox_head.retina_cls', 'bbox_head.retina_reg'],
    faster_rcnn=['rpn_head.rpn_cls', 'roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_reg'])


def fcos(norm_on_bbox=True):
    cfg = Config.fromfile(ROOT / 'configs' / '_base_' / 'fcos_tiny.py').model
    cfg.backbone.update(base_channels=8, stem_channels=8)
    cfg.neck.update(in_channels=[16, 32, 64], out_channels=16)
    cfg.bbox_head.update(num_classes=3, in_channels=16, feat_channels=16, stacked_convs=1, norm_on_bbox=norm_on_bbox)
    return cfg


def of_mmdet(name):
    from mmengine.hub import get_config
    cfg = get_config(f'mmdet::{name}').model
    cfg.backbone.update(depth=18, init_cfg=None, base_channels=8, stem_channels=8)
    cfg.neck.update(in_channels=[8, 16, 32, 64], out_channels=16)
    return cfg


def build(name):
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    if name.startswith('fcos'):
        cfg = fcos(norm_on_bbox=name == 'fcos')
    elif name == 'retinanet':
        cfg = of_mmdet('retinanet/retinanet_r50_fpn_1x_coco.py')
        cfg.bbox_head.update(num_classes=3, in_channels=16, feat_channels=16, stacked_convs=1)
    else:
        cfg = of_mmdet('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py')
        cfg.rpn_head.update(in_channels=16, feat_channels=16)
        cfg.roi_head.bbox_roi_extractor.out_channels = 16
        cfg.roi_head.bbox_head.update(in_channels=16, fc_out_channels=32, num_classes=3)
        cfg.test_cfg.rpn.update(nms_pre=50, max_per_img=20)
        cfg.train_cfg.rpn_proposal.update(nms_pre=50, max_per_img=20)
    cfg.test_cfg.get('rcnn', cfg.test_cfg).update(score_thr=0.0, max_per_img=4)
    model = MODELS.build(cfg)
    for p in model.parameters():  # away from zero biases and tiny initial weights
        p.data += 0.03 * torch.randn_like(p)
    return model.train()


def item(seed, shape=(64, 64), boxes=True):
    g = torch.Generator().manual_seed(seed)
    sample = DetDataSample(metainfo=dict(img_id=seed, img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0)))
    corner = torch.randint(0, 24, (2, 2), generator=g).float()
    if boxes:
        sample.gt_instances = InstanceData(bboxes=torch.cat([corner, corner + 28], 1), labels=torch.tensor([0, 2]))
    return dict(inputs=torch.randint(0, 255, (3, *shape), generator=g, dtype=torch.uint8), data_samples=sample)


def reference_losses(model, items):
    """One image at a time through the public loss()."""
    losses = []
    for it in items:
        data = model.data_preprocessor(dict(inputs=[it['inputs']], data_samples=[copy.deepcopy(it['data_samples'])]),
                                       False)
        losses.append(model.parse_losses(model.loss(data['inputs'], data['data_samples']))[0])
    return losses


def with_predictions(model, items, thr):
    """The items with the model's own eval-mode predictions above thr as annotations."""
    labeled = []
    for it in items:
        data = model.data_preprocessor(dict(inputs=[it['inputs']], data_samples=[copy.deepcopy(it['data_samples'])]),
                                       False)
        with eval_mode(model), torch.no_grad():
            found = model.predict(data['inputs'], data['data_samples'], rescale=False)[0].pred_instances
        sample = copy.deepcopy(it['data_samples'])
        boxes = (found.bboxes * 4).round() / 4
        keep = (found.scores >= thr) & ((boxes[:, 2] - boxes[:, 0]) >= 1) & ((boxes[:, 3] - boxes[:, 1]) >= 1)
        sample.gt_instances = InstanceData(bboxes=boxes[keep], labels=found.labels[keep])
        labeled.append(dict(inputs=it['inputs'], data_samples=sample))
    return labeled


@pytest.mark.parametrize('name', ['fcos', 'fcos_exp', 'retinanet'])
def test_losses_of_a_mixed_batch_equal_those_of_single_images(name):
    model = build(name)
    task, items = DetectionTask(model), [item(0), item(1, (64, 96)), item(2)]
    assert task.dense
    with task.loss_mode(), torch.no_grad():
        together = task.losses(items)
        torch.testing.assert_close(together, torch.stack(reference_losses(model, items)), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(together, torch.cat([task.losses([it]) for it in items]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', PARAMS)
def test_influence_agrees_with_per_image_autograd(name):
    model = build(name)
    task, items = DetectionTask(model), [item(s, boxes=False) for s in range(3)]
    params = select_parameters(model, PARAMS[name])
    s = torch.randn(sum(p.numel() for p in params.values()), generator=torch.Generator().manual_seed(1))
    thr = 0.0 if name == 'faster_rcnn' else 0.25
    with task.loss_mode(), restrict_grad(model, params):
        labeled = with_predictions(model, items, thr)
        values, counts = task.pseudo_derivative(items, [0, 1, 2], params, s, thr)
        if task.dense:
            expected = torch.stack([gradient(loss, params) @ s for loss in reference_losses(model, labeled)])
        else:  # random sampling: the losses the task seeds by image
            expected = torch.stack([gradient(task.losses([it])[0], params) @ s for it in labeled])
        again, _ = task.pseudo_derivative(items[::-1], [2, 1, 0], params, s, thr)
    torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(again.flip(0), values, rtol=1e-4, atol=1e-5)
    assert counts == [len(it['data_samples'].gt_instances) for it in labeled]
    assert max(counts) > 0
    assert task.dense == (name != 'faster_rcnn')
    assert values.abs().min() > 0


def test_head_runs_once_for_pseudo_boxes_and_loss():
    model = build('fcos')
    task, items = DetectionTask(model), [item(s, boxes=False) for s in range(3)]
    params = select_parameters(model, PARAMS['fcos'])
    s, calls = torch.ones(sum(p.numel() for p in params.values())), []
    with task.loss_mode():
        task.pseudo_derivative(items, [0, 1, 2], params, s, 0.1)  # finds out how to undo the stride
        model.bbox_head.register_forward_hook(lambda *args: calls.append(1))
        task.pseudo_derivative(items, [0, 1, 2], params, s, 0.1)
    assert len(calls) == 1


def test_an_image_without_confident_prediction_is_scored_as_background():
    model = build('fcos')
    task, items = DetectionTask(model), [item(0, boxes=False)]
    params = select_parameters(model, ['bbox_head.conv_cls'])
    s = torch.randn(sum(p.numel() for p in params.values()))
    empty = copy.deepcopy(items)
    empty[0]['data_samples'].gt_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long())
    with task.loss_mode():
        value, count = task.pseudo_derivative(items, [0], params, s, 1.0)
        expected = gradient(task.losses(empty)[0], params) @ s
    assert count == [0]
    torch.testing.assert_close(value[0], expected, rtol=1e-4, atol=1e-6)
    assert value[0] != 0


def test_annotations_of_an_item_do_not_reach_its_score():
    model = build('fcos')
    task, params = DetectionTask(model), select_parameters(model, PARAMS['fcos'])
    s = torch.randn(sum(p.numel() for p in params.values()))
    with task.loss_mode():
        without, _ = task.pseudo_derivative([item(0, boxes=False)], [0], params, s, 0.2)
        with_boxes, _ = task.pseudo_derivative([item(0, boxes=True)], [0], params, s, 0.2)
    assert torch.equal(without, with_boxes)


def test_parameters_outside_the_head_take_the_general_path():
    model = build('fcos')
    task, items = DetectionTask(model), [item(0, boxes=False)]
    params = select_parameters(model, ['neck.fpn_convs.0.conv', 'bbox_head.conv_cls'])
    s = torch.randn(sum(p.numel() for p in params.values()))
    with task.loss_mode(), restrict_grad(model, params):
        labeled = with_predictions(model, items, 0.25)
        value, _ = task.pseudo_derivative(items, [0], params, s, 0.25)
        expected = gradient(reference_losses(model, labeled)[0], params) @ s
    torch.testing.assert_close(value[0], expected, rtol=1e-4, atol=1e-5)


def test_loss_mode_freezes_statistics_and_restores_every_flag():
    model = build('fcos')
    model.backbone.layer1.eval()
    before = {n: m.training for n, m in model.named_modules()}
    state = copy.deepcopy(model.state_dict())
    task = DetectionTask(model)
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


def test_a_mask_head_is_refused_before_anything_is_computed():
    model = build('fcos')
    model.mask_head = torch.nn.Identity()
    with pytest.raises(InputError, match='FCOS has a mask head'):
        DetectionTask(model)


class NoForwardDerivative(torch.autograd.Function):
    """Like mmcv's compiled operators: a backward, but no jvp."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


def test_an_operator_without_forward_derivative_takes_the_general_path():
    model = build('fcos')
    params = select_parameters(model, ['bbox_head.conv_cls'])
    model.bbox_head.conv_cls.register_forward_hook(lambda m, args, out: NoForwardDerivative.apply(out))
    s = torch.randn(sum(p.numel() for p in params.values()))
    task, items = DetectionTask(model), [item(0, boxes=False)]
    with task.loss_mode(), restrict_grad(model, params):
        labeled = with_predictions(model, items, 0.25)
        value, _ = task.pseudo_derivative(items, [0], params, s, 0.25)
        expected = gradient(reference_losses(model, labeled)[0], params) @ s
    torch.testing.assert_close(value[0], expected, rtol=1e-4, atol=1e-5)
    assert not task.dense
