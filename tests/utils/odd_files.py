"""Image files of unusual kinds, and files that are none, by name."""

import os

import cv2
import numpy as np
from PIL import Image

WIDTH, HEIGHT = 50, 40


def pixels(channels=3, high=256, dtype=np.uint8):
    shape = (HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels)
    return np.random.default_rng(0).integers(0, high, shape).astype(dtype)


def by_pillow(path, mode='RGB', **options):
    Image.fromarray(pixels()).convert(mode).save(path, **options)


def by_opencv(path, array):
    options = [cv2.IMWRITE_TIFF_COMPRESSION, 1] if path.suffix == '.tif' else []  # plain values
    assert cv2.imwrite(str(path), array, options)


def frames(path):
    Image.fromarray(pixels()).save(path, save_all=True, append_images=[Image.fromarray(255 - pixels())])


def under_another_name(path, suffix):
    other = path.with_suffix(suffix)
    by_pillow(other)
    other.rename(path)


def not_finite(path):
    array = pixels(dtype=np.float32) / 255
    array[3, 4] = np.nan
    by_opencv(path, array)


def cut(path):
    by_pillow(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


ORDINARY = {
    'rgb.jpg': by_pillow,
    'grey.jpg': lambda p: by_pillow(p, 'L'),
    'rgb.png': by_pillow,
    'grey.png': lambda p: by_pillow(p, 'L'),
    'transparent.png': lambda p: by_pillow(p, 'RGBA'),
    'png.jpg': lambda p: under_another_name(p, '.png'),
}
"""Files of which Pillow alone decides."""
LOADED = {
    'cmyk.jpg': lambda p: by_pillow(p, 'CMYK'),
    'palette.png': lambda p: by_pillow(p, 'P'),
    'bits.png': lambda p: by_pillow(p, '1'),
    'webp.webp': by_pillow,
    'webp.jpg': lambda p: under_another_name(p, '.webp'),
    'bmp.bmp': by_pillow,
    'jpeg2000.jp2': by_pillow,
    'ppm.ppm': by_pillow,
    'tiff.tif': by_pillow,
    'radiance.hdr': lambda p: by_opencv(p, pixels(dtype=np.float32) / 255),
}
"""Files that LoadImageFromFile makes three channels of 8 bits of; Pillow does not read the last one."""
DEEP = {
    'deep.png': lambda p: by_opencv(p, pixels(1, 65536, np.uint16)),
    'deep_rgb.png': lambda p: by_opencv(p, pixels(3, 65536, np.uint16)),
    'deep.tif': lambda p: by_opencv(p, pixels(1, 65536, np.uint16)),
    'deep_rgb.tif': lambda p: by_opencv(p, pixels(3, 65536, np.uint16)),
}
"""Files of 16 bits, which it makes 8 of."""
FRAMES = {'frames.tif': frames, 'frames.png': frames, 'frames.webp': frames}
"""Files of which it loads the first of several images."""
FLOATS = {
    'float.tif': lambda p: by_opencv(p, pixels(1, dtype=np.float32) / 255),
    'float_rgb.tif': lambda p: by_opencv(p, pixels(dtype=np.float32) / 255),
}
"""Files of floating-point numbers, of which it makes nothing unless color_type is 'unchanged'."""
UNREAD = {
    'targa.tga': (by_pillow, 'cannot read it'),
    'icon.ico': (by_pillow, 'cannot read it'),
    'cut.jpg': (cut, 'truncated'),
    'cut.png': (cut, 'truncated'),
    'cut.webp': (cut, ''),
    'cut.tif': (cut, ''),
    'page.jpg': (lambda p: p.write_text('<!DOCTYPE html><html>404'), 'is a web page'),
    'error.jpg': (lambda p: p.write_text('<?xml version="1.0"?><Error>AccessDenied'), 'is XML'),
    'answer.png': (lambda p: p.write_text('{"message": "not found"}'), 'is JSON'),
    'drawing.png': (lambda p: p.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'is an SVG drawing'),
    'pointer.jpg': (lambda p: p.write_text('version https://git-lfs.github.com/spec/v1'), 'git lfs pull'),
    'empty.jpg': (lambda p: p.write_bytes(b''), 'is empty'),
    'zeros.jpg': (lambda p: p.write_bytes(bytes(2000)), 'holds nothing but zeros'),
    'paper.jpg': (lambda p: p.write_bytes(b'%PDF-1.7'), 'is a PDF'),
    '._rgb.jpg': (lambda p: p.write_bytes(b'\x00\x05\x16\x07\x00'), 'macOS'),
    'film.jpg': (lambda p: p.write_bytes(b'\0\0\0\x18ftypmp42\0\0\0\0'), 'is a video'),
    'phone.jpg': (lambda p: p.write_bytes(b'\0\0\0\x18ftypheic\0\0\0\0'), 'is a HEIC image'),
    'scan.jpg': (lambda p: p.write_bytes(bytes(128) + b'DICM'), 'is a DICOM file'),
    'folder.jpg': (lambda p: p.mkdir(), 'is a folder'),
    'pipe.jpg': (os.mkfifo, 'is no file, but a pipe'),
    'loop.jpg': (lambda p: p.symlink_to(p), 'Too many levels of symbolic links'),
    'nowhere.jpg': (lambda p: p.symlink_to(p.with_name('gone')), 'FileNotFoundError'),
    'new\nline.jpg': (lambda p: p.write_bytes(b''), 'is empty'),
    os.fsdecode(b'caf\xe9.jpg'): (lambda p: p.write_bytes(b''), 'is empty'),
}
"""What cannot be read, with a part of the reason."""
