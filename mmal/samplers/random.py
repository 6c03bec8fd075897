"""The random choice that every other sampler has to beat."""

from __future__ import annotations

from mmal.registry import SAMPLERS
from mmal.utils.seeding import uniform

from .base import BaseSampler, Query, Scores


@SAMPLERS.register_module()
class RandomSampler(BaseSampler):
    """Every image alike: the baseline any other sampler has to beat."""

    def score(self, query: Query) -> Scores:
        """Draw a uniform number in [0, 1) for each id, from the id, the seed and the round alone.

        Args:
            query: The images to score.

        Returns:
            The drawn numbers.
        """
        purpose = f'random/{query.round}'
        values = {}
        for image_id in query.ids:
            values[image_id] = uniform(image_id, query.seed, purpose)
        return Scores(values)
