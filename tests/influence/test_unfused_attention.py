"""Fused attention is off inside the context, and as before behind it."""

import pytest
import torch
from torch.backends import cuda
from torch.nn.functional import scaled_dot_product_attention

from mmal.influence.unfused_attention import unfused_attention


def test_attention_has_a_second_derivative_inside():
    q = torch.randn(1, 2, 3, 4, requires_grad=True)
    with unfused_attention():
        out = scaled_dot_product_attention(q, q.detach(), q.detach())
    (slope, ) = torch.autograd.grad(out.square().sum(), q, create_graph=True)
    (second, ) = torch.autograd.grad(slope.square().sum(), q)
    assert second.abs().max() > 0


def test_the_switches_are_as_before_even_after_an_error():
    cuda.enable_flash_sdp(False)
    try:
        with pytest.raises(KeyError), unfused_attention():
            raise KeyError(cuda.mem_efficient_sdp_enabled())
        assert not cuda.flash_sdp_enabled()
        assert cuda.mem_efficient_sdp_enabled()
    finally:
        cuda.enable_flash_sdp(True)
