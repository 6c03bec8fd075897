import torch

from mmal.samplers.algorithms.count_sketch import count_sketch


def test_a_sketch_keeps_inner_products_on_average():
    g = torch.randn(6, 5000, generator=torch.Generator().manual_seed(0))
    exact, found = g @ g.T, torch.stack([(s := count_sketch(g, 300, seed)) @ s.T for seed in range(200)])
    error = (found.mean(0) - exact).abs() / (found.std(0) / 200**0.5)
    assert error.max() < 4.5
    assert torch.equal(count_sketch(g, 5000, 0), g)
