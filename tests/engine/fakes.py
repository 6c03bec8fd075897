"""A run without a Runner, a model and images: what phases are tested with."""

import logging
from types import SimpleNamespace

from mmal.engine.cold_start import ColdStart
from mmal.engine.context import Evaluation, Round, RunContext
from mmal.engine.settings import LoopSettings
from mmal.fileio.text import read_json, write_json
from mmal.oracles.base import OracleResponse
from mmal.pool.pool import Pool
from mmal.run.layout import RunPaths
from mmal.run.round_state import RoundState
from mmal.run.unreadable import UnreadableList
from mmal.samplers.base import Scores


class FakeData:
    """Ten images; each has as many boxes as its id says."""

    has_boxes = True
    has_truth = True
    is_local = False
    several_labels = False
    classes = ('cat', 'dog')
    categories = (dict(id=1, name='cat'), dict(id=2, name='dog'))
    images = tuple(dict(id=n, file_name=f'{n}.png') for n in range(1, 11))

    def image_path(self, image_id):
        return f'/images/{image_id}.png'

    def pixel_digest(self, image_id):
        return ''

    def image_root(self):
        return '/images'

    def file_info(self, image_id):
        return dict(file_name=f'{image_id}.png', width=64, height=48)

    def ground_truth(self, ids):
        return [dict(image_id=i, category_id=1, bbox=[0, 0, 9, 9]) for i in ids for _ in range(i)]

    def labeled_contents(self, ids, annotations):
        return dict(images=list(ids), annotations=annotations)

    def read_labeled(self, path):
        if not path.exists():
            return [], []
        content = read_json(path)
        return content['images'], content['annotations']


class FakeOracle:
    """Reveals the truth, or waits for ever."""

    is_human = False

    def __init__(self, data):
        self.data = data

    def answer(self, request):
        return OracleResponse(list(request.ids), self.data.ground_truth(request.ids), {}, [])


class FakeSampler:
    """The higher the id, the more helpful."""

    needs_s_test = False
    solver = None
    column = 'score'

    def score(self, query):
        return Scores({i: -float(i) for i in query.ids}, pseudo_boxes=dict.fromkeys(query.ids, 2))


class FakeModel:
    """Is trained by writing its number."""

    seed = 7

    def __init__(self, number, metrics):
        self.number, self.metrics, self.released = number, metrics, False

    def train(self, checkpoint):
        write_json(checkpoint, self.number)

    def evaluate(self):
        return Evaluation(dict(self.metrics))

    def adapter(self):
        raise AssertionError('no phase of these tests looks at a model')

    def release(self):
        self.released = True


def make_run(work_dir, **changes):
    """A RunContext of fakes; settings and fields can be replaced by name."""
    settings = {name: changes.pop(name) for name in list(changes) if name in LoopSettings.__dataclass_fields__}
    data = changes.pop('data', None) or FakeData()
    paths, log = RunPaths(work_dir), logging.getLogger('fakes')
    fields = dict(settings=LoopSettings(**(dict(initial=2, query=3, rounds=2) | settings)), paths=paths,
                  cfg=SimpleNamespace(get=lambda key, default=None: default, train_dataloader={}), data=data,
                  sampler=FakeSampler(), oracle=FakeOracle(data), models=None, stest=None, cold_start=ColdStart(),
                  unreadable=UnreadableList(paths.unreadable, data.image_path, log), log=log)
    run = RunContext(**(fields | changes))
    run.unreadable.write({})
    return run


def make_round(run, number=0, labeled=(1, 2), **metrics):
    """A round of it whose model was trained on the images ``labeled``."""
    labeled_file = run.paths.initial
    write_json(labeled_file, run.data.labeled_contents(list(labeled), run.data.ground_truth(labeled)))
    pool = Pool(run.pool_ids, list(labeled))
    model = FakeModel(number, metrics or dict(mAP=0.5))
    return Round(RoundState(run.paths.work_dir, number), labeled_file, pool, model, lambda: (None, {}))
