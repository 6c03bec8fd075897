import pytest
import torch

from tests.influence.problems import LAST, Head


@pytest.fixture
def float64():
    """Float64 as the default type, and a seed."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def detector_head():
    """A head, its features, its chosen parameters and a direction."""
    torch.manual_seed(0)
    head = Head().double()
    feats = [torch.randn(5, 3, s, s, dtype=torch.double) for s in (6, 3)]
    params = {n: p for n, p in head.named_parameters() if n in LAST}
    return head, feats, params, torch.randn(sum(p.numel() for p in params.values()), dtype=torch.double)
