import torch

from mmal.adapters.batching import batches_by_shape, group_by_shape, in_row_order, to_channels_last_on_cpu, unbatch


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


def test_batches_of_one_shape_and_values_back_in_row_order():
    items = [dict(inputs=torch.zeros(3, size, 4), name=name) for name, size in (('a', 4), ('b', 8), ('c', 4))]
    names = {}
    for rows, batch in batches_by_shape(items):
        names.update(zip(rows, [item['name'] for item in batch], strict=True))
    assert list(names) == [0, 2, 1]
    assert in_row_order(names) == ['a', 'b', 'c']
