"""The answer of a sampler, and the defaults of its base class."""

import logging
import math

import pytest

from mmal.samplers.base import BaseSampler, Scores

FINDINGS = {'a': (0.5, 2), 'b': (math.nan, 0), 'c': (-1.0, 1)}


def test_findings_become_scores_and_numbers_of_predictions():
    scores = Scores.from_findings(FINDINGS, {'d': 'broken'})
    assert repr(scores.value) == repr({'a': 0.5, 'b': math.nan, 'c': -1.0})
    assert scores.pseudo_boxes == dict(a=2, b=0, c=1)
    assert scores.unreadable == dict(d='broken')
    assert scores.order == []


def test_what_is_not_finite_is_named_and_ranks_last(caplog):
    scores = Scores.from_findings(FINDINGS, {}).record_nonfinite(logging.getLogger())
    assert scores.nonfinite == ['b']
    assert caplog.messages == ['Image b is ranked last: its score is not finite.']
    assert scores.ranking(0, 'x') == ['c', 'a', 'b']
    assert scores.finite_ranking(0, 'x') == ['c', 'a']


def test_a_sampler_needs_only_a_score():
    class Constant(BaseSampler):
        def score(self, query):
            return Scores(dict.fromkeys(query.ids, 0.0))

    sampler = Constant()
    assert (sampler.needs_s_test, sampler.solver, sampler.column) == (False, None, 'score')
    assert sampler.check(None, 1, None) is None
    with pytest.raises(TypeError, match='score'):
        BaseSampler()
