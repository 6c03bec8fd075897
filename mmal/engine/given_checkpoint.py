"""A trained model that the user has already: read from its checkpoint, and checked against config
and classes.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from mmal.errors import InputError, refused_global
from mmal.fileio.foreign_checkpoint import read_foreign_checkpoint, require_checkpoint_file

MAX_SHOWN = 3
"""Number of parameters of one kind that a message names."""

MAX_SHOWN_CLASSES = 10
"""Number of classes of one list that a message names."""

_OLD_AVERAGE = 'ema_'
"""Beginning of the names under which mmdet 2 kept the weights that an average stands for."""

_CURE = (
    'Give the config that the checkpoint was trained with (mmdet and mmpretrain write it beside '
    'the checkpoint), or the checkpoint of this config.'
)


@dataclass(frozen=True)
class GivenCheckpoint:
    """A trained model as its file has it.

    Attributes:
        path: Path of the file.
        state_dict: Weights by name, on the processor. Where the training kept an average of them
            (EMAHook), these are the averaged ones, as mmengine writes them.
        classes: Names of the classes it was trained on; None if the file does not tell.
    """

    path: Path
    state_dict: dict[str, Tensor]
    classes: tuple[str, ...] | None


def read_checkpoint(path: str | Path) -> GivenCheckpoint:
    """Read a checkpoint that mmdet, mmpretrain, mmengine or mmal wrote, or a bare state_dict.

    Args:
        path: Path of the file.

    Raises:
        InputError: If it is no checkpoint, or holds something that may be code.
    """
    content = read_foreign_checkpoint(path)
    state_dict = content.get('state_dict', content)
    weights: OrderedDict[str, Tensor] = OrderedDict()
    for name, value in state_dict.items():
        if isinstance(value, Tensor):
            weights[str(name).removeprefix('module.')] = value
    if not weights:
        raise InputError(
            f'{path}: expected weights under the key state_dict, found {sorted(map(str, content))}.'
        )
    # Where torch keeps the versions of the layers, by which they know what they must rename.
    weights._metadata = _layer_versions(state_dict)  # type: ignore[attr-defined]
    return GivenCheckpoint(Path(path), weights, _classes(content.get('meta')))


def _layer_versions(state_dict: Any) -> dict[str, Any]:
    """What a state_dict says of each layer, by the layer's name."""
    versions = {}
    metadata = getattr(state_dict, '_metadata', None)
    if isinstance(metadata, Mapping):
        for name, value in metadata.items():
            if isinstance(value, Mapping):
                versions[str(name).removeprefix('module.')] = value
    return versions


def _classes(meta: Any) -> tuple[str, ...] | None:
    """Names of classes in a checkpoint's meta, where mmengine or its predecessor keeps them."""
    if not isinstance(meta, Mapping):
        return None
    dataset_meta = meta.get('dataset_meta')
    places = [dataset_meta, meta] if isinstance(dataset_meta, Mapping) else [meta]
    for place in places:
        for key in ('classes', 'CLASSES'):
            names = place.get(key)
            if isinstance(names, (list, tuple)) and names:
                return tuple(str(name) for name in names)
    return None


def load_given(model: nn.Module, checkpoint: GivenCheckpoint, classes: Sequence[str]) -> None:
    """Load a checkpoint into a model, if it is that model's and was trained on these classes.

    Args:
        model: The config's model, not wrapped.
        checkpoint: The checkpoint.
        classes: Names of the classes of the pool, in the order of the model's outputs. Where there
            are none, they are not compared.

    Raises:
        InputError: If the classes are others or in another order, or if the checkpoint lacks a
            parameter, has one that the model does not have, has one of another shape, or has one
            that is not finite.
    """
    if classes:
        _check_classes(checkpoint, tuple(classes))
    try:
        # Models may rename or resize what older checkpoints have: torch asks them.
        result = model.load_state_dict(checkpoint.state_dict, strict=False)
    except RuntimeError as e:
        raise InputError(_shape_message(model, checkpoint, classes, e)) from None
    problems = []
    missing = [name for name in result.missing_keys if not name.endswith('num_batches_tracked')]
    if missing:
        problems.append(_few(missing, 'missing in it'))
    unknown = [name for name in result.unexpected_keys if not name.startswith(_OLD_AVERAGE)]
    if unknown:
        problems.append(_few(unknown, 'unknown to the model'))
    if problems:
        raise InputError(
            f'{checkpoint.path} does not fit the model of the config: {"; ".join(problems)}. '
            f'{_CURE}'
        )
    _require_finite(checkpoint)


