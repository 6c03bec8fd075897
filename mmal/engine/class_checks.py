"""Whether the model, the datasets and the metrics of a config are made for the same classes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mmengine.registry import DATASETS

from mmal.adapters.dataset_config import leaves
from mmal.errors import InputError
from mmal.utils.num_classes import CLASS_AGNOSTIC_PART, OTHER_CLASSES, largest_k, overrides

if TYPE_CHECKING:
    from mmengine.config import Config
    from torch import nn

TEACHER = 'teacher_model'
"""Name of the frozen model inside a detector that learns from another."""
OWN_NUMBERS = 'task_heads'
"""Name of heads that have a number of classes each, one for a task."""


def check_model_classes(cfg: Config, model: nn.Module, classes: Sequence[str]) -> None:
    """Refuse a model made for another number of classes.

    The built model is asked, not the config: a head whose number is not written has a default.

    Args:
        cfg: The whole config.
        model: The config's model.
        classes: Names of the classes in the pool. Nothing is checked if there is none.

    Raises:
        InputError: If a part has another number, with the line to write; or if a head reports an
            accuracy over more classes than there are.
    """
    n_classes = len(classes)
    if not n_classes:
        return
    wrong = dict(_wrong_parts(model, n_classes))
    if wrong:
        raise InputError(_other_number(cfg, wrong, classes))
    head = cfg.model.get('head')
    if isinstance(head, dict) and head.get('cal_acc'):
        k = largest_k(head.get('topk', 1))
        if k > n_classes:
            raise InputError(
                f'model.head.topk asks whether one of the {k} best classes is right, and there are '
                f'{n_classes}. Write model = dict(head=dict(topk=(1, ))).'
            )


def _wrong_parts(model: nn.Module, n_classes: int) -> Iterator[tuple[str, int]]:
    """Names and numbers of the parts of a model that are made for another number of classes."""
    modules = list(model.named_modules())
    teacher = getattr(model, TEACHER, None)
    if teacher is not None and not any(name == TEACHER for name, _ in modules):
        # mmdet hides it from torch.
        modules += [(f'{TEACHER}.{name}', module) for name, module in teacher.named_modules()]
    for name, module in modules:
        number = getattr(module, 'num_classes', None)
        if not isinstance(number, int) or number in (-1, 0, n_classes):
            # A backbone without a classifier has -1 or 0.
            continue
        if not getattr(module, 'to_onehot', True):
            # The number of a data preprocessor that makes no vectors of labels is not used.
            continue
        if name.endswith(CLASS_AGNOSTIC_PART) or f'.{OWN_NUMBERS}.' in f'.{name}.':
            continue
        if not type(module).__name__.endswith(OTHER_CLASSES):
            yield name, number


def _other_number(cfg: Config, wrong: dict[str, int], classes: Sequence[str]) -> str:
    """What to say of parts with another number of classes."""
    n_classes = len(classes)
    numbers = ', '.join(f'{name} {number}' for name, number in list(wrong.items())[:3])
    more = f' and {len(wrong) - 3} more' if len(wrong) > 3 else ''
    text = (
        f'The model is made for another number of classes (num_classes: {numbers}{more}) than the '
        f'datasets have: {n_classes}, {", ".join(classes[:5])}{", ..." if n_classes > 5 else ""}.'
    )
    model_cfg = copy.deepcopy(cfg.model.to_dict())
    preprocessor = copy.deepcopy(cfg.get('data_preprocessor'))
    lines = []
    elsewhere = []
    for name, number in wrong.items():
        if name == 'data_preprocessor' and isinstance(preprocessor, dict):
            lines.append(f'data_preprocessor = dict(num_classes={n_classes})')
        elif not _write_number(model_cfg, name, number):
            elsewhere.append(name)
    line = overrides(model_cfg, '_base_.model', n_classes, correct=True)
    if line is not None:
        lines.insert(0, f'model = {line}')
    if lines:
        text += f' Write {" and ".join(lines)}; a checkpoint in load_from fits all but these heads.'
    if any(name.startswith(TEACHER) for name in elsewhere):
        text += (
            ' The teacher must know the same classes: name one that was trained on them in '
            'model.teacher_config and model.teacher_ckpt.'
        )
    others = [name for name in elsewhere if not name.startswith(TEACHER)]
    if others:
        text += f' Set num_classes={n_classes} of {", ".join(others)} where the config makes it.'
    return text


def _write_number(model_cfg: dict[str, Any], name: str, number: int) -> bool:
    """Write the number of a part into a config, where it may be left to a default.

    Returns:
        Whether the config has the part.
    """
    part: Any = model_cfg
    for key in name.split('.'):
        if isinstance(part, list):
            part = part[int(key)]
        elif key in part:
            part = part[key]
        elif not key.isdigit():
            # A dict may stand for several heads that are alike.
            return False
        if not isinstance(part, (dict, list)):
            return False
    if not isinstance(part, dict):
        return False
    part.setdefault('num_classes', number)
    return True


def check_metric_classes(cfg: Config, classes: Sequence[str]) -> None:
    """Refuse an accuracy over more classes than there are, which mmpretrain cannot compute.

    Args:
        cfg: The whole config.
        classes: Names of the classes in the pool. Nothing is checked if there is none.

    Raises:
        InputError: If a metric's ``topk`` is above the number of classes, with the line to write.
    """
    for key in ('val_evaluator', 'test_evaluator'):
        evaluator = cfg.get(key)
        metrics = evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]
        for metric in metrics:
            if not classes or not isinstance(metric, dict) or 'topk' not in metric:
                continue
            k = largest_k(metric['topk'])
            if k > len(classes):
                line = f'{key} = dict(topk=(1, ))'
                if metric is not evaluator:
                    line = f"in {key}: dict(type='{metric['type']}', topk=(1, ))"
                raise InputError(
                    f'{key}: {metric["type"]} asks for the {k} best classes of '
                    f'{len(classes)}. Write {line}.'
                )


def check_dataset_classes(cfg: Config, classes: Sequence[str]) -> None:
    """Refuse datasets of a config whose class names, or their order, are not the pool's.

    An index is then one class in the one set and another class in the other.

    Args:
        cfg: The whole config.
        classes: Names of the classes in the pool. Nothing is checked if there is none.

    Raises:
        InputError: If the names differ, with the line to write.
    """
    if not classes:
        return
    for key in ('val_dataloader', 'test_dataloader'):
        loader = cfg.get(key)
        if loader is None:
            continue
        for leaf in leaves(loader['dataset']):
            _check_leaf(leaf, key, tuple(classes))


def _check_leaf(leaf: dict[str, Any], key: str, classes: tuple[str, ...]) -> None:
    line = f'{key} = dict(dataset=dict(metainfo=dict(classes={classes!r})))'
    metainfo = leaf.get('metainfo') or {}
    # mmpretrain has a key of its own for them, too.
    names = metainfo.get('classes') or leaf.get('classes')
    if names is None:
        names = _classes_of_type(leaf['type'])
        if names is not None and tuple(names) != classes:
            raise InputError(
                f'{key}: its dataset has no metainfo.classes, so that it takes the '
                f'{len(names)} classes of {_type_name(leaf["type"])} ({", ".join(names[:3])}, '
                f'...), and the pool has {len(classes)}. Write {line}.'
            )
        return
    if isinstance(names, str):
        # A file of names is read when the dataset is built.
        return
    if tuple(names) == classes:
        return
    if set(names) == set(classes):
        what = 'has the classes of the pool in another order'
    else:
        what = 'has other classes than the pool'
    raise InputError(
        f'{key}: its dataset {what}, so that one would be taken for another: '
        f'{_shown(names)}; the pool: {_shown(classes)}. Write {line}.'
    )


def _shown(names: Sequence[str]) -> str:
    more = f', ... ({len(names)})' if len(names) > 8 else ''
    return ', '.join(map(str, names[:8])) + more


def _classes_of_type(dataset_type: Any) -> Sequence[str] | None:
    """Names that a type of dataset has if a config gives it none."""
    if isinstance(dataset_type, str):
        with DATASETS.switch_scope_and_registry(None) as registry:
            dataset_type = registry.get(dataset_type)
    names: Sequence[str] | None = (getattr(dataset_type, 'METAINFO', None) or {}).get('classes')
    return names


def _type_name(dataset_type: Any) -> str:
    return dataset_type if isinstance(dataset_type, str) else dataset_type.__name__
