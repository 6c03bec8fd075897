"""Full precision is on inside, and torch's flags are what they were outside."""

import pytest
import torch

from mmal.utils.float32 import float32_flags, full_float32


@pytest.fixture(autouse=True)
def _flags_are_restored():
    matmul, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = cudnn


@pytest.mark.parametrize('matmul', ['highest', 'high', 'medium'])
@pytest.mark.parametrize('cudnn', [True, False])
def test_flags_inside_and_after(matmul, cudnn):
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = cudnn
    before = float32_flags()
    with full_float32():
        assert torch.get_float32_matmul_precision() == 'highest'
        assert not torch.backends.cuda.matmul.allow_tf32
        assert not torch.backends.cudnn.allow_tf32
    assert float32_flags() == before
    assert torch.backends.cudnn.allow_tf32 is cudnn
    assert torch.get_float32_matmul_precision() == matmul


@pytest.mark.skipif(not hasattr(torch.backends, 'fp32_precision'), reason='this torch has the old flags alone')
def test_the_new_flags_of_torch_count_as_well():
    conv = torch.backends.cudnn.conv
    original = conv.fp32_precision
    try:
        conv.fp32_precision = 'tf32'
        with full_float32():
            assert conv.fp32_precision != 'tf32'
        assert conv.fp32_precision == 'tf32'
    finally:
        conv.fp32_precision = original


def test_autocast_is_off_inside():
    with torch.autocast('cpu', torch.bfloat16), full_float32():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_flags_are_restored_after_an_error():
    before = float32_flags()
    with pytest.raises(KeyError), full_float32():
        raise KeyError
    assert float32_flags() == before
