from types import SimpleNamespace

from mmal.samplers.random import RandomSampler


def test_scores_are_uniform_and_change_with_seed_and_round():
    def score(seed=0, round=0):
        return RandomSampler().score(SimpleNamespace(ids=range(2000), seed=seed, round=round)).value

    values = list(score().values())
    assert min(values) >= 0
    assert max(values) < 1
    assert abs(sum(values) / 2000 - 0.5) < 0.03
    assert score() == score()
    assert score() != score(seed=1)
    assert score() != score(round=1)
