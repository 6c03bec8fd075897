import torch
from mmal.adapters.batching import group_by_shape, to_channels_last_on_cpu, unbatch


def test_rows_are_grouped_by_shape_in_order_of_the_first():
    shapes = [(3, 4, 4), (3, 8, 4), (3, 4, 4)]
    assert group_by_shape([dict(inputs=torch.zeros(shape)) for shape in shapes]) == [[0, 2], [1]]


def test_a_nest_is_cut_into_samples():
    outputs = ([torch.arange(6).reshape(2, 3), torch.tensor([7, 8])], dict(a=torch.ones(2, 1, 1)), 'kept')
    first, second = unbatch(outputs, 2)
    assert second[0][0].tolist() == [[3, 4, 5]]
    assert second[0][1].tolist() == [8]
    assert second[1]['a'].shape == (1, 1, 1)
    assert first[2] == second[2] == 'kept'
    assert unbatch(outputs, 1)[0] is outputs


def test_images_get_channels_last_and_other_tensors_stay():
    images, rows = torch.randn(2, 3, 4, 4), torch.randn(2, 3)
    laid_out = to_channels_last_on_cpu(images)
    assert laid_out.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(laid_out, images)
    assert to_channels_last_on_cpu(rows) is rows
