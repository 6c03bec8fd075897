"""What the loading step of a pipeline makes of image files of all kinds is what is checked."""

import threading

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from PIL import Image

from mmal.adapters import image_loaders
from mmal.utils.image_files import decode
from tests.utils import odd_files

COLOURS = dict(mean=[1, 2, 3], std=[1, 1, 1])
GREY = dict(mean=[127.0], std=[1.0])


def loaders(preprocessor=COLOURS, later=(), scope='mmdet', **step):
    """The loaders of a config whose pipelines begin with such a step."""
    pipeline = [dict(dict(type='LoadImageFromFile'), **step), *later]
    loader = dict(dataset=dict(type='RepeatDataset', dataset=dict(type='CocoDataset', pipeline=pipeline)))
    model = dict(type='FCOS', data_preprocessor=preprocessor)
    return image_loaders(Config(dict(default_scope=scope, model=model, train_dataloader=loader, val_dataloader=loader)))


def check(path, **step):
    return decode(str(path), loaders=loaders(**step))


def made(tmp_path, files):
    """Make files; (name, path) of each."""
    for name, make in files.items():
        make(tmp_path / name)
        yield name, tmp_path / name


def loaded(path, **step):
    """What the host really makes of a file; None for an error."""
    try:
        return LoadImageFromFile(**step).transform(dict(img_path=str(path)))['img']
    except (AssertionError, OSError):
        return None


@pytest.mark.parametrize('files', [odd_files.ORDINARY, odd_files.LOADED, odd_files.DEEP, odd_files.FRAMES])
def test_what_opencv_makes_three_channels_of_can_be_used(tmp_path, files):
    for name, path in made(tmp_path, files):
        found = check(path)
        assert found.reason is None, name
        assert found.sizes.loaded == (50, 40), name
        image = loaded(path)
        assert (image.dtype, image.shape) == (np.uint8, (40, 50, 3)), name


def test_an_ordinary_file_is_not_loaded_and_any_other_is(tmp_path, monkeypatch):
    asked = []
    transform = LoadImageFromFile.transform

    def ask(self, results):
        asked.append(results['img_path'])
        return transform(self, results)

    monkeypatch.setattr(LoadImageFromFile, 'transform', ask)
    for name, path in made(tmp_path, odd_files.ORDINARY | odd_files.LOADED):
        asked.clear()
        check(path)
        assert bool(asked) == (name in odd_files.LOADED), name


def test_depth_and_frames_that_are_lost_are_said(tmp_path):
    for name, path in made(tmp_path, odd_files.DEEP):
        assert check(path).notes == ('have more than 8 bits a channel, and are loaded with 8',), name
    for name, path in made(tmp_path, odd_files.FRAMES):
        assert check(path).notes == ('have several frames or pages, of which only the first one is loaded',), name
    for name, path in made(tmp_path, odd_files.ORDINARY | odd_files.LOADED):
        assert check(path).notes == (), name


def test_twelve_bits_in_sixteen_are_nearly_black_and_that_is_said(tmp_path):
    odd_files.by_opencv(tmp_path / 'a.png', odd_files.pixels(1, 4096, np.uint16))
    assert loaded(tmp_path / 'a.png').max() == 15
    assert check(tmp_path / 'a.png').notes[0].startswith('hardly have contrast as they are loaded')


def test_floats_are_unreadable_unless_the_pipeline_loads_them_as_they_are(tmp_path):
    for name, path in made(tmp_path, odd_files.FLOATS):
        assert loaded(path) is None
        found = check(path, color_type='color')
        assert found.reason.startswith("LoadImageFromFile(color_type='color') cannot read it"), name
        assert decode(str(path)).reason is None or name == 'float_rgb.tif', 'Pillow reads the grey one'
    found = check(tmp_path / 'float_rgb.tif', color_type='unchanged')
    assert found.reason is None
    assert found.notes[0].startswith('are loaded as float32, not as whole numbers from 0 to 255')


def test_a_float_image_that_pillow_makes_black_is_said(tmp_path):
    odd_files.FLOATS['float.tif'](tmp_path / 'a.tif')
    assert loaded(tmp_path / 'a.tif', imdecode_backend='pillow').max() == 1
    assert check(tmp_path / 'a.tif', imdecode_backend='pillow').notes[0].startswith('hardly have contrast')


def test_values_that_are_not_finite_are_refused(tmp_path):
    odd_files.not_finite(tmp_path / 'a.tif')
    assert 'not finite (NaN or infinite)' in check(tmp_path / 'a.tif', color_type='unchanged').reason


@pytest.mark.parametrize(('name', 'channels'), [('grey.jpg', '1 channel'), ('transparent.png', '4 channels')])
def test_another_number_of_channels_than_the_mean_has_is_refused(tmp_path, name, channels):
    odd_files.ORDINARY[name](tmp_path / name)
    reason = check(tmp_path / name, color_type='unchanged').reason
    assert reason == (f"LoadImageFromFile(color_type='unchanged') makes {channels} of it, and data_preprocessor.mean "
                      'expects 3')
    assert check(tmp_path / name).reason is None


