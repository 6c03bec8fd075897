"""A small run on disk, made of files alone; and a real browser."""

import pytest
from PIL import Image

from mmal.adapters.detection.data import DetectionDataAdapter
from mmal.fileio.checksummed import write_checksummed
from mmal.fileio.text import write_csv, write_json
from mmal.run.layout import PHASES, RunPaths


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


def chosen(ids, lost=False):
    """``chosen.json`` of images; of lost ones, which can no longer be read, only the scores are known."""
    if lost:
        return dict(images=[dict(id=i, rank=rank, score=rank - 5.0, predictions=[], parts=None, nearest=None)
                            for rank, i in enumerate(ids)])
    return dict(images=[dict(
        id=i, rank=rank, score=rank - 5.0, predictions=[dict(bbox=[12, 6, 30, 20], label=1, score=0.876)],
        parts=dict(layers={'conv_cls': -4.0, 'conv_reg': -1.0}, classes={'dog': 0.5, '<cat>': -4.5}),
        nearest=dict(id=0, distance=1.25)) for rank, i in enumerate(ids)])


@pytest.fixture
def data(tmp_path):
    return Data(tmp_path / 'images')


@pytest.fixture
def run_dir(tmp_path):
    """Makes a run of rounds that chose the given ids; the last may be left after a phase."""
    def make(*queries, upto='label', lost=False):
        work_dir = tmp_path / 'run <1>'
        work_dir.mkdir()
        run = RunPaths(work_dir)
        write_json(run.initial, labeled([0]))
        known = [0]
        for number, ids in enumerate(queries):
            known = known + ids
            files = dict(train=1, evaluate=dict(images=len(known) - len(ids), boxes=2 * number + 2, metrics={
                'coco/bbox_mAP': 0.1 + number / 10, 'unreadable_images': 1.0}), s_test=1, select=ids,
                describe=chosen(ids, lost), label=labeled(known))
            paths = run.round(number)
            write_json(paths.s_test_report, dict(
                solver='CG', trace=[1.0, 0.1 / (number + 1)], iterations=2, residual=0.01, converged=True, n_params=10,
                n_reference=3, cos_s_test_v=0.5, total_seconds=1.0))
            phases = list(PHASES)[:list(PHASES).index(upto) + 1] if number == len(queries) - 1 else list(PHASES)
            for phase in phases:
                if phase == 'score':
                    rows = [[i, rank - 5.0, 1, rank, 1] for rank, i in enumerate(ids)] + [[99, 3, 1, 9, 0]]
                    write_csv(paths.artifact(phase), ['id', 'influence', 'pseudo_boxes', 'rank', 'selected'], rows)
                else:
                    write_json(paths.artifact(phase), files[phase])
            write_checksummed(paths.record, {phase: dict(seconds=1.0) for phase in phases})
        return work_dir

    return make
