"""What cuDNN's TF32 convolutions do: their inputs have 10 bits of mantissa, their sums are float32.

Real kernels may cut bits off where this rounds to the nearest, so it is the mild case.
"""

import torch
import torch.nn.functional as F

_conv2d = F.conv2d


class Rounded(torch.autograd.Function):
    """The nearest number with 10 bits of mantissa; gradients pass."""

    @staticmethod
    def forward(ctx, x):
        bits = x.contiguous().view(torch.int32)
        return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)

    @staticmethod
    def backward(ctx, grad):
        return grad


class GradientRounded(torch.autograd.Function):
    """The number itself; its gradient is rounded, for it is an input of the convolutions of the backward pass."""

    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return Rounded.apply(grad)


def conv2d(x, weight, bias=None, *args, **kwargs):
    """A convolution as a GPU since Ampere makes it, by the flag that is asked there."""
    if not torch.backends.cudnn.allow_tf32 or x.dtype != torch.float32:
        return _conv2d(x, weight, bias, *args, **kwargs)
    out = GradientRounded.apply(_conv2d(Rounded.apply(x), Rounded.apply(weight), None, *args, **kwargs))
    return out if bias is None else out + bias[:, None, None]
