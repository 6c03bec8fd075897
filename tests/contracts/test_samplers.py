"""What every sampler must do, whatever it is."""

import math
import re

import pytest
import torch

from mmal.adapters import build_data_adapter
from mmal.engine.dry_run import dry_run
from mmal.engine.phases.select import Select
from mmal.fileio.atomic import write_bytes
from mmal.fileio.text import read_json
from mmal.pool.budget import BudgetUnit, spend
from mmal.pool.score_table import ranked_bytes
from mmal.registry import SAMPLERS
from mmal.run.copies import write_near_copies
from tests.engine.fakes import make_round, make_run
from tests.processes import together
from tests.sampler_fixtures import ranking

BOTH = [dict(type='mmal.RandomSampler'), dict(type='mmal.InfluenceSampler', score_thr=0.005),
        dict(type='mmal.GradientSimilaritySampler', score_thr=0.005),
        dict(type='mmal.InfluenceSampler', score_thr=0.005, max_cosine=None),
        dict(type='mmal.CoresetSampler'), dict(type='mmal.CoresetSampler', metric='cosine'),
        dict(type='mmal.HerdingSampler'),
        dict(type='mmal.EntropySampler', score_thr=0.005), dict(type='mmal.MarginSampler', aggregate='mean'),
        dict(type='mmal.LeastConfidenceSampler', aggregate='max'), dict(type='mmal.BadgeSampler', score_thr=0.005),
        dict(type='mmal.LearningLossSampler')]
DETECTION = [dict(type='mmal.InfluenceSampler', score_thr=0.005, cost='box'),
             dict(type='mmal.InfluenceSampler', score_thr=0.005, scale_by_boxes=True),
             dict(type='mmal.CoresetSampler', layers=['neck']),
             dict(type='mmal.LocalizationStabilitySampler', score_thr=0.005, levels=(8, 32)),
             dict(type='mmal.PPALSampler', score_thr=0.005, candidates=2)]
CLASSIFICATION = [dict(type='mmal.HerdingSampler', uncertainty=True),
                  dict(type='mmal.FisherSampler'), dict(type='mmal.FisherSampler', target='both', balance=True),
                  dict(type='mmal.FisherSampler', target='reference', l2=1.0), dict(type='mmal.FisherSampler', rank=2),
                  dict(type='mmal.InfluenceSampler', batch='fisher', filter=2.0),
                  dict(type='mmal.GradientSimilaritySampler', batch='fisher', target='pool', check_filter=False)]
CASES = [('detection', cfg) for cfg in BOTH + DETECTION] + [('classification', cfg) for cfg in BOTH + CLASSIFICATION]


def name_of(case):
    kind, cfg = case
    return '-'.join([kind, cfg['type'][5:], *(k for k in cfg if k not in ('type', 'score_thr', 'levels'))])


@pytest.fixture(params=CASES, ids=name_of)
def case(request):
    return request.param


@pytest.fixture
def sampler(case):
    return SAMPLERS.build(case[1])


def test_every_id_gets_one_finite_score_and_no_other_does(sampler, ask, ids):
    asked = [ids[4], ids[7], ids[11]]
    scores = ask(sampler, asked)
    assert sorted(scores.value) == asked
    assert all(math.isfinite(v) for v in scores.value.values())
    assert not scores.unreadable
    assert set(scores.order) <= set(asked)
    assert sorted(ranking(scores)) == asked, 'no repeats'


def test_deterministic_in_the_seed_and_indifferent_to_order(sampler, ask, ids):
    first = ask(sampler)
    assert ask(sampler).value == first.value
    for other in (ask(sampler, ids[:2:-1]), ask(sampler, order=-1), ask(sampler, batch_size=1)):
        assert other.value == pytest.approx(first.value, rel=2e-3, abs=1e-5)
        assert ranking(other) == ranking(first)


def test_ground_truth_is_not_reached(sampler, ask, world):
    first = ask(sampler)
    world.falsify()
    assert ask(sampler).value == first.value


