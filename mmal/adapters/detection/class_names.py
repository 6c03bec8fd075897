"""Class names of a training set, and what to write where it has none of its own."""

from __future__ import annotations

from typing import Any

from mmal.errors import InputError


def class_names(dataset: Any) -> tuple[str, ...]:
    """Return the class names of a built training set.

    Args:
        dataset: The dataset; it may be built with ``lazy_init``.

    Raises:
        InputError: If it has none, or a text in the place of a tuple.
    """
    names = dataset.metainfo.get('classes')
    if names is None:
        raise InputError(
            f'train_dataloader: its {type(dataset).__name__} has no metainfo.classes. Write '
            "metainfo=dict(classes=('NAME', ...)) in the datasets of train, val and test."
        )
    if isinstance(names, str):
        raise InputError(
            f'train_dataloader: metainfo.classes is the text {names!r}; expected a tuple of names. '
            f'Write metainfo=dict(classes=({names!r},)), with the comma.'
        )
    return tuple(names)


def require_own_classes(leaf: dict[str, Any], dataset: Any, content: dict[str, Any]) -> None:
    """Refuse a training set that takes the classes of its type, for instance COCO's 80, although
    its file has others.

    Args:
        leaf: Config of the dataset.
        dataset: The built dataset.
        content: Its annotation file, in COCO form.

    Raises:
        InputError: If the config names no classes, and the file has others than its type.
    """
    if 'classes' in (leaf.get('metainfo') or {}):
        return
    taken = dataset.metainfo['classes']
    names = tuple(str(category.get('name')) for category in content['categories'])
    if set(names) == set(taken) or not names:
        return
    raise InputError(
        f'train_dataloader: its dataset has no metainfo.classes, so that it takes the {len(taken)} '
        f'classes of {type(dataset).__name__} ({", ".join(taken[:3])}, ...), and '
        f'{dataset.ann_file} has {len(names)}: {", ".join(names[:5])}'
        f'{", ..." if len(names) > 5 else ""}. Write metainfo=dict(classes={names!r}) in the '
        'datasets of train, val and test, and the same number as num_classes of the model.'
    )
