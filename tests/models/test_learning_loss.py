"""The loss-prediction module: its loss, its targets, and where its gradient goes."""

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.registry import MODELS

from mmal.adapters.detection.model import DetectionAdapter
from mmal.errors import InputError
from mmal.models.learning_loss import LossPrediction, _image_losses, ranking_loss
from tests.adapters.detection.test_detectors import item, public, public_loss
from tests.adapters.models_under_test import build_classifier, classifier_cfg, detector_cfg


def test_ranking_loss_is_the_papers():
    """Pairs (0, 3) and (1, 2) of four."""
    predicted, true = torch.tensor([1.0, 0.2, 0.9, 0.5]), torch.tensor([2.0, 1.0, 3.0, 1.0])
    expected = (max(0, 1 - (1.0 - 0.5)) + max(0, 1 + (0.2 - 0.9))) / 2
    assert float(ranking_loss(predicted, true)) == pytest.approx(expected)
    assert float(ranking_loss(predicted[:1], true[:1])) == 0
    assert float(ranking_loss(torch.tensor([5.0, 0.0]), torch.tensor([1.0, 0.0]))) == 0


def attached(cfg, maps, **more):
    build_classifier('resnet_cifar') if 'head' in cfg else None  # registers the modules
    return MODELS.build(dict(type='mmal.LearningLoss', model=cfg, feature_maps=maps, **more))


def on_the_neck_of(detector):
    from mmdet.utils import register_all_modules
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    return attached(detector_cfg(detector), ['neck'], detach_at=0)


@pytest.fixture
def fcos():
    return on_the_neck_of('fcos')


def test_the_model_stays_what_it_is_and_learns_one_loss_more(fcos):
    assert type(fcos).__name__ == 'FCOS'
    assert fcos.loss_prediction.channels == [16] * 5
    assert DetectionAdapter(fcos).dense
    data = fcos.data_preprocessor(dict(inputs=[item(s)['inputs'] for s in range(4)],
                                       data_samples=[item(s)['data_samples'] for s in range(4)]), True)
    fcos.train()
    losses = fcos.loss(data['inputs'], data['data_samples'])
    assert {'loss_cls', 'loss_bbox', 'loss_centerness', 'loss_prediction'} == set(losses)
    losses['loss_prediction'].backward()
    assert all(p.grad is None for n, p in fcos.named_parameters() if not n.startswith('loss_prediction'))
    assert fcos.loss_prediction.out.weight.grad.abs().sum() > 0
    fcos.eval()
    assert 'loss_prediction' not in fcos.loss(data['inputs'], data['data_samples'])


def test_its_targets_are_the_losses_of_single_images(fcos):
    items = [item(s) for s in range(3)]
    data = fcos.data_preprocessor(dict(inputs=[i['inputs'] for i in items],
                                       data_samples=[i['data_samples'] for i in items]), False)
    original = type(fcos).loss.__get__(fcos)
    with DetectionAdapter(fcos).loss_mode(), torch.no_grad():
        feats = fcos.extract_feat(data['inputs'])
        expected = torch.stack([public_loss(fcos, it) for it in items])
    found = _image_losses(fcos, original, data['inputs'], data['data_samples'], feats)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert public(fcos, items[0])


def test_a_two_stage_detector_learns_it_too():
    """On the maps of its neck; the losses of both stages are the targets."""
    model = on_the_neck_of('faster_rcnn')
    items = [item(s) for s in range(4)]
    data = model.data_preprocessor(dict(inputs=[i['inputs'] for i in items],
                                        data_samples=[i['data_samples'] for i in items]), True)
    losses = model.loss(data['inputs'], data['data_samples'])
    assert {'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox', 'loss_prediction'} <= set(losses)
    losses['loss_prediction'].backward()
    got = {n.split('.')[0] for n, p in model.named_parameters() if p.grad is not None}
    assert got == {'loss_prediction'}
    true = _image_losses(model, type(model).loss.__get__(model), data['inputs'], data['data_samples'],
                 model.extract_feat(data['inputs']))
    assert len(set(true.tolist())) == 4
    features = DetectionAdapter(model).features(items, model.loss_prediction.feature_maps)
    assert model.loss_prediction(features).isfinite().all()


@pytest.mark.parametrize(('done', 'reaches'), [(0, True), (59, True), (60, False)])
def test_its_gradient_reaches_the_model_for_a_part_of_the_training(done, reaches):
    model = attached(classifier_cfg('resnet_cifar'), ['backbone.layer1', 'backbone.layer4'], detach_at=0.6)
    from tests.adapters.classification.test_model import item as picture
    samples = [picture(s, s % 5) for s in range(4)]
    data = model.data_preprocessor(dict(inputs=[s['inputs'] for s in samples],
                                        data_samples=[s['data_samples'] for s in samples]), True)
    hub = MessageHub.get_current_instance()
    hub.update_info_dict(dict(iter=done, max_iters=100))
    model.train()
    model.loss(data['inputs'], data['data_samples'])['loss_prediction'].backward()
    hub.update_info_dict(dict(iter=0, max_iters=1))
    assert (model.backbone.conv1.weight.grad is not None) == reaches


def test_it_learns_to_rank():
    torch.manual_seed(0)
    module, x = LossPrediction(['a', 'b'], [3, 2]), torch.randn(64, 5)
    true = x[:, 0] + x[:, 4]
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    for _ in range(200):
        order = torch.randperm(64)
        optimizer.zero_grad()
        ranking_loss(module(x[order]), true[order]).backward()
        optimizer.step()
    ranks = [t.argsort().argsort().double() for t in (module(x).detach(), true)]
    assert float(torch.corrcoef(torch.stack(ranks))[0, 1]) > 0.95


def test_a_module_that_is_missing_or_not_used(fcos):
    with pytest.raises(InputError, match="no module 'backbone.block1'"):
        attached(detector_cfg('fcos'), ['backbone.block1'])
    with pytest.raises(InputError, match='is used by extract_feat'):
        attached(detector_cfg('fcos'), ['bbox_head.conv_cls'])
    with pytest.raises(InputError, match='name a map twice'):
        attached(detector_cfg('fcos'), ['neck', 'neck.fpn_convs.0'])


def test_mixed_precision():
    from tests.adapters.classification.test_model import item as picture
    model = attached(classifier_cfg('resnet_cifar'), ['backbone.layer1'])
    samples = [picture(s, s % 5) for s in range(4)]
    data = model.data_preprocessor(dict(inputs=[s['inputs'] for s in samples],
                                        data_samples=[s['data_samples'] for s in samples]), True)
    model.train()
    with torch.autocast('cpu', torch.bfloat16):
        loss = model.loss(data['inputs'], data['data_samples'])['loss_prediction']
    assert loss.isfinite()