def test_one_image_no_image_and_a_budget_beyond_the_pool(sampler, ask, ids):
    assert list(ask(sampler, [ids[7]]).value) == [ids[7]]
    assert ask(sampler, []).value == {}
    everything = ask(sampler, budget=99)
    assert sorted(spend(ranking(everything), 99, lambda i: 1)) == ids[3:]


def test_nothing_is_labeled_yet(sampler, ask, ids):
    """A cold start."""
    scores = ask(sampler, ids, labeled=[])
    assert sorted(ranking(scores)) == ids
    assert all(math.isfinite(v) for v in scores.value.values())


def test_where_all_images_are_copies_the_choice_is_whole_and_indifferent_to_order(sampler, ask, world, ids):
    """Batches of one image: a neighbour in the batch would make differences of rounding."""
    pictures = world.pictures()
    for picture in pictures[1:]:
        picture.write_bytes(pictures[0].read_bytes())
    for labeled in (ids[:3], []):
        scores = ask(sampler, batch_size=1, labeled=labeled)
        assert all(math.isfinite(v) for v in scores.value.values())
        assert sorted(ranking(scores)) == ids[3:]
        for other in (ask(sampler, ids[:2:-1], batch_size=1, labeled=labeled[::-1]),
                      ask(sampler, order=-1, batch_size=1, labeled=labeled)):
            assert other.value == scores.value
            assert ranking(other) == ranking(scores)


@pytest.mark.parametrize('unit', BudgetUnit)
def test_a_copy_is_never_chosen(sampler, case, ask, world, ids, tmp_path, unit):
    """Byte-identical to a labeled image, to an image that was held out, or to another candidate; in any unit."""
    if unit is BudgetUnit.SECOND or case[0] == 'classification' and unit is not BudgetUnit.IMAGE:
        pytest.skip('needs people, or boxes')
    pictures = dict(zip(ids, world.pictures(), strict=True))
    copies = {ids[4]: ids[1], ids[6]: ids[1], ids[9]: ids[8], ids[12]: ids[8]}
    for copy, original in copies.items():
        pictures[copy].write_bytes(pictures[original].read_bytes())
    run = make_run(tmp_path / 'run', data=build_data_adapter(world.cfg), sampler=sampler, query=99, unit=unit)
    round_ = make_round(run, labeled=ids[:3])
    scores, artifact = ask(sampler), round_.state.artifact('score')
    write_near_copies(round_.state.paths, scores.near_copies, scores.value)
    write_bytes(artifact, ranked_bytes(sampler.column, scores.ranked(0, 'ties/0'), scores.near_copies))
    round_.state.record['score'] = dict(seconds=0)
    Select().execute(run, round_, round_.state.artifact('select'))
    selected = read_json(round_.state.artifact('select'))
    assert not {ids[4], ids[6]} & set(selected)
    assert len({ids[8], ids[9], ids[12]} & set(selected)) == 1
    assert len(selected) == len(ids) - 3 - 4, 'all others'


def test_an_image_that_cannot_be_read_is_named_and_has_no_score(sampler, ask, world, ids, case):
    if case[1]['type'] == 'mmal.RandomSampler':
        pytest.skip('looks at no image')
    world.spoil(ids[5])
    scores = ask(sampler)
    assert list(scores.unreadable) == [ids[5]]
    assert ids[5] not in ranking(scores)
    assert len(ranking(scores)) == 10


def test_an_image_that_is_not_finite_ranks_last(sampler, ask, ids, case, monkeypatch):
    if case[1]['type'] == 'mmal.RandomSampler':
        pytest.skip('looks at no image')
    from mmal.samplers import pool_pass
    original, target = pool_pass.batches, ids[6]
    rows = {}

    def nan_pixels(dataset, order, *args):
        for batch in original(dataset, order, *args):
            yield [(r, dict(item, inputs=item['inputs'].float() * torch.nan) if r == rows[target] else item)
                   for r, item in batch]

    monkeypatch.setattr(pool_pass, 'batches', nan_pixels)

    def remember(query):
        rows.update(query.images()[1])
        return query

    ask(type('Peek', (), dict(score=staticmethod(remember)))())
    scores = ask(sampler)
    if target in scores.nonfinite:
        assert ranking(scores)[-1] == target
        assert target not in scores.order
    else:  # a detector finds nothing there: as good as an empty image
        assert case[0] == 'detection'
        assert math.isfinite(scores.value[target])


