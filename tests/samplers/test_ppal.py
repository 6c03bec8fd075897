import json
import math
from contextlib import nullcontext, suppress
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from mmal.errors import InputError
from mmal.pool.order import shuffled
from mmal.samplers.algorithms.kmedoids import kmedoids
from mmal.samplers.ppal import PPALSampler, difficulty_weight
from tests.samplers.algorithms.test_matching_similarity import by_the_book

MODEL = torch.nn.Identity()


def test_weight_of_a_class_rises_with_its_difficulty():
    w = difficulty_weight(torch.tensor([0.0, 0.5, 1.0], dtype=torch.double), alpha=0.3, upper=0.2)
    assert w[0] == 1
    assert float(w[2]) == pytest.approx(1.2)
    assert float(w[1]) == pytest.approx(1 + 0.06 * math.log(1 + (math.exp(1 / 0.3) - 1) / 2))


def test_quality_of_the_best_prediction_of_the_same_class():
    truth = InstanceData(bboxes=torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30], [50, 50, 60, 60]]),
                         labels=torch.tensor([0, 1, 1]))
    found = InstanceData(bboxes=torch.tensor([[0.0, 0, 10, 5], [20, 20, 30, 30], [20, 20, 30, 30]]),
                         scores=torch.tensor([0.8, 0.9, 0.4]), labels=torch.tensor([0, 0, 1]))
    quality = PPALSampler(xi=0.6)._quality(truth, found)
    assert quality.tolist() == pytest.approx([0.8**0.6 * 0.5**0.4, 0.4**0.6, 0], rel=1e-6)
    assert PPALSampler()._quality(truth, found[:0]).tolist() == [0, 0, 0]


@pytest.mark.parametrize('bad', [dict(alpha=0), dict(max_aspect=1), dict(memory_gb=0), dict(nms_pre=0),
                                 dict(iou_threshold=0), dict(max_per_img=0)])
def test_settings_out_of_range(bad):
    with pytest.raises(ValueError, match='PPALSampler'):
        PPALSampler(**bad)


@pytest.fixture
def case():
    return 'detection', dict(type='mmal.PPALSampler')


class Made:
    """A detector whose predictions are given, in pixels of its input: images of 64 x 48, enlarged twice."""

    def __init__(self, ids):
        g = torch.Generator().manual_seed(3)
        self.found, self.model = {}, torch.nn.Linear(1, 1)
        for i in ids:
            n = 5 * i % 9
            corner, sides = 80 * torch.rand(n, 2, generator=g), 10 + 70 * torch.rand(n, 2, generator=g)
            self.found[i] = InstanceData(
                bboxes=torch.cat([corner, corner + sides], 1), scores=torch.rand(n, generator=g),
                labels=torch.randint(2, (n, ), generator=g), features=torch.randn(n, 3, generator=g))

    def detect(self, items, score_thr, with_features=False):
        found = [self.found[item['data_samples'].img_id] for item in items]
        return [f[f.scores >= score_thr] for f in found]

    def nms_settings(self, *settings):
        return nullcontext()

    def confident(self, i, score_thr):
        """(box, score, class) of each prediction."""
        f = self.found[i]
        rows = zip(f.bboxes.tolist(), f.scores.tolist(), f.labels.tolist(), strict=True)
        return [row for row in rows if row[1] >= score_thr]


def overlap(a, b):
    w, h = (max(0.0, min(a[k + 2], b[k + 2]) - max(a[k], b[k])) for k in (0, 1))
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return w * h / (sum(areas) - w * h)


def slow_difficulty(truth, labeled, made):
    """Of the two classes, by section 3.2, with quality measured on the labeled images."""
    quality = {0: [], 1: []}
    for a in (a for a in truth if a['image_id'] in labeled):
        x, y, w, h = (2 * v for v in a['bbox'])
        label = a['category_id'] - 1
        quality[label].append(max([p**0.6 * overlap((x, y, x + w, y + h), box)**0.4
                                   for box, p, c in made.confident(a['image_id'], 0.3) if c == label], default=0.0))
    return [1 - sum(q) / len(q) if q else 1.0 for q in quality.values()]


def slow_uncertainty(predictions, weights):
    total, counted = 0.0, 0
    for (x1, y1, x2, y2), p, c in predictions:
        w, h = min(x2 / 2, 64) - min(x1 / 2, 64), min(y2 / 2, 48) - min(y1 / 2, 48)
        if math.sqrt(w * h) > 16 and max(w, h) < 2 * min(w, h):
            total += weights[c] * -(p * math.log(p) + (1 - p) * math.log(1 - p))
            counted += 1
    return total, counted


