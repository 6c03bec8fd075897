"""What every oracle promises. (That of a real annotation server is asked the same in tests/label_studio.)"""

import inspect

import pytest

from mmal.annotation.batch import Batch, BatchImage
from mmal.annotation.importer import import_file
from mmal.oracles.base import LabelsPending, Request
from mmal.oracles.human import HumanOracle
from mmal.oracles.label_studio import AnnotationServer
from mmal.oracles.simulated import SimulatedOracle
from tests.annotation.annotation_fixtures import write

TRUTH = {3: [[10, 20, 30, 40]], 9: [], 11: [[5, 5, 200, 200], [1, 2, 3, 4]]}


class Data:
    """Data side of a small pool."""

    has_truth, has_files, classes = True, True, ('car', )
    categories = [dict(id=1, name='car')]

    @staticmethod
    def ground_truth(ids):
        return [dict(id=100 * i + n, image_id=i, category_id=1, bbox=b, area=b[2] * b[3], iscrowd=0)
                for i in ids for n, b in enumerate(TRUTH[i])]


def batch():
    images = [BatchImage(i, f'{i}.jpg', rank, 640, 480) for rank, i in enumerate(TRUTH)]
    return Batch('round_00', list(Data.classes), Data.categories, '/data', images)


def simulated(request):
    return SimulatedOracle(Data).answer(request)


def people(request):
    """Asked, labeled, asked again."""
    oracle = HumanOracle(Data)
    try:
        return oracle.answer(request)
    except LabelsPending:
        content = dict(images=[dict(id=i, file_name=f'{i}.jpg', labeled=True) for i in TRUTH],
                       annotations=Data.ground_truth(TRUTH), categories=Data.categories)
        import_file(request.folder, write(request.folder.parent / 'f.json', content))
        return oracle.answer(request)


@pytest.fixture(params=[simulated, people], ids=lambda f: f.__name__)
def answer(request):
    return request.param


def as_boxes(answered):
    return sorted((a['image_id'], a['category_id'], *a['bbox'], a['area'], a['iscrowd']) for a in answered.annotations)


def test_images_in_the_order_asked_with_their_boxes_and_no_others(answer, tmp_path):
    found = answer(Request(list(TRUTH), tmp_path / 'round_00', batch))
    assert found.ids == list(TRUTH), 'an image without objects is labeled, too'
    assert as_boxes(found) == as_boxes(SimulatedOracle(Data).answer(Request(list(TRUTH), tmp_path, None)))
    assert set(found.seconds) <= set(found.ids)
    assert not set(found.skipped) & set(found.ids)


def test_the_same_request_has_the_same_answer(answer, tmp_path):
    request = Request(list(TRUTH), tmp_path / 'round_00', batch)
    assert answer(request) == answer(request)


def test_a_budget_may_know_costs_beforehand_only_where_nobody_is_paid():
    assert [oracle.is_human for oracle in (SimulatedOracle, HumanOracle)] == [False, True]


@pytest.mark.parametrize('oracle', [SimulatedOracle, HumanOracle, AnnotationServer])
def test_what_a_resumed_run_may_change_are_arguments(oracle):
    arguments = set(inspect.signature(oracle).parameters) - {'data'}
    assert arguments >= set(oracle.result_neutral)
    assert len(set(oracle.result_neutral)) == len(oracle.result_neutral)
