"""Checkpoints that other programs wrote, read so that no code in them runs."""

from __future__ import annotations

import os
import pickle
import types
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.runner.checkpoint import CheckpointLoader

from mmal.errors import InputError

from .tensors import SWITCH

INERT_MODULES = ('numpy', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain', '_codecs')
"""Top-level packages whose objects mm* trainings keep beside the weights: log buffers, arrays,
random states. They are read as :class:`_Inert`, so that nothing of them is run.
"""

_TENSOR_PARTS: dict[tuple[str, str], Any] = {
    ('collections', 'OrderedDict'): OrderedDict,
    ('collections', 'Counter'): Counter,
    ('torch', 'Size'): torch.Size,
    ('torch', 'device'): torch.device,
    ('torch._utils', '_rebuild_tensor_v2'): torch._utils._rebuild_tensor_v2,
    ('torch._utils', '_rebuild_parameter'): torch._utils._rebuild_parameter,
    ('builtins', 'set'): set,
    ('builtins', 'list'): list,
    ('builtins', 'dict'): dict,
    ('builtins', 'tuple'): tuple,
    ('builtins', 'complex'): complex,
}
"""All that a file may name and that is made as it is named, by module and name."""


_ZIP_START = b'PK\x03\x04'
"""First bytes of a zip archive, which files of torch are since 1.6."""


class _NotAllowedError(Exception):
    """A file holds more than tensors and plain values."""


class _Inert:
    """Stands for an object that is not wanted. It takes any arguments and any state, and does
    nothing with them.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...

    def __call__(self, *args: Any, **kwargs: Any) -> _Inert:
        return self

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def append(self, item: Any) -> None:
        """Take an item of a list that is not wanted.

        Args:
            item: The item.
        """

    def extend(self, items: Any) -> None:
        """Take items of a list that is not wanted.

        Args:
            items: The items.
        """


class _AllowList(pickle.Unpickler):
    """Finds only the parts of tensors and what is inert."""

    def find_class(self, module: str, name: str) -> Any:
        if module == '__builtin__':
            # As torch's protocol 2 spells it.
            module = 'builtins'
        part = _TENSOR_PARTS.get((module, name))
        if part is not None:
            return part
        if module == 'torch' and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        is_inert = module.split('.')[0] in INERT_MODULES
        # mm* keep bound functions of theirs, which pickle by getattr.
        if is_inert or (module, name) == ('builtins', 'getattr'):
            return _Inert
        raise _NotAllowedError(f'it holds {module}.{name}')


def _load(file: Any, **kwargs: Any) -> Any:
    return _AllowList(file, **kwargs).load()


_allow_list_pickle = types.ModuleType('allow_list_pickle')
_allow_list_pickle.Unpickler = _AllowList  # type: ignore[attr-defined]
_allow_list_pickle.load = _load  # type: ignore[attr-defined]


def read_foreign_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of mmdet, mmpretrain, mmengine or mmal, or a bare state_dict.

    Tensors and plain values are read. What such trainings keep beside them (log buffers, arrays of
    numpy) is left out: an inert object stands in its place. Nothing else may be in the file.
    ``torch.load(weights_only=True)`` is not used, because before torch 2.4 it can be told of no
    further class, and before 2.6 it could be made to run code.

    Args:
        path: Path of the file.

    Returns:
        What the file holds, on the processor.

    Raises:
        InputError: If there is no such file, it is no checkpoint or damaged, or something else is
            in it, which may be code.
    """
    path = Path(path)
    require_checkpoint_file(path)
    try:
        _refuse_programs(path)
        with _explicit_pickle_allowed():
            content = torch.load(
                path, map_location='cpu', weights_only=False, pickle_module=_allow_list_pickle
            )
    except _NotAllowedError as e:
        raise InputError(
            f'{path} holds more than tensors and plain values ({e}), which may be code; it was not '
            'run. If you trust the file, write its weights into one that holds nothing else, with '
            "mmdet's or mmpretrain's tools/model_converters/publish_model.py."
        ) from None
    except Exception as e:  # noqa: BLE001  a damaged file can make the reader raise anything
        raise InputError(
            f'{path} is no checkpoint, or a damaged one ({type(e).__name__}: {e}). Copy or '
            'download it again.'
        ) from None
    if not isinstance(content, dict):
        raise InputError(
            f'{path}: expected a checkpoint or a state_dict, found a {type(content).__name__}.'
        )
    return content


def read_in_place_of_mmengine() -> None:
    """Have mmengine read every local checkpoint of this process by the allow-list."""
    CheckpointLoader.register_scheme('', loader=_read_local, force=True)


def _read_local(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Reader of mmengine's kind. What it reads is on the processor, from where it is copied."""
    return read_foreign_checkpoint(Path(filename).expanduser())


def require_checkpoint_file(path: Path) -> None:
    """Refuse a path at which there is no checkpoint, without reading it.

    Args:
        path: Path of the file.

    Raises:
        InputError: If there is no such file, or it is a pointer of Git LFS.
    """
    if not path.is_file():
        raise InputError(
            f'{path}: no such file. Give the path of a checkpoint, a .pth file on this machine.'
        )
    with path.open('rb') as file:
        start = file.read(64)
    if start.startswith(b'version https://git-lfs'):
        raise InputError(
            f'{path} is not the checkpoint but a pointer of Git LFS to it. Fetch it by `git lfs '
            'pull`.'
        )


def _refuse_programs(path: Path) -> None:
    """Refuse a TorchScript file, which torch would load as a program whatever it is told."""
    with path.open('rb') as file:
        is_archive = file.read(len(_ZIP_START)) == _ZIP_START
    if not is_archive:
        return
    # As torch itself looks for it, so that no file is one thing here and another there.
    records = torch._C.PyTorchFileReader(str(path)).get_all_records()
    if 'constants.pkl' in records:
        raise _NotAllowedError('it holds a TorchScript program')


@contextmanager
def _explicit_pickle_allowed() -> Iterator[None]:
    """Lift the process's switch to weights-only loading.

    It excludes an allow-list of one's own.
    """
    before = os.environ.pop(SWITCH, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[SWITCH] = before
