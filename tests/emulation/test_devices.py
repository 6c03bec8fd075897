"""What is made on the device, and what goes there only if it fits."""

import torch

from mmal.samplers.localization_stability import LocalizationStabilitySampler
from mmal.samplers.placement import device_with_room


def test_noise_is_drawn_on_the_device_and_belongs_to_the_image(accelerator):
    """Whatever was drawn before it."""
    pixels = torch.full((3, 8, 8), 100, dtype=torch.uint8, device=accelerator.device)
    noisy = LocalizationStabilitySampler._noisy
    first = noisy(dict(inputs=pixels), 0, 7, 8)['inputs']
    assert first.is_cuda
    torch.rand(5, device=accelerator.device)
    assert torch.equal(noisy(dict(inputs=pixels), 0, 7, 8)['inputs'], first)
    assert not torch.equal(noisy(dict(inputs=pixels), 0, 8, 8)['inputs'], first)


def test_vectors_that_do_not_fit_stay_on_the_cpu(accelerator):
    model = torch.nn.Linear(1, 1).to(accelerator.device)
    assert device_with_room(model, 1000) == accelerator.device
    assert device_with_room(model, 2**50) == torch.device('cpu')