def _require_finite(checkpoint: GivenCheckpoint) -> None:
    for name, value in checkpoint.state_dict.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise InputError(
                f'{checkpoint.path} holds weights that are not finite, first in {name}: its '
                'training went astray. Take an earlier checkpoint of it.'
            )


def _shape_message(
    model: nn.Module, checkpoint: GivenCheckpoint, classes: Sequence[str], error: RuntimeError
) -> str:
    """What to say of a checkpoint that torch refused."""
    own = model.state_dict()
    differing = []
    for name, value in checkpoint.state_dict.items():
        if name in own and own[name].shape != value.shape:
            shapes = f'{tuple(value.shape)} where the model has {tuple(own[name].shape)}'
            differing.append(f'{name} {shapes}')
    what = _few(differing, 'of another shape') if differing else str(error)
    note = _class_note(checkpoint, classes)
    return f'{checkpoint.path} does not fit the model of the config: {what}. {note}{_CURE}'


def _check_classes(checkpoint: GivenCheckpoint, classes: tuple[str, ...]) -> None:
    theirs = checkpoint.classes
    if theirs is None or theirs == classes:
        return
    if sorted(theirs) == sorted(classes):
        raise InputError(
            f'{checkpoint.path} was trained on the same {len(classes)} classes in another order: '
            f'{_shown(theirs)}; the config has {_shown(classes)}. Its outputs would be taken for '
            f'other classes. Set metainfo=dict(classes={theirs!r}) in the datasets of the config.'
        )
    only_theirs = [name for name in theirs if name not in classes]
    only_ours = [name for name in classes if name not in theirs]
    raise InputError(
        f'{checkpoint.path} was trained on {len(theirs)} classes, {_shown(theirs)}; the config has '
        f'{len(classes)}, {_shown(classes)}. Only in the checkpoint: {_shown(only_theirs)}; only '
        f'in the config: {_shown(only_ours)}. Train on the classes of the config first, or begin '
        'from these weights by load_from in place of checkpoint, which takes what fits.'
    )


def _class_note(checkpoint: GivenCheckpoint, classes: Sequence[str]) -> str:
    if checkpoint.classes is not None:
        return ''
    return (
        f'The file does not name its classes; the config has {len(classes)}, '
        f'{_shown(tuple(classes))}. '
    )


def _few(names: Sequence[str], what: str) -> str:
    parameters = 'parameter' if len(names) == 1 else 'parameters'
    shown = ', '.join(names[:MAX_SHOWN])
    if len(names) > MAX_SHOWN:
        shown += ', ...'
    return f'{len(names)} {parameters} {what} ({shown})'


def _shown(names: Sequence[str]) -> str:
    if not names:
        return 'none'
    shown = ', '.join(names[:MAX_SHOWN_CLASSES])
    return shown + ', ...' if len(names) > MAX_SHOWN_CLASSES else shown


def require_readable(source: str) -> None:
    """Refuse a ``load_from`` that trainings could not read, hours before they would.

    Args:
        source: Path of a checkpoint, or an address that mmengine knows how to read.

    Raises:
        InputError: If there is no such file, it is damaged, or holds more than the process may
            load; see :func:`~mmal.fileio.tensors.forbid_unpickling`.
    """
    if '://' not in source:
        require_checkpoint_file(Path(source).expanduser())
    try:
        CheckpointLoader.load_checkpoint(source, map_location='cpu', logger='silent')
    except InputError as e:
        # Of mmal's own reader, where torch's allow-list cannot be extended.
        raise InputError(f'load_from: {e}') from None
    except pickle.UnpicklingError as e:
        raise InputError(
            f'load_from: {source} holds more than tensors and plain values, and was not read. '
            'Code in such a file would run. If you made it yourself, --unsafe-checkpoints loads it '
            f'all the same. {refused_global(e)}'
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError) as e:
        raise InputError(
            f'load_from: {source} is no checkpoint, or a damaged one ({type(e).__name__}: {e}). '
            'Copy or download it again.'
        ) from None
