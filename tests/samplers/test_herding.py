import pytest
import torch

from mmal.samplers.algorithms.max_herding import gaussian_kernel
from mmal.samplers.herding import HerdingSampler
from tests.sampler_fixtures import ranking


@pytest.fixture(params=['classification', 'detection'])
def case(request):
    return request.param, dict(type='mmal.HerdingSampler')


def features_of(world, ids, ask):
    """Unit vectors of what goes into the last layers, by id."""
    from mmal.samplers import herding
    found = {}
    original = herding.extract_features

    def remember(*args):
        vectors, unreadable = original(*args)
        found.update(vectors)
        return vectors, unreadable

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(herding, 'extract_features', remember)
        scores = ask(HerdingSampler(), budget=4)
    vectors = {i: torch.nn.functional.normalize(torch.from_numpy(v), dim=0) for i, v in found.items()}
    return vectors, scores


def test_the_first_image_covers_the_pool_most_and_its_score_is_minus_the_gain(world, ask, ids):
    vectors, scores = features_of(world, ids, ask)
    every = torch.stack([vectors[i] for i in ids])
    labeled = every[:3]
    covered = gaussian_kernel(labeled, every, 1.0).amax(0)
    gains = {}
    for i in ids[3:]:
        added = gaussian_kernel(vectors[i][None], every, 1.0)[0] - covered
        gains[i] = float(added.clamp(min=0).mean())
    first = ranking(scores)[0]
    assert gains[first] == pytest.approx(max(gains.values()), abs=1e-6)
    assert scores.value[first] == pytest.approx(-gains[first], abs=1e-6)
    assert len(scores.order) == 4


def test_of_a_large_pool_a_sample_is_to_be_covered(world, ask, monkeypatch):
    from mmal.samplers import herding
    seen = []
    monkeypatch.setattr(herding, 'max_herding', lambda points, targets, *rest, original=herding.max_herding:
                        seen.append(len(targets)) or original(points, targets, *rest))
    for n, share, expected in ((5, 1, 5), (2000, 1, 14), (2000, 0.5, 7), (5, 0.5, 5), (2000, 0.01, 1)):
        ask(HerdingSampler(max_targets=n, target_share=share))
        assert seen.pop() == expected


def test_labeled_images_that_are_held_out_cover_nothing_and_are_to_be_covered(world, ask, ids, monkeypatch):
    from mmal.samplers import herding
    seen = []
    monkeypatch.setattr(herding, 'max_herding', lambda points, targets, centers, *rest, original=herding.max_herding:
                        seen.append((len(targets), len(centers))) or original(points, targets, centers, *rest))
    ask(HerdingSampler(), labeled=ids[:3], held_out=ids[:2])
    assert seen == [(14, 1)]


@pytest.mark.parametrize('argument', [dict(radius=0), dict(radius=float('nan')), dict(max_targets=0),
                                      dict(target_share=0), dict(target_share=1.1)])
def test_settings_out_of_range(argument):
    with pytest.raises(ValueError, match=f'HerdingSampler: expected {next(iter(argument))}'):
        HerdingSampler(**argument)
