"""Finds what is wrong with this Python environment and how to fix it.

Imports of the host libraries are tried, not assumed.
"""

from __future__ import annotations

import importlib
import importlib.metadata as metadata
import importlib.util
import platform
from collections.abc import Iterable
from dataclasses import dataclass

STACKS = {
    'onedl': ('onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection', 'onedl-mmpretrain'),
    'openmmlab': ('mmengine', 'mmcv', 'mmdet', 'mmpretrain'),
}
"""The two stacks; both install the folders mmengine, mmcv, mmdet and mmpretrain."""

PINNED = {
    'onedl': ('0.10.12', '2.3.6', '3.5.1', '1.3.6', '2.12'),
    'openmmlab': ('0.10.7', '2.1.0', '3.3.0', '1.2.0', '2.1'),
}
"""Versions that requirements/ names, by stack: of its packages in the order of :data:`STACKS`,
and of torch (major and minor).
"""


@dataclass(frozen=True)
class Finding:
    """One observation about the environment.

    Attributes:
        fatal: Whether mmal cannot work because of it.
        message: What was found, without a full stop.
        fix: What to do about it; empty if there is nothing to do.
    """

    fatal: bool
    message: str
    fix: str = ''


def findings(needs_gpu: bool = False) -> list[Finding]:
    """Examine this environment.

    Args:
        needs_gpu: Whether it is fatal that torch sees no GPU. Defaults to False.

    Returns:
        All observations, fatal ones first.
    """
    results = [Finding(False, f'Python {platform.python_version()}')]
    checks = (
        _check_stacks,
        _check_torch,
        _check_torchvision,
        _check_pkg_resources,
        _check_libraries,
        _check_operators,
    )
    for check in checks:
        results += check()
    if needs_gpu:
        results += _check_gpu()
    results += _describe_stack()
    return sorted(results, key=lambda finding: not finding.fatal)


def _describe_stack() -> list[Finding]:
    """Name the stack that is installed, and whether its versions are those of requirements/."""
    for name, packages in STACKS.items():
        present = _installed(packages)
        if not present:
            continue
        versions = ', '.join(f'{package} {_version(package)}' for package in present)
        message = f"{name}'s stack: {versions}"
        different = _not_as_pinned(name)
        if not different:
            return [Finding(False, f'{message}; the versions that mmal names')]
        cure = f'mmal names {", ".join(different)}; others may work'
        return [Finding(False, message, cure)]
    return [Finding(False, 'no mm* package')]


def _not_as_pinned(stack: str) -> list[str]:
    """Packages of a stack that are of another version than the pin, each with the pin."""
    different = []
    for package, pinned in zip((*STACKS[stack], 'torch'), PINNED[stack], strict=True):
        installed = (_version(package) or '') + '.'
        if not installed.startswith(pinned + '.'):
            different.append(f'{package} {pinned}')
    return different


def print_report(results: Iterable[Finding]) -> str:
    """Format observations as text, one line per observation.

    Args:
        results: Observations, in the order of the lines.

    Returns:
        Lines that begin with STOP where mmal cannot work, with note where something could be
        better, and with ok elsewhere.
    """
    lines = []
    for finding in results:
        line = f'{_mark(finding):<5} {finding.message}.'
        if finding.fix:
            line += f' {finding.fix[0].upper()}{finding.fix[1:]}.'
        lines.append(line)
    return '\n'.join(lines)


def _mark(finding: Finding) -> str:
    if finding.fatal:
        return 'STOP'
    return 'note' if finding.fix else 'ok'


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _installed(packages: Iterable[str]) -> list[str]:
    return [package for package in packages if _version(package)]


def _import_error(module: str) -> str | None:
    """Why a module cannot be imported, or None if it can."""
    try:
        importlib.import_module(module)
    except Exception as e:  # noqa: BLE001  a broken binary may raise anything; it is reported
        return _first_line(e)
    return None


