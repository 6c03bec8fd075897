"""What the pipeline's own loader makes of a file decides whether a run takes it; see tests/utils/odd_files.py."""

import re
from pathlib import Path

import pytest

from mmal.engine.image_checks import note_messages, require_most_readable
from mmal.errors import InputError
from mmal.fileio.text import read_json
from mmal.utils.image_files import ImageCheck
from tests.engine.test_odd_images import add, log
from tests.utils import odd_files

pytestmark = pytest.mark.usefixtures('no_drawing')
RANDOM = dict(sampler=dict(type='mmal.RandomSampler'), max_epochs=1)
SIZE = (odd_files.WIDTH, odd_files.HEIGHT)


def test_a_file_that_pillow_reads_and_the_loader_does_not_is_left_out_and_the_other_way_round(make_cfg, run, dataset):
    floats, path = add(dataset, 'float.tif', SIZE)
    odd_files.FLOATS['float.tif'](path)
    radiance, path = add(dataset, 'radiance.hdr', SIZE)
    odd_files.LOADED['radiance.hdr'](path)
    deep, path = add(dataset, 'deep.png', SIZE)
    odd_files.DEEP['deep.png'](path)
    work_dir = run(make_cfg(**RANDOM, rounds=1))
    unreadable = read_json(work_dir / 'unreadable.json')['images']
    assert list(unreadable) == [str(floats)]
    assert unreadable[str(floats)].startswith('LoadImageFromFile(')
    assert '1 of 17 images of the pool have more than 8 bits a channel, and are loaded with 8: ' in log(work_dir)
    assert 'another width and height' not in log(work_dir)


def test_a_pool_of_which_most_images_cannot_be_read_is_refused_with_the_cure(make_cfg, run, dataset):
    content = read_json(dataset / 'train.json')
    for image in content['images'][:8]:
        (dataset / image['file_name']).unlink()
        odd_files.FLOATS['float.tif'](dataset / 'a.tif')
        (dataset / 'a.tif').rename(dataset / image['file_name'])
    cfg = make_cfg(**RANDOM)
    with pytest.raises(InputError) as refusal:
        run(cfg)
    message = str(refusal.value)
    assert message.startswith('8 of 14 images of the pool cannot be read: 1: LoadImageFromFile(')
    assert 'set color_type or imdecode_backend of LoadImageFromFile in all pipelines' in message
    assert not list(Path(cfg.work_dir).glob('round_*'))


@pytest.mark.parametrize(('name', 'kind'), [('set_102.png', 'reference set'), ('set_203.png', 'evaluation set')])
def test_an_image_to_evaluate_with_that_the_loader_does_not_read_is_refused_by_name(
        make_cfg, run, dataset, name, kind):
    odd_files.FLOATS['float.tif'](dataset / 'a.tif')
    (dataset / 'a.tif').rename(dataset / name)
    with pytest.raises(InputError, match=f'1 of 4 images of the {kind} cannot be read: .*{name}: LoadImageFromFile'):
        run(make_cfg())


def test_half_of_a_pool_is_left_out_and_more_is_refused():
    def checks(n_bad):
        return {n: ImageCheck('broken' if n < n_bad else None, None, None, None) for n in range(8)}

    require_most_readable(checks(4))
    require_most_readable({})
    with pytest.raises(InputError, match=re.escape('5 of 8 images of the pool cannot be read: 0: broken; 1: broken; ')):
        require_most_readable(checks(5))


def test_a_note_names_the_first_three():
    checks = {n: ImageCheck(None, None, (1, 1), (1, 1), ('are odd',) if n else ()) for n in range(5)}
    paths = {n: f'{n}.png' for n in range(5)}
    message = '4 of 5 images of the pool are odd: 1.png, 2.png, 3.png and 1 more.'
    assert note_messages('pool', paths, checks) == [message]
