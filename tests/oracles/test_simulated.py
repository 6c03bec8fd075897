from types import SimpleNamespace

from mmal.registry import ORACLES


def test_it_reveals_only_what_is_asked():
    truth = {1: [dict(id=1, image_id=1)], 2: [], 3: [dict(id=2, image_id=3)]}
    data = SimpleNamespace(truth=lambda ids: [a for i in ids for a in truth[i]])
    oracle = ORACLES.build(dict(type='mmal.SimulatedOracle'), default_args=dict(data=data))
    assert oracle.label([3, 2]) == truth[3]
