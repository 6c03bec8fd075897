from mmal.registry import SAMPLERS
from mmal.utils.seeding import uniform

from .base import Query, Scores


@SAMPLERS.register_module()
class RandomSampler:
    """Every image alike: the baseline any other sampler has to beat."""

    needs_s_test = False
    solver = None
    column = 'score'

    def score(self, query: Query) -> Scores:
        """A uniform number in [0, 1) by id, seed and round."""
        return Scores({i: uniform(i, query.seed, f'random/{query.round}') for i in query.ids})
