import io

from PIL import Image

from mmal.reporting.contact_sheet import contact_sheet, tile


def test_a_tile_keeps_the_shape_and_draws_boxes_in_their_place():
    image = Image.new('L', (200, 100), 0)
    one = tile(image, [(100, 0, 100, 100, 'cat')], 'id 7', size=80)
    assert one.size == (80, 96)
    assert one.getpixel((5, 40)) == (0, 0, 0)
    assert one.getpixel((60, 2)) == (255, 255, 255), 'above a wide picture is empty'
    assert one.getpixel((79, 40)) == (255, 200, 0), 'the right side of the box'
    assert one.getpixel((40, 40)) == (255, 200, 0), 'and its left one'


def test_a_row_for_each_name_whatever_their_lengths():
    tiles = [tile(Image.new('RGB', (10, 10), 'red'), [], str(i), 50) for i in range(3)]
    sheet = Image.open(io.BytesIO(contact_sheet(dict(isal=tiles, random=tiles[:1], none=[]))))
    assert sheet.size == (3 * 56 + 6, 3 * 88 + 6)
    assert sheet.getpixel((6 + 25, 20 + 25)) == (255, 0, 0)
    assert sheet.getpixel((6 + 25, 88 + 20 + 25)) == (255, 0, 0)
    assert sheet.getpixel((62 + 25, 88 + 20 + 25)) == (255, 255, 255)
    assert Image.open(io.BytesIO(contact_sheet({}))).size[0] > 0
