from types import SimpleNamespace

import pytest

from mmal.errors import InputError
from mmal.oracles.base import Request
from mmal.registry import ORACLES


def test_it_reveals_only_what_is_asked(tmp_path):
    truth = {1: [dict(id=1, image_id=1)], 2: [], 3: [dict(id=2, image_id=3)]}
    data = SimpleNamespace(ground_truth=lambda ids: [a for i in ids for a in truth[i]], has_truth=True)
    oracle = ORACLES.build(dict(type='mmal.SimulatedOracle'), default_args=dict(data=data))
    answer = oracle.answer(Request([3, 2], tmp_path, None))
    assert (answer.ids, answer.annotations) == ([3, 2], truth[3])


def test_a_pool_without_annotations_is_refused():
    with pytest.raises(InputError, match='HumanOracle'):
        ORACLES.build(dict(type='mmal.SimulatedOracle'), default_args=dict(data=SimpleNamespace(has_truth=False)))
