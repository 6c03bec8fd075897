"""Every detector the project promises, from mmdet's own config: last layers, v, s_test and scores."""

import copy

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmal.adapters.base import PseudoLabels
from mmal.adapters.detection.model import DetectionAdapter
from mmal.adapters.detection.pseudo_labels import pseudo_sample
from mmal.adapters.model_modes import eval_mode
from mmal.influence.api import build_curvature, mean_gradient
from mmal.influence.parameters import gradient, restrict_grad, select_parameters
from mmal.influence.solvers.base import cosine
from mmal.influence.solvers.cg import CG
from mmal.utils.rng import keyed_rng
from tests.adapters.models_under_test import DETECTORS, LAST, build_detector

DENSE = ('fcos', 'retinanet', 'atss', 'yolox')


def item(seed, shape=(64, 64), boxes=True):
    g = torch.Generator().manual_seed(seed)
    sample = DetDataSample(metainfo=dict(img_id=seed, img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0)))
    corner = torch.randint(0, 24, (2, 2), generator=g).float()
    if boxes:
        sample.gt_instances = InstanceData(bboxes=torch.cat([corner, corner + 28], 1), labels=torch.tensor([0, 2]))
    return dict(inputs=torch.randint(0, 255, (3, *shape), generator=g, dtype=torch.uint8), data_samples=sample)


def public(model, it):
    """Input and sample of one image, as the detector's own data_preprocessor gives them."""
    data = model.data_preprocessor(dict(inputs=[it['inputs']], data_samples=[copy.deepcopy(it['data_samples'])]), False)
    return data['inputs'], data['data_samples']


def public_loss(model, it):
    """The detector's own loss() of one image."""
    inputs, samples = public(model, it)
    with keyed_rng(samples[0].img_id):
        return model.parse_losses(model.loss(inputs, samples))[0]


def with_predictions(model, it, rule):
    inputs, samples = public(model, it)
    with eval_mode(model), torch.no_grad():
        found = model.predict(inputs, copy.deepcopy(samples), rescale=False)[0].pred_instances
    return dict(inputs=it['inputs'], data_samples=pseudo_sample(it['data_samples'], found, rule))


@pytest.mark.parametrize('name', DETECTORS)
def test_detector_from_its_own_config(name):
    check_detector(name)


def check_detector(name, device='cpu'):
    model = build_detector(name).to(device)
    log: list[str] = []
    task, rule = DetectionAdapter(model, log.append), PseudoLabels(score_thr=0.05)
    labeled, unlabeled = [item(0), item(1)], [item(2, boxes=False), item(3, boxes=False)]

    found = task.last_layers(labeled)
    assert {n.rsplit('.', 1)[0] for n in found} == LAST[name]

    params = select_parameters(model, found)
    with task.loss_mode(), restrict_grad(model, params):
        v = mean_gradient(task.losses, [labeled], params)
        one_by_one = torch.stack([gradient(public_loss(model, it), params) for it in labeled])
        torch.testing.assert_close(v, one_by_one.mean(0), rtol=1e-3, atol=1e-4 * float(v.abs().max()))

        curvature = build_curvature(model, task.losses, [labeled], params, 'ggn', log=log.append)
        solution = CG(tol=1e-2, max_iter=30).solve(v, curvature, log=log.append)
        assert 'closed form' in log[0]
        assert cosine(solution.x, v) > 0
        assert solution.x.isfinite().all()

        s = solution.x
        values, counts = task.pseudo_derivative(unlabeled, [2, 3], params, s, rule)
        again, _ = task.pseudo_derivative(unlabeled[::-1], [3, 2], params, s, rule)
        targets = [with_predictions(model, it, rule) for it in unlabeled]
        gradients = [gradient(public_loss(model, it), params) for it in targets]
    expected = torch.stack([g @ s for g in gradients])
    size = float(s.norm()) * max(float(g.norm()) for g in gradients)
    torch.testing.assert_close(values, expected, rtol=1e-3, atol=1e-5 * size)
    torch.testing.assert_close(again.flip(0), values, rtol=1e-3, atol=1e-5 * size)
    assert counts == [len(t['data_samples'].gt_instances) for t in targets]
    assert max(counts) > 0
    assert task.method == ('dense' if name in DENSE else 'shared')
    assert f'Directional derivative: {task.method}' in log
