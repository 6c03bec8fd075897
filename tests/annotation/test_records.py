from mmal.annotation.records import by_image, is_box


def test_boxes_are_told_from_classes_of_whole_images():
    assert is_box(dict(image_id=3, bbox=[1, 2, 3, 4], category_id=1))
    assert not is_box(dict(id=3, label=[0, 2]))


def test_annotations_of_either_kind_are_grouped_by_image():
    boxes = [dict(id=7, image_id=i, bbox=[n, 0, 1, 1]) for n, i in enumerate('aba')]
    assert by_image(boxes) == dict(a=[boxes[0], boxes[2]], b=[boxes[1]])
    assert by_image([dict(id='a', label=1)]) == dict(a=[dict(id='a', label=1)])