def _first_line(error: Exception) -> str:
    return f'{type(error).__name__}: {error}'.splitlines()[0]


def _check_stacks() -> list[Finding]:
    onedl = _installed(STACKS['onedl'])
    openmmlab = _installed(STACKS['openmmlab'])
    if not onedl or not openmmlab:
        return []
    finding = Finding(
        True,
        f'two stacks are installed over each other: {", ".join(onedl)} and {", ".join(openmmlab)}',
        'uninstall all of them, then install one: pip uninstall ' + ' '.join(onedl + openmmlab),
    )
    return [finding]


def _check_torch() -> list[Finding]:
    reason = _import_error('torch')
    if reason:
        message = f'torch cannot be imported ({reason})'
        return [Finding(True, message, 'install the torch build made for your machine')]
    import torch

    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
        message = f'torch {torch.__version__} with CUDA {torch.version.cuda}: {device}'
        return [Finding(False, message)]
    finding = Finding(
        False,
        f'torch {torch.__version__}, no CUDA device: everything runs on the processor',
        'fine for the demo; for real data sets use a machine with a GPU',
    )
    return [finding]


def _check_gpu() -> list[Finding]:
    if _import_error('torch'):
        # Reported by itself.
        return []
    import torch

    if torch.cuda.is_available():
        return []
    fix = 'see whether nvidia-smi shows one, and whether its driver is new enough for CUDA '
    fix += str(torch.version.cuda)
    if torch.version.cuda is None:
        fix = 'install a build of torch with CUDA; this one has none'
    return [Finding(True, 'a GPU is needed here, and torch sees none', fix)]


def _check_torchvision() -> list[Finding]:
    version = _version('torchvision')
    reason = _import_error('torchvision') if version else None
    if not reason:
        return []
    finding = Finding(
        True,
        f'torchvision {version} does not match torch {_version("torch")} ({reason})',
        'install the torchvision release made for this torch, or uninstall torchvision',
    )
    return [finding]


def _check_pkg_resources() -> list[Finding]:
    if importlib.util.find_spec('pkg_resources') is not None:
        return []
    finding = Finding(
        _version('mmengine') is not None,
        f'setuptools {_version("setuptools")} has no pkg_resources, '
        "which openmmlab's mmengine needs for 'mmdet::' configs",
        "pip install 'setuptools<82'",
    )
    return [finding]


def _check_libraries() -> list[Finding]:
    results = []
    for module in ('cv2', 'mmengine', 'mmcv', 'mmdet'):
        reason = _import_error(module)
        if not reason:
            continue
        fix = 'install one stack, from requirements/ (docs/install.md has the order)'
        if module == 'cv2':
            fix = 'install opencv-python-headless, which needs no system libraries'
        results.append(Finding(True, f'{module} cannot be imported ({reason})', fix))
    return results


def _check_operators() -> list[Finding]:
    if _import_error('mmcv'):
        # Reported with the other libraries.
        return []
    reason = _import_error('mmcv.ops') or _operator_error()
    if not reason:
        return []
    finding = Finding(
        True,
        f'mmcv has no working compiled operators ({reason})',
        'it is mmcv-lite, or was built for another torch: rebuild it against this one with '
        'pip install --no-build-isolation --no-cache-dir --force-reinstall --no-deps '
        'onedl-mmcv (or mmcv), FORCE_CUDA=1 for a GPU that is not in sight',
    )
    return [finding]


def _operator_error() -> str | None:
    """Why a compiled operator of mmcv does not run, or None if it does."""
    try:
        import torch
        from mmcv.ops import nms

        device = 'cuda' if torch.cuda.is_available() else 'cpu'
        boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=device)
        scores = torch.ones(1, device=device)
        nms(boxes, scores, 0.5)
    except Exception as e:  # noqa: BLE001  a broken binary may raise anything; it is reported
        return _first_line(e)
    return None
