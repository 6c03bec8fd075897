"""What scoring costs beside plain inference, and beside one predict, loss and backward an image."""

from __future__ import annotations

import torch
from mmengine.dataset import pseudo_collate
from mmengine.hub import get_config
from mmengine.structures import InstanceData

from benchmarks.harness import interleaved, ratio_record
from mmal.adapters.base import PseudoLabels
from mmal.adapters.model_modes import eval_mode
from mmal.influence.parameters import gradient, restrict_grad, select_parameters

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
SIZE = dict(cpu=512, cuda=800)[DEVICE]
DETECTION_BATCH = dict(cpu=4, cuda=8)[DEVICE]


def _built(registry, cfg):
    torch.manual_seed(0)
    model = registry.build(cfg)
    model.init_weights()
    return model.to(DEVICE)


def _detector(config: str):
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules

    register_all_modules(init_default_scope=True)
    cfg = get_config(f'mmdet::{config}').model
    cfg.backbone.init_cfg = None
    model = _built(MODELS, cfg)
    # random weights find nothing: a wider last layer gives some tens of predictions an image, as a trained one does
    for name, p in model.named_parameters():
        if name in ('bbox_head.conv_cls.weight', 'roi_head.bbox_head.fc_cls.weight'):
            p.data.normal_(0, dict(bbox_head=0.25, roi_head=0.15)[name.split('.')[0]])
    return model


def _image(seed: int, size: int) -> dict:
    from mmdet.structures import DetDataSample

    generator = torch.Generator().manual_seed(seed)
    sample = DetDataSample(
        metainfo=dict(
            img_id=seed, img_shape=(size, size), ori_shape=(size, size), scale_factor=(1.0, 1.0)
        )
    )
    sample.gt_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long())
    coarse = torch.rand(3, size // 32, size // 32, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse[None], size=(size, size), mode='bilinear')[0]
    return dict(inputs=(smooth * 255).byte(), data_samples=sample)


def _ways(task, items, params, direction, rule, predict, labeled) -> dict:
    """Plain inference, ours, and ours without any sharing, on the same items."""
    ids = list(range(len(items)))

    def ours():
        with task.loss_mode(), restrict_grad(task.model, params):
            return task.pseudo_derivative(items, ids, params, direction, rule)

    def an_image_at_a_time():
        """As the first authors' code: predict, then loss and backward down to the chosen parameters."""
        values = []
        for item in items:
            with torch.no_grad(), eval_mode(task.model):
                inputs, samples = task._prepare([item])
                labels = labeled(inputs, samples)
            with task.loss_mode():
                loss = task.model.parse_losses(task.model.loss(inputs, labels))[0]
                values.append(gradient(loss, params) @ direction)
        return torch.stack(values)

    return dict(predict=predict, ours=ours, an_image_at_a_time=an_image_at_a_time)


def _setup(task, params_of, items):
    params = select_parameters(task.model, params_of)
    size = sum(p.numel() for p in params.values())
    generator = torch.Generator().manual_seed(0)
    return params, torch.randn(size, generator=generator).to(DEVICE)


def detector(name: str, config: str, target: str, n: int) -> list[dict]:
    """Records of one detector."""
    from mmal.adapters.detection.losses import pseudo_targets
    from mmal.adapters.detection.model import DetectionAdapter

    model = _detector(config)
    items = [_image(seed, SIZE) for seed in range(DETECTION_BATCH)]
    task = DetectionAdapter(model, print)
    params, direction = _setup(task, task.last_layers(items[:1]), items)

    def predict():
        model.eval()
        with torch.no_grad():
            data = model.data_preprocessor(pseudo_collate(items), False)
            return model.predict(data['inputs'], data['data_samples'], rescale=False)

    def labeled(inputs, samples):
        return pseudo_targets(model, inputs, samples, PseudoLabels())

    ways = _ways(task, items, params, direction, PseudoLabels(), predict, labeled)
    found = sum(int((f.pred_instances.scores > 0.1).sum()) for f in predict()) / len(items)
    seconds = interleaved(ways, n)
    settings = dict(
        images=f'{DETECTION_BATCH} x {SIZE} x {SIZE}',
        predictions_above_threshold=found,
        parameters=direction.numel(),
        way=task.method,
    )
    return [
        ratio_record(
            f'{name}: last layers / predict', target, seconds, 'ours', 'predict', **settings
        ),
        ratio_record(
            f'{name}: an image at a time / ours',
            '>= 2' if name == 'FCOS-R50' else 'none',
            seconds,
            'an_image_at_a_time',
            'ours',
            **settings,
        ),
    ]


def classifier(
    name: str, config: str, size: int, batch: int, params_of: list[str] | None, target: str, n: int
) -> list[dict]:
    """Records of one classifier."""
    from mmpretrain.registry import MODELS
    from mmpretrain.structures import DataSample
    from mmpretrain.utils import register_all_modules

    from mmal.adapters.classification.model import ClassificationAdapter

    register_all_modules(init_default_scope=True)
    cfg = get_config(f'mmpretrain::{config}')
    preprocessor = dict(cfg.data_preprocessor, type='ClsDataPreprocessor')
    model = _built(MODELS, dict(cfg.model, data_preprocessor=preprocessor))
    generator = torch.Generator().manual_seed(0)
    items = [
        dict(
            inputs=torch.randint(0, 255, (3, size, size), generator=generator, dtype=torch.uint8),
            data_samples=DataSample().set_gt_label(0),
        )
        for _ in range(batch)
    ]
    task = ClassificationAdapter(model, print)
    params, direction = _setup(task, params_of or task.last_layers(items[:1]), items)

    def predict():
        model.eval()
        with torch.no_grad():
            data = model.data_preprocessor(pseudo_collate(items), False)
            return model.predict(data['inputs'], data['data_samples'])

    def labeled(inputs, samples):
        return [DataSample().set_gt_label(s.pred_label) for s in model.predict(inputs, samples)]

    seconds = interleaved(
        _ways(task, items, params, direction, PseudoLabels(), predict, labeled), n
    )
    settings = dict(
        images=f'{batch} x {size} x {size}', parameters=direction.numel(), way=task.method
    )
    what = 'all parameters' if params_of else 'last layer'
    more = '>= 10' if params_of else 'none'
    return [
        ratio_record(f'{name}: {what} / predict', target, seconds, 'ours', 'predict', **settings),
        ratio_record(
            f'{name}: {what}, an image at a time / ours',
            more,
            seconds,
            'an_image_at_a_time',
            'ours',
            **settings,
        ),
    ]


def records(n: int) -> list[dict]:
    return [
        *detector('FCOS-R50', 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', '<= 1.10', n),
        *detector('Faster R-CNN-R50', 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', '<= 1.5', n),
        *classifier(
            'ResNet-18 (ImageNet)', 'resnet/resnet18_8xb32_in1k.py', 224, 32, None, '<= 1.10', n
        ),
        *classifier(
            'ResNet-18 (CIFAR)', 'resnet/resnet18_8xb16_cifar10.py', 32, 64, None, '<= 1.10', n
        ),
        *classifier(
            'ResNet-18 (CIFAR)', 'resnet/resnet18_8xb16_cifar10.py', 32, 64, ['*'], '<= 3', n
        ),
    ]