@pytest.mark.parametrize('case', [
    dict(preprocessor=GREY), dict(preprocessor=dict(COLOURS, mean=None)), dict(scope='mmpretrain'),
    dict(later=[dict(type='torchvision/Grayscale')]), dict(later=[dict(type='MyOwnStep')]),
    dict(later=[dict(type='Albu')])])
def test_one_channel_is_fine_where_the_model_takes_it_or_a_later_step_may_change_it(tmp_path, case):
    odd_files.ORDINARY['grey.png'](tmp_path / 'a.png')
    assert check(tmp_path / 'a.png', color_type='unchanged', **case).reason is None


def test_sixteen_bits_that_are_loaded_as_such_are_said(tmp_path):
    odd_files.DEEP['deep_rgb.png'](tmp_path / 'a.png')
    found = check(tmp_path / 'a.png', color_type='unchanged')
    assert found.reason is None
    assert found.notes == ('are loaded as uint16, not as whole numbers from 0 to 255: mean and std of '
                           'data_preprocessor have to fit them',)
    said = ('have more than 8 bits a channel, and are loaded with 8',)
    assert check(tmp_path / 'a.png', to_float32=True).notes == said


@pytest.mark.parametrize('name', odd_files.UNREAD)
def test_what_cannot_be_read_has_a_reason(tmp_path, name):
    make, part = odd_files.UNREAD[name]
    make(tmp_path / name)
    found = check(tmp_path / name)
    assert part in found.reason
    assert found.sizes is None


def test_a_file_without_permission_has_a_reason(tmp_path, monkeypatch):
    path = tmp_path / 'a.jpg'
    odd_files.by_pillow(path)

    def refuse(*args, **kwargs):
        raise PermissionError(13, 'Permission denied', str(path))

    monkeypatch.setattr(Image, 'open', refuse)
    monkeypatch.setattr('mmengine.fileio.get', refuse)
    assert 'Permission denied' in check(path).reason


def test_a_damaged_file_is_refused_though_versions_of_opencv_fill_the_rest(tmp_path, monkeypatch):
    odd_files.cut(tmp_path / 'a.jpg')
    monkeypatch.setattr(cv2, 'imdecode', lambda *args: odd_files.pixels())
    assert loaded(tmp_path / 'a.jpg') is not None
    assert 'truncated' in check(tmp_path / 'a.jpg', color_type='unchanged').reason


def test_exif_data_that_pillow_cannot_read_are_no_reason_where_the_loader_reads_the_file(tmp_path):
    odd_files.by_pillow(tmp_path / 'a.jpg', exif=b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0')
    odd_files.by_pillow(tmp_path / 'b.jpg', exif=b'Exif\0\0nothing')
    for path in (tmp_path / 'a.jpg', tmp_path / 'b.jpg'):
        assert check(path).reason is None
        assert check(path).sizes.loaded == (50, 40)


def test_a_limit_of_opencv_counts(tmp_path, monkeypatch):
    """OpenCV reads the limit once, when it is loaded, so here its loader is asked and does not fail."""
    asked = []
    monkeypatch.setattr(cv2, 'imdecode', lambda *args: asked.append(args))
    odd_files.by_pillow(tmp_path / 'a.png')
    assert check(tmp_path / 'a.png').reason is None
    monkeypatch.setenv('OPENCV_IO_MAX_IMAGE_PIXELS', '1999')
    assert 'cannot read it' in check(tmp_path / 'a.png').reason
    assert asked


def test_a_file_beyond_pillows_limit_is_judged_by_the_loader(tmp_path, monkeypatch):
    odd_files.by_pillow(tmp_path / 'a.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 500)
    assert check(tmp_path / 'a.png').sizes.loaded == (50, 40)
    assert 'cannot read it (DecompressionBombError' in check(tmp_path / 'a.png', imdecode_backend='pillow').reason


def test_a_loader_that_is_not_mmcvs_is_not_asked(tmp_path):
    odd_files.by_pillow(tmp_path / 'a.tga')
    assert loaders(type='LoadImageFromMyStore') == []
    assert decode(str(tmp_path / 'a.tga')).reason is None


def test_loaders_of_all_pipelines_are_asked_each_once():
    pipelines = [[dict(type='LoadImageFromFile', color_type=kind)] for kind in ('color', 'color', 'unchanged')]
    parts = [dict(dataset=dict(type='CocoDataset', pipeline=pipeline)) for pipeline in pipelines]
    names = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    cfg = Config(dict(zip(names, parts, strict=True), default_scope='mmdet', model=dict(data_preprocessor=COLOURS)))
    found = image_loaders(cfg)
    assert [(loader.name, loader.is_plain) for loader in found] == [
        ("LoadImageFromFile(color_type='color')", True), ("LoadImageFromFile(color_type='unchanged')", False)]


def test_a_pipe_does_not_hold_up_the_check(tmp_path):
    odd_files.UNREAD['pipe.jpg'][0](tmp_path / 'pipe.jpg')
    thread = threading.Thread(target=check, args=(tmp_path / 'pipe.jpg',), daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
