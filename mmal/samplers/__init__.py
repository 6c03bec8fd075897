"""Samplers (query strategies): which unlabeled images to label next."""

from .base import Query, Sampler, Scores
from .influence import InfluenceSampler
from .random import RandomSampler

__all__ = ['InfluenceSampler', 'Query', 'RandomSampler', 'Sampler', 'Scores']
