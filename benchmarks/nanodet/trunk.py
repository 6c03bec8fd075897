"""The trunk of NanoDet-g: backbone, neck and towers, as one module for mmdet's configs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from .output_cache import OutputCache, digest

STAGES = ((32, 32, 1, 1), (64, 64, 2, 2), (128, 128, 2, 2), (256, 256, 2, 3))
"""Of each stage: channels that come in, channels inside, stride, number of blocks."""
LEVEL_CHANNELS = (128, 256, 512)
"""Channels of C3, C4 and C5."""
NECK_CHANNELS = 128


def conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> ConvModule:
    """A convolution with bias and LeakyReLU, or of one pixel and without; no normalisation.

    The batch norms of the training are folded into weights and biases.

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that go out.
        kernel: Its side. One of 1 has no activation.
        stride: Its stride.
    """
    activation = None if kernel == 1 else dict(type='LeakyReLU', negative_slope=0.1)
    return ConvModule(
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        padding=kernel // 2,
        norm_cfg=None,
        act_cfg=activation,
    )


class Block(nn.Module):
    """Half the channels by one convolution, the other half from these by a second one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = conv(channels, channels // 2, 3)
        self.refine = conv(channels // 2, channels // 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        reduced = self.reduce(x)
        return torch.cat((self.refine(reduced), reduced), 1)


class Stage(nn.Module):
    """A stage of the cross-stage partial network: blocks beside a connection past them."""

    def __init__(self, in_channels: int, channels: int, stride: int, n_blocks: int) -> None:
        super().__init__()
        self.entry = conv(in_channels, channels, 3, stride)
        self.blocks = nn.ModuleList(Block(channels) for _ in range(n_blocks))
        self.fuse = conv(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Twice ``channels``, at 1 / ``stride`` of the size of ``x``."""
        entry = self.entry(x)
        inner = entry
        for block in self.blocks:
            inner = block(inner)
        return torch.cat((self.fuse(inner), entry), 1)


class Backbone(nn.Module):
    """Stem and four stages; the last three leave C3, C4 and C5."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 32, 3, 2)
        self.stage1, self.stage2, self.stage3, self.stage4 = (Stage(*sizes) for sizes in STAGES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Levels of 128, 256 and 512 channels at strides of 8, 16 and 32."""
        x = F.max_pool2d(self.stem(x), 3, stride=2, padding=1)
        c3 = self.stage2(self.stage1(x))
        c4 = self.stage3(c3)
        return c3, c4, self.stage4(c4)


class Neck(nn.Module):
    """A path aggregation network without convolutions after the laterals."""

    def __init__(self) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(
            conv(channels, NECK_CHANNELS, 1) for channels in LEVEL_CHANNELS
        )

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Levels of 128 channels: down the pyramid, and up again."""
        l3, l4, p5 = (lateral(level) for lateral, level in zip(self.laterals, levels, strict=True))
        p4 = l4 + resized(p5, 2)
        n3 = l3 + resized(p4, 2)
        n4 = p4 + resized(n3, 0.5)
        return n3, n4, p5 + resized(n4, 0.5)


class Towers(nn.Module):
    """A convolution a level, of which the original head reads classes and boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.towers = nn.ModuleList(conv(NECK_CHANNELS, NECK_CHANNELS, 3) for _ in range(3))

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Same shapes as ``levels``."""
        return tuple(tower(level) for tower, level in zip(self.towers, levels, strict=True))


def resized(x: Tensor, factor: float) -> Tensor:
    """Resized bilinearly, without antialiasing, as the network was trained."""
    return F.interpolate(x, scale_factor=factor, mode='bilinear', align_corners=False)


@MODELS.register_module()
class NanoDetTrunk(BaseModule):  # type: ignore[misc]  # the host is untyped
    """NanoDet-g (RangiLyu/nanodet, ``nanodet-g.yml``) without its predictors, for ``backbone=``.

    It takes normalised images in BGR, shape (N, 3, H, W) with sides that are multiples of 32, and
    gives three levels of 128 channels at strides of 8, 16 and 32, so that no neck is needed. Names
    of parameters are those of ``nanodet_g_coco.pth``; of its keys, ``head.predict.*`` are left.

    Args:
        frozen: Whether its weights stay as they are. Then nothing of it is differentiated.
            Defaults to True.
        cache: Folder of :class:`OutputCache`, where the outputs for each image are kept. It needs
            ``frozen``. Defaults to None: they are computed each time.
        init_cfg: mmengine's, for instance ``dict(type='Pretrained', checkpoint=...)``.

    Raises:
        ValueError: If outputs shall be kept of weights that change.
    """

    def __init__(
        self,
        frozen: bool = True,
        cache: str | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if cache and not frozen:
            raise ValueError(
                'NanoDetTrunk: cache keeps the outputs of weights that do not change: expected '
                'frozen=True beside it, got frozen=False.'
            )
        self.backbone = Backbone()
        self.neck = Neck()
        self.head = Towers()
        self.frozen = frozen
        self.requires_grad_(not frozen)
        self._cache = OutputCache(Path(cache)) if cache else None
        self._digest = ''
        self._digest_versions: list[int] = []

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The three levels, shapes (N, 128, H / s, W / s) for s = 8, 16, 32."""
        if not self.frozen:
            return self._levels(x)
        with torch.no_grad():
            if self._cache is None:
                return self._levels(x)
            return self._cache(self._levels, x, self._weights_digest())

    def _weights_digest(self) -> str:
        """Checksum of the weights, computed anew when something was written to them."""
        weights = list(self.parameters())
        versions = [weight._version for weight in weights]
        if versions != self._digest_versions:
            self._digest = digest(weights)
            self._digest_versions = versions
        return self._digest

    def _levels(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.head(self.neck(self.backbone(x)))  # type: ignore[no-any-return]
