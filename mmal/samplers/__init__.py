"""Samplers (query strategies): which unlabeled images to label next."""

from .badge import BadgeSampler
from .base import BaseSampler, Query, Sampler, Scores
from .coreset import CoresetSampler
from .fisher import FisherSampler
from .herding import HerdingSampler
from .influence import GradientSimilaritySampler, InfluenceSampler
from .learning_loss import LearningLossSampler
from .localization_stability import LocalizationStabilitySampler
from .ppal import PPALSampler
from .random import RandomSampler
from .uncertainty import EntropySampler, LeastConfidenceSampler, MarginSampler

__all__ = [
    'BadgeSampler',
    'BaseSampler',
    'CoresetSampler',
    'EntropySampler',
    'FisherSampler',
    'GradientSimilaritySampler',
    'HerdingSampler',
    'InfluenceSampler',
    'LearningLossSampler',
    'LeastConfidenceSampler',
    'LocalizationStabilitySampler',
    'MarginSampler',
    'PPALSampler',
    'Query',
    'RandomSampler',
    'Sampler',
    'Scores',
]
