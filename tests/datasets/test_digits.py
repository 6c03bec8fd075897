from mmal.datasets.digits import Digits


def test_splits_are_disjoint_and_always_the_same():
    splits = {name: Digits(name).load_data_list() for name in ('train', 'val', 'test')}
    assert {name: len(images) for name, images in splits.items()} == dict(train=1000, val=300, test=497)
    first = splits['train'][0]
    assert (first['img'].shape, first['img'].dtype.name) == ((16, 16, 3), 'uint8')
    assert [image['gt_label'] for image in splits['train'][:5]] == [6, 6, 6, 2, 5]