def test_several_processes_choose_what_one_does(sampler, case, ask, ids, tmp_path):
    """Eleven images: the shares differ in size."""
    whole = ask(sampler)
    world = 4 if case[1]['type'] in ('mmal.InfluenceSampler', 'mmal.CoresetSampler') else 2
    shared = together(world, tmp_path, lambda: ask(sampler, pass_dir=tmp_path / 'shared'))
    assert repr(shared.value) == repr(whole.value), 'to the last digit'
    assert ranking(shared) == ranking(whole)
    assert sorted(shared.value) == ids[3:]


def test_an_interrupted_query_goes_on_and_visits_no_image_twice(sampler, ask, tmp_path, monkeypatch):
    from mmal.samplers import pool_pass
    whole, real, visited = ask(sampler), pool_pass.batches, []

    def stopping(dataset, order, *args):
        for n, batch in enumerate(real(dataset, order, *args)):
            if stop and n == 1:
                raise KeyboardInterrupt
            visited.extend(row for row, _ in batch)
            yield batch

    monkeypatch.setattr(pool_pass, 'batches', stopping)
    monkeypatch.setattr(pool_pass, 'FLUSH_SECONDS', 0)
    stop = False
    ask(sampler)
    straight, visited[:], stop = sorted(visited), [], True
    if straight:
        with pytest.raises(KeyboardInterrupt):
            ask(sampler, pass_dir=tmp_path / 'stopped')
    stop = False
    again = ask(sampler, pass_dir=tmp_path / 'stopped')
    assert sorted(visited) == straight
    assert repr(again.value) == repr(whole.value), 'to the last digit'
    assert ranking(again) == ranking(whole)


def test_column_and_need_are_stated(sampler):
    assert isinstance(sampler.column, str)
    assert isinstance(sampler.needs_s_test, bool)
    assert sampler.solver is None or sampler.needs_s_test


def test_what_it_can_work_on_is_not_refused(sampler, world):
    assert sampler.check(build_data_adapter(world.cfg), 4, world.model) is None


REFUSED = [(('detection', dict(type='mmal.InfluenceSampler', top_k=2)), r'Sampler\(top_k=2\) is for classifiers'),
           (('detection', dict(type='mmal.GradientSimilaritySampler', top_k=2)), 'is for classifiers'),
           (('detection', dict(type='mmal.LearningLossSampler')), 'needs a model with a loss-prediction module'),
           (('classification', dict(type='mmal.LearningLossSampler')), 'needs a model with a loss-prediction module'),
           (('classification', dict(type='mmal.LocalizationStabilitySampler')), 'is for detectors'),
           (('classification', dict(type='mmal.PPALSampler')), 'is for detectors'),
           (('detection', dict(type='mmal.HerdingSampler', uncertainty=True)), 'is for classifiers'),
           (('detection', dict(type='mmal.FisherSampler')), 'Fisher selection is for classifiers'),
           (('detection', dict(type='mmal.InfluenceSampler', batch='fisher')), 'Fisher selection is for classifiers'),
           (('detection', dict(type='mmal.CoresetSampler', layers=['nek'])), "has no module 'nek'"),
           *((('classification', dict(type=f'mmal.{name}Sampler', layers=['nek'])), "has no module 'nek'")
             for name in ('Influence', 'Entropy', 'Fisher'))]


@pytest.mark.parametrize(('case', 'message'), REFUSED, ids=[name_of(case) for case, _ in REFUSED])
def test_what_cannot_work_is_refused_before_training(world, case, message):
    """Of a dry run, which builds a run and checks it, this is a problem."""
    cfg = world.cfg
    cfg.train_cfg.update(initial=6, query=3)
    cfg.train_cfg.sampler = case[1]  # an update would merge
    cfg.resume = False
    cfg.setdefault('work_dir', str(world.pictures()[0].parent / 'run'))
    cfg.setdefault('launcher', 'none')
    problems = dry_run(cfg)[1]
    assert any(re.search(message, problem) for problem in problems), problems
