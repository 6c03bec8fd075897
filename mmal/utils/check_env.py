"""What is wrong with this Python environment, and the cure; imports of the host libraries are tried, not assumed."""

from __future__ import annotations

import importlib
import importlib.metadata as metadata
import importlib.util
import platform
from dataclasses import dataclass

STACKS = {
    'onedl': ('onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection', 'onedl-mmpretrain'),
    'openmmlab': ('mmengine', 'mmcv', 'mmdet', 'mmpretrain'),
}
"""The two stacks; both install the folders mmengine, mmcv, mmdet and mmpretrain."""


@dataclass(frozen=True)
class Finding:
    """One line about the environment.

    Attributes:
        fatal: Whether mmal cannot work so.
        message: What was found.
        fix: What to do about it; empty if there is nothing to do.
    """

    fatal: bool
    message: str
    fix: str = ''


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _fails(module: str) -> str | None:
    """Why a module cannot be imported, or None."""
    try:
        importlib.import_module(module)
    except Exception as e:  # noqa: BLE001  a broken binary may raise anything; it is reported
        return f'{type(e).__name__}: {e}'.splitlines()[0]
    return None


def _stacks() -> list[Finding]:
    found = {name: [p for p in parts if _version(p)] for name, parts in STACKS.items()}
    if found['onedl'] and found['openmmlab']:
        return [
            Finding(
                True,
                f'two stacks are installed over each other: {", ".join(found["onedl"])} and '
                f'{", ".join(found["openmmlab"])}',
                f'uninstall all of them, then install one: pip uninstall {" ".join(sum(found.values(), []))}',
            )
        ]
    return []


def _torch() -> list[Finding]:
    reason = _fails('torch')
    if reason:
        return [
            Finding(
                True,
                f'torch cannot be imported ({reason})',
                'install the torch build made for your machine',
            )
        ]
    import torch

    if torch.cuda.is_available():
        return [
            Finding(
                False,
                f'torch {torch.__version__} with CUDA {torch.version.cuda}: '
                f'{torch.cuda.get_device_name()}',
            )
        ]
    return [
        Finding(
            False,
            f'torch {torch.__version__}, no CUDA device: everything runs on the processor',
            'fine for the demo; for real data sets use a machine with a GPU',
        )
    ]


def _torchvision() -> list[Finding]:
    reason = _fails('torchvision') if _version('torchvision') else None
    if reason:
        return [
            Finding(
                True,
                f'torchvision {_version("torchvision")} does not match torch {_version("torch")} '
                f'({reason})',
                'install the torchvision release made for this torch, or uninstall torchvision',
            )
        ]
    return []


def _operators() -> list[Finding]:
    if _fails('mmcv'):
        return []  # reported with the other libraries
    reason = _fails('mmcv.ops')
    if reason is None:
        try:
            import torch
            from mmcv.ops import nms

            device = 'cuda' if torch.cuda.is_available() else 'cpu'
            nms(
                torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=device),
                torch.ones(1, device=device),
                0.5,
            )
            return []
        except Exception as e:  # noqa: BLE001  reported
            reason = f'{type(e).__name__}: {e}'.splitlines()[0]
    return [
        Finding(
            True,
            f'mmcv has no working compiled operators ({reason})',
            'it is mmcv-lite, or was built for another torch: rebuild it against this one with '
            'pip install --no-build-isolation --no-cache-dir --force-reinstall --no-deps onedl-mmcv '
            '(or mmcv), FORCE_CUDA=1 for a GPU that is not in sight',
        )
    ]


def _libraries() -> list[Finding]:
    found = []
    for module in ('cv2', 'mmengine', 'mmcv', 'mmdet'):
        reason = _fails(module)
        if reason:
            cure = (
                'install opencv-python-headless, which needs no system libraries'
                if module == 'cv2'
                else 'install one stack: pip install -r requirements/onedl.txt (see the README)'
            )
            found.append(Finding(True, f'{module} cannot be imported ({reason})', cure))
    return found


def _pkg_resources() -> list[Finding]:
    if importlib.util.find_spec('pkg_resources') is None:
        return [
            Finding(
                _version('mmengine') is not None,
                f'setuptools {_version("setuptools")} has no pkg_resources, '
                "which openmmlab's mmengine needs for 'mmdet::' configs",
                "pip install 'setuptools>=80,<82'",
            )
        ]
    return []


def findings() -> list[Finding]:
    """Look at this environment; fatal findings first."""
    found = [Finding(False, f'Python {platform.python_version()}')]
    for look in (_stacks, _torch, _torchvision, _pkg_resources, _libraries, _operators):
        found += look()
    versions = [f'{p} {_version(p)}' for parts in STACKS.values() for p in parts if _version(p)]
    found.append(Finding(False, ', '.join(versions) or 'no mm* package'))
    return sorted(found, key=lambda f: not f.fatal)


def print_report(found: list[Finding]) -> str:
    """One line a finding, with its cure: STOP where mmal cannot work, note where something could be better."""
    lines = []
    for f in found:
        mark = 'STOP' if f.fatal else 'note' if f.fix else 'ok'
        lines.append(
            f'{mark:<5} {f.message}{". " + f.fix[0].upper() + f.fix[1:] if f.fix else ""}.'
        )
    return '\n'.join(lines)