def test_score_equals_the_papers_formulas(ask, ids, dataset):
    """Difficulty of two classes, uncertainty calibrated by it, and medoids by matching similarity."""
    made, sampler = Made(ids), PPALSampler(candidates=2, score_thr=0.3, max_aspect=2)
    scores = ask(sampler, budget=3, adapter=lambda: made)

    truth = json.loads((dataset / 'train.json').read_text())['annotations']
    difficulty = slow_difficulty(truth, ids[:3], made)
    assert 0 < difficulty[0] < 1
    assert difficulty[0] != difficulty[1]
    weights = [1 + 0.2 * 0.3 * math.log(1 + (math.exp(1 / 0.3) - 1) * d) for d in difficulty]
    expected = {i: slow_uncertainty(made.confident(i, 0.3), weights) for i in ids[3:]}
    assert scores.value == pytest.approx({i: -u for i, (u, _) in expected.items()}, rel=1e-6, abs=1e-12)
    assert sum(n for _, n in expected.values()) < sum(scores.pseudo_boxes.values()), 'small and thin boxes are left out'

    best = sorted(ids[3:], key=lambda i: -expected[i][0])[:6]
    assert len({expected[i] for i in best}) == 6, 'no ties'
    parts = [[getattr(f, key) for f in made.detect([dict(data_samples=SimpleNamespace(img_id=i)) for i in best], 0.3)]
             for key in ('features', 'scores', 'labels')]
    first = best.index(shuffled(best, 0, 'ppal/0')[0])
    assert scores.order == [best[row] for row in sorted(kmedoids(1 - by_the_book(*parts), 3, first))]


def test_difficulty_is_that_of_the_labeled_images(ask, ids, dataset):
    """A class without a labeled box is as hard as can be, one that is always found as easy."""
    made, seen = Made(ids), []
    truth = json.loads((dataset / 'train.json').read_text())['annotations']
    for i in ids[:3]:
        boxes = [[2 * v for v in (*a['bbox'][:2], a['bbox'][0] + a['bbox'][2], a['bbox'][1] + a['bbox'][3])]
                 for a in truth if a['image_id'] == i]
        labels = torch.tensor([a['category_id'] - 1 for a in truth if a['image_id'] == i])
        made.found[i] = InstanceData(bboxes=torch.tensor(boxes), scores=torch.where(labels == 0, 1.0, 0.25),
                                     labels=labels)
    ask(SimpleNamespace(score=lambda query: seen.append(PPALSampler()._difficulty(query, made))))
    assert seen[0].tolist() == pytest.approx([0, 1 - 0.25**0.6], rel=1e-6)


def test_more_candidates_than_the_memory_holds_are_refused_before_anything_is_trained(ask):
    data = SimpleNamespace(has_boxes=True, images=range(118_287))
    PPALSampler().check(data, 11_829, MODEL)
    with pytest.raises(InputError, match=r'47,316 candidates .* 8\.3 GiB'):
        PPALSampler(memory_gb=4).check(data, 11_829, MODEL)
    with pytest.raises(InputError, match='for detectors'):
        PPALSampler().check(SimpleNamespace(has_boxes=False, images=range(9)), 1, MODEL)
    with pytest.raises(InputError, match='8 candidates'):
        ask(PPALSampler(candidates=2, memory_gb=1e-8))


def test_the_uncertainty_pass_has_the_authors_settings_and_the_others_the_detectors_own(ask, world, monkeypatch):
    from mmal.adapters.detection.model import DetectionAdapter
    own, seen = dict(world.model.bbox_head.test_cfg), []

    def detect(self, items, score_thr, with_features=False, original=DetectionAdapter.detect):
        cfg = self.model.bbox_head.test_cfg
        seen.append((with_features, cfg.nms_pre, cfg.nms.iou_threshold, cfg.max_per_img))
        return original(self, items, score_thr, with_features)

    monkeypatch.setattr(DetectionAdapter, 'detect', detect)
    ask(PPALSampler(score_thr=0.005, candidates=2), budget=2, batch_size=20)
    difficulty, uncertainty, diversity = seen
    assert difficulty == (False, own['nms_pre'], own['nms'].iou_threshold, own['max_per_img'])
    assert uncertainty == (False, 3000, 0.6, 200)
    assert diversity == (True, *difficulty[1:])
    assert world.model.bbox_head.test_cfg == own
    seen.clear()
    ask(PPALSampler(score_thr=0.005, candidates=2, nms_pre=None, iou_threshold=None, max_per_img=7), budget=2,
        batch_size=20)
    assert seen[1] == (False, *difficulty[1:3], 7)


def test_settings_of_nms_are_those_of_the_last_stage_and_restored_after_an_error():
    from mmal.adapters.detection.modes import nms_settings
    rcnn, rpn = ConfigDict(nms=dict(iou_threshold=0.5), max_per_img=100), ConfigDict(nms_pre=1000)
    model = SimpleNamespace(roi_head=SimpleNamespace(test_cfg=rcnn), rpn_head=SimpleNamespace(test_cfg=rpn))
    with nms_settings(model, 3000, 0.6, 200):
        assert model.roi_head.test_cfg == dict(nms=dict(iou_threshold=0.6), max_per_img=200)
        assert model.rpn_head.test_cfg == dict(nms_pre=1000)
    assert model.roi_head.test_cfg is rcnn
    with suppress(RuntimeError), nms_settings(model, 3000, 0.6, 200):
        raise RuntimeError
    assert model.roi_head.test_cfg is rcnn
    assert rcnn == dict(nms=dict(iou_threshold=0.5), max_per_img=100)
    without_nms = SimpleNamespace(bbox_head=SimpleNamespace(test_cfg=ConfigDict(max_per_img=100)))
    with nms_settings(without_nms, 3000, 0.6, 200):
        assert without_nms.bbox_head.test_cfg == dict(max_per_img=100)
