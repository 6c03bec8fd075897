"""A small run on disk, made of files alone; and a real browser."""

import json
import logging

import pytest
from mmal.adapters.detection.data import DetectionDataAdapter
from mmal.fileio.text import write_csv, write_json
from mmal.run.layout import PHASES
from mmal.run.round_state import RoundState
from PIL import Image

LOG = logging.getLogger()


class Data:
    """Data of six pictures of 80 x 40, two classes; the last picture is gone."""

    has_boxes, classes = True, ('dog', '<cat>')
    categories = [dict(id=7, name='dog'), dict(id=9, name='<cat>')]
    read_labeled = staticmethod(DetectionDataAdapter.read_labeled)

    def __init__(self, folder):
        self.folder, self.images = folder, [dict(id=i) for i in range(6)]
        folder.mkdir()
        for i in range(5):
            Image.new('RGB', (80, 40), (40 * i, 90, 0)).save(self.image_path(i))

    def image_path(self, image_id):
        return str(self.folder / f'{image_id}.png')


def labeled(ids):
    """COCO of images with one box each, of the classes in turn."""
    return dict(images=[dict(id=i) for i in ids], categories=Data.categories, annotations=[
        dict(id=i, image_id=i, category_id=9 if i % 2 else 7, bbox=[10, 5, 30, 20]) for i in ids])


def chosen(ids):
    return dict(images=[dict(
        id=i, rank=rank, score=rank - 5.0, predictions=[dict(bbox=[12, 6, 30, 20], label=1, score=0.876)],
        parts=dict(layers={'conv_cls': -4.0, 'conv_reg': -1.0}, classes={'dog': 0.5, '<cat>': -4.5}),
        nearest=dict(id=0, distance=1.25)) for rank, i in enumerate(ids)])


@pytest.fixture
def data(tmp_path):
    return Data(tmp_path / 'images')


@pytest.fixture
def run_dir(tmp_path):
    """Makes a run of rounds that chose the given ids; the last may be left after a phase, or be of an old version."""
    def make(*queries, upto='label', old=False):
        work_dir = tmp_path / 'run <1>'
        work_dir.mkdir()
        write_json(work_dir / 'initial.json', labeled([0]))
        known = [0]
        for number, ids in enumerate(queries):
            known = known + ids
            files = dict(train=1, evaluate=dict(images=len(known) - len(ids), boxes=2 * number + 2, metrics={
                'coco/bbox_mAP': 0.1 + number / 10, 'unreadable_images': 1.0}), s_test=1, select=ids,
                describe=chosen(ids), label=labeled(known))
            folder = RoundState(work_dir, number)
            write_json(folder.path / 's_test.json', dict(
                solver='CG', trace=[1.0, 0.1 / (number + 1)], iterations=2, residual=0.01, converged=True, n_params=10,
                n_reference=3, cos_s_test_v=0.5, total_seconds=1.0))
            phases = list(PHASES)[:list(PHASES).index(upto) + 1] if number == len(queries) - 1 else list(PHASES)
            for phase in phases:
                if phase == 'score':
                    rows = [[i, rank - 5.0, 1, rank, 1] for rank, i in enumerate(ids)] + [[99, 3, 1, 9, 0]]
                    folder.run(phase, lambda path, r=rows: write_csv(
                        path, ['id', 'influence', 'pseudo_boxes', 'rank', 'selected'], r), LOG)
                elif not (old and phase == 'describe'):
                    folder.run(phase, lambda path, f=files[phase]: path.write_text(json.dumps(f)), LOG)
        return work_dir

    return make
