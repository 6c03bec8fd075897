"""The benchmark on NanoDet's trunk: the network, its kept outputs, the split, the metric, configs and plans.

The original weights are compared with the outputs they must give where MMAL_NANODET names their file, with
nanodet_g_check.npz beside it; everything else runs on random weights.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from PIL import Image
from torch.nn import functional as F

from benchmarks.nanodet.metric import RareClassCocoMetric, rarest_classes
from benchmarks.nanodet.output_cache import OutputCache
from benchmarks.nanodet.split import fingerprints, near_copies, split
from benchmarks.nanodet.trunk import NanoDetTrunk
from mmal.adapters.detection.dense_head import has_dense_head
from mmal.adapters.detection.evaluation import complete_metrics
from mmal.benchmark.plan import Plan
from tests.conftest import coco
from tests.zoo_configs import ROOT

FOLDER = ROOT / 'benchmarks' / 'nanodet'
WEIGHTS = Path(os.environ.get('MMAL_NANODET', ''))
CHECK = WEIGHTS.parent / 'nanodet_g_check.npz'
SETS = ('foda', 'facemask', 'bccd')


@pytest.fixture
def images():
    return torch.randn(3, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def trunk():
    torch.manual_seed(0)
    return NanoDetTrunk()


def test_the_trunk_has_the_parameters_and_levels_of_the_table(trunk, images):
    whole, predictors = 3_786_068, 3 * (128 + 1) * (80 + 44)
    assert sum(p.numel() for p in trunk.parameters()) == whole - predictors
    assert [tuple(level.shape) for level in trunk(images)] == [(3, 128, 8, 12), (3, 128, 4, 6), (3, 128, 2, 3)]
    assert {name.split('.')[0] for name in trunk.state_dict()} == {'backbone', 'neck', 'head'}


@pytest.mark.skipif(not (WEIGHTS.is_file() and CHECK.is_file()), reason='MMAL_NANODET names no weights')
def test_the_original_weights_give_the_outputs_of_the_check_file():
    trunk = NanoDetTrunk(init_cfg=dict(type='Pretrained', checkpoint=str(WEIGHTS)))
    trunk.init_weights()
    weights = torch.load(WEIGHTS, weights_only=True)['state_dict']
    assert set(trunk.state_dict()) == {name for name in weights if not name.startswith('head.predict')}
    with np.load(CHECK) as check:
        levels = trunk(torch.from_numpy(check['input']))
        for k, (level, stride) in enumerate(zip(levels, (8, 16, 32), strict=True)):
            w, b = (weights[f'head.predict.{k}.{name}'].float() for name in ('weight', 'bias'))
            expected = np.concatenate([check[f'{part}_logits_stride{stride}'] for part in ('cls', 'reg')], 1)
            np.testing.assert_allclose(F.conv2d(level, w, b).numpy(), expected, atol=1e-4, rtol=0)


def test_a_frozen_trunk_has_no_gradient_and_an_unfrozen_one_has(trunk, images):
    assert not any(p.requires_grad for p in trunk.parameters())
    assert not any(level.requires_grad for level in trunk(images))
    assert all(level.requires_grad for level in NanoDetTrunk(frozen=False)(images))


def test_outputs_of_weights_that_change_are_not_kept(tmp_path):
    with pytest.raises(ValueError, match='frozen=True'):
        NanoDetTrunk(frozen=False, cache=str(tmp_path))


def test_kept_outputs_are_those_of_the_network_and_computed_once(trunk, images, tmp_path):
    kept = NanoDetTrunk(cache=str(tmp_path))
    kept.load_state_dict(trunk.state_dict())
    calls = []
    kept.backbone.register_forward_pre_hook(lambda module, args: calls.append(len(args[0])))
    first = kept(images)
    for ours, theirs in zip(first, trunk(images), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2 ** -10, atol=2e-5)
    assert calls == [1, 1, 1]
    last_alone = kept(images[2:].contiguous(memory_format=torch.channels_last))
    assert all(torch.equal(alone, level[2:]) for alone, level in zip(last_alone, first, strict=True))
    assert calls == [1, 1, 1]
    kept(images[2:].flip(3))
    assert len(calls) == 4, 'a flipped image is another one'


def test_other_weights_have_other_kept_outputs(trunk, images, tmp_path):
    kept = NanoDetTrunk(cache=str(tmp_path))
    before = kept(images)
    kept.load_state_dict(trunk.state_dict())
    assert not torch.equal(kept(images)[0], before[0])
    assert len(list(tmp_path.iterdir())) == 2


def test_kept_outputs_have_the_type_of_the_images(tmp_path):
    (output,) = OutputCache(tmp_path)(lambda x: (x * 2, ), torch.ones(2, 3, 4, 4, dtype=torch.float64), 'w')
    assert output.dtype == torch.float64
    assert torch.equal(output, torch.full((2, 3, 4, 4), 2.0, dtype=torch.float64))


@pytest.fixture
def source(tmp_path):
    """Ten images to train; four to test, of which the first is the last of the others, stored once more."""
    folder = tmp_path / 'source'
    for part in ('a', 'b'):
        (folder / part).mkdir(parents=True)
    for part, name, n in (('a', 'train', 10), ('b', 'test', 4)):
        content = coco(n, folder / part, seed=n)
        for image in content['images']:
            image['file_name'] = f'{part}/{image["file_name"]}'
        (folder / f'{name}.json').write_text(json.dumps(content))
    Image.open(folder / 'a' / 'a_010.png').save(folder / 'b' / 'b_001.png.jpg', quality=100, subsampling=0)
    content = json.loads((folder / 'test.json').read_text())
    content['images'][0]['file_name'] = 'b/b_001.png.jpg'
    (folder / 'test.json').write_text(json.dumps(content))
    return folder


def test_a_copy_of_a_training_image_is_left_out_of_the_test_set(source, tmp_path):
    said = split(source, tmp_path / 'made', n_reference=3, seed=0)
    parts = {name: json.loads((tmp_path / 'made' / f'{name}.json').read_text()) for name in ('train', 'val', 'test')}
    ids = {name: {image['id'] for image in part['images']} for name, part in parts.items()}
    assert ids['test'] == {2, 3, 4}
    assert len(ids['val']) == 3
    assert ids['train'] | ids['val'] == set(range(1, 11))
    assert not ids['train'] & ids['val']
    for name, part in parts.items():
        assert {a['image_id'] for a in part['annotations']} == ids[name]
        assert all((tmp_path / 'made' / image['file_name']).is_file() for image in part['images'])
    assert '1 of 4 test images look like one of 10' in said


def test_near_copies_are_found_among_all_pairs(source):
    content = json.loads((source / 'train.json').read_text())
    known = fingerprints(source, content)
    assert near_copies(known, known) == [True] * 10
    assert near_copies(known[:2], known[2:]) == [False, False]


@pytest.fixture
def ann_file(tmp_path):
    """Three images; 'common' has three boxes, 'odd' and 'rare' have one each, 'absent' none."""
    boxes = [(1, 1), (2, 1), (3, 1), (1, 2), (2, 3)]
    annotations = [dict(id=k, image_id=image, category_id=category, bbox=[10 * category, 5, 8, 8], area=64, iscrowd=0)
                   for k, (image, category) in enumerate(boxes, 1)]
    categories = [dict(id=k, name=name) for k, name in enumerate(('common', 'rare', 'odd', 'absent'), 1)]
    images = [dict(id=k, file_name=f'{k}.png', width=64, height=64) for k in (1, 2, 3)]
    path = tmp_path / 'test.json'
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    return path


def metric_of(ann_file, **options):
    metric = RareClassCocoMetric(rare_in=str(ann_file), ann_file=str(ann_file), **options)
    metric.dataset_meta = dict(classes=('common', 'rare', 'odd', 'absent'))
    return metric


def sample(image_id, boxes, labels):
    found = dict(bboxes=torch.tensor(boxes, dtype=torch.float).reshape(-1, 4), scores=torch.ones(len(labels)),
                 labels=torch.tensor(labels, dtype=torch.long))
    return dict(img_id=image_id, ori_shape=(64, 64), pred_instances=found)


def test_rarest_classes_have_the_fewest_boxes(ann_file):
    assert rarest_classes(ann_file, 3) == ['absent', 'odd', 'rare']


@pytest.mark.parametrize(('n_rare', 'expected'), [(2, 0.0), (3, 0.5), (4, 2 / 3)])
def test_the_mean_over_rare_classes_is_over_those_with_a_box(ann_file, n_rare, expected):
    """Each box of 'common' and 'rare' is found, that of 'odd' is not; 'absent' has no AP."""
    metric = metric_of(ann_file, n_rare=n_rare)
    for image_id in (1, 2, 3):
        boxes, labels = [[10, 5, 18, 13]], [0]
        if image_id == 1:
            boxes, labels = [*boxes, [20, 5, 28, 13]], [0, 1]
        metric.process({}, [sample(image_id, boxes, labels)])
    found = metric.evaluate(size=3)
    assert found['coco/bbox_mAP_rare'] == pytest.approx(expected)
    assert found['coco/bbox_mAP'] == pytest.approx(2 / 3, abs=1e-3)


def test_where_nothing_is_detected_rare_classes_have_0(ann_file):
    metric = metric_of(ann_file, n_rare=2)
    for image_id in (1, 2, 3):
        metric.process({}, [sample(image_id, [], [])])
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = metric.dataset_meta
    found, empty = complete_metrics(evaluator, metric.evaluate(size=3))
    assert found['coco/bbox_mAP_rare'] == 0
    assert 'coco/bbox_mAP_rare' in empty


@pytest.mark.parametrize('name', [*SETS, 'custom'])
def test_configs_build_a_detector_whose_head_alone_learns(name, monkeypatch):
    monkeypatch.setenv('MMAL_DATA_ROOT', 'nowhere')
    cfg = Config.fromfile(FOLDER / f'fcos_nanodet_{name}.py')
    init_default_scope('mmdet')
    model = MODELS.build(cfg.model)
    assert has_dense_head(model)
    assert {n.split('.')[0] for n, p in model.named_parameters() if p.requires_grad} == {'bbox_head'}
    pipeline = {step.type: step for step in cfg.test_dataloader.dataset.pipeline}
    assert pipeline['Pad'].size[0] % 32 == pipeline['Pad'].size[1] % 32 == 0
    assert cfg.val_dataloader.dataset.ann_file == 'val.json'
    assert cfg.val_evaluator.ann_file.endswith('val.json')
    assert cfg.train_cfg.cold_start == 'random'


def test_the_plan_of_foda_starts_every_method_of_a_seed_from_the_same_model(monkeypatch, tmp_path):
    monkeypatch.setenv('MMAL_DATA_ROOT', 'nowhere')
    plan = Plan(FOLDER / 'plan_foda.py', tmp_path)
    assert plan.baseline == 'random'
    assert plan.metric == 'coco/bbox_mAP'
    starts = {run.start_from for run in plan.runs() if run.method != 'random'}
    assert starts == {tmp_path / 'random' / f'seed_{seed}' for seed in plan.seeds}


@pytest.mark.parametrize('name', SETS)
def test_plans_compare_the_same_methods_each_on_its_config(name):
    plan = Config.fromfile(FOLDER / f'plan_{name}.py')
    assert list(plan.methods) == ['random', 'isal', 'entropy', 'coreset', 'ppal']
    assert (FOLDER / plan.config).resolve() == FOLDER / f'fcos_nanodet_{name}.py'
