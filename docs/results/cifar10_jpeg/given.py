"""A sampler for one question: what if these images had been chosen?"""

from mmal.fileio.text import read_json
from mmal.registry import SAMPLERS
from mmal.samplers import BaseSampler, Query, Scores


@SAMPLERS.register_module()
class GivenSampler(BaseSampler):
    """Chooses the images whose ids a JSON file lists.

    Args:
        path: The file.
    """

    def __init__(self, path: str) -> None:
        self.given = set(read_json(path))

    def score(self, query: Query) -> Scores:
        return Scores({i: 0.0 if i in self.given else 1.0 for i in query.ids})
