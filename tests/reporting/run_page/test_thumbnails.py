import base64
import io

import numpy as np
from PIL import Image

from mmal.reporting.run_page.thumbnails import Thumbnails, data_uri


def decoded(uri):
    head, _, body = uri.partition(',')
    return head, Image.open(io.BytesIO(base64.b64decode(body)))


def test_a_large_picture_becomes_a_small_jpeg_and_a_tiny_one_stays_exact():
    head, small = decoded(data_uri(Image.effect_noise((1000, 500), 30).convert('RGB'), 320))
    assert (head, small.size) == ('data:image/jpeg;base64', (320, 160))
    tiny = Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 16, 3), dtype=np.uint8))
    head, same = decoded(data_uri(tiny, 320))
    assert head == 'data:image/png;base64'
    assert np.array_equal(np.asarray(same), np.asarray(tiny))


def test_sizes_are_the_images_and_one_that_is_gone_says_so(data, tmp_path):
    thumbnails = Thumbnails(tmp_path, data)
    found = thumbnails.make(1, 'a dog', side=20)
    assert (found.width, found.height, found.alt, found.reason) == (80, 40, 'a dog', '')
    assert decoded(found.uri)[1].size == (20, 10)
    gone = thumbnails.make(5, 'a cat')
    assert gone.uri == ''
    assert '5.png' in gone.reason
    (data.folder / '1.png').write_bytes(b'no image')
    assert 'cannot identify' in thumbnails.make(1, 'a dog').reason
