"""What methods hold out because one of them needs it: shared, and said."""

import pytest
from mmengine.config import Config

from mmal.benchmark.plan import Plan
from mmal.benchmark.report.build import write_comparison
from mmal.fileio.checksummed import read_checksummed, write_checksummed
from tests.benchmark.test_plan import PLAN

pytestmark = pytest.mark.usefixtures('no_drawing')
HOLDOUT = PLAN.replace("'train_cfg.rounds': 4", "'train_cfg.rounds': 4, "
                       "'custom_hooks.0.reference': 'holdout'")


@pytest.fixture
def plan(tmp_path):
    def make(text):
        (tmp_path / 'plan.py').write_text(text)
        return Plan(tmp_path / 'plan.py', tmp_path / 'work')
    return make


def configs(made):
    return {run.method: Config.fromfile(made.prepare(run)) for run in made.runs()}


def test_all_hold_out_what_one_needs(plan):
    made = plan(HOLDOUT)
    assert (made.holdout.share, made.holdout.needless) == (0.2, ['random'])
    assert {name: cfg.train_cfg.holdout for name, cfg in configs(made).items()} == dict(random=0.2, isal=0.2)
    assert made.runs()[1].start_from == made.runs()[0].folder


def test_nothing_is_held_out_where_nobody_needs_it(plan):
    made = plan(PLAN)
    assert made.holdout is None
    assert all('holdout' not in cfg.train_cfg for cfg in configs(made).values())
    only_isal = HOLDOUT.replace("    random=dict(sampler=dict(type='mmal.RandomSampler')),\n", '')
    assert plan(only_isal).holdout is None


def test_a_method_may_train_on_all_with_a_first_model_of_its_own(plan):
    made = plan(HOLDOUT.replace("'mmal.RandomSampler')", "'mmal.RandomSampler'), options={'train_cfg.holdout': 0}"))
    assert made.holdout is None
    assert {name: cfg.train_cfg.holdout for name, cfg in configs(made).items()} == dict(random=0, isal=0.2)
    assert [run.start_from for run in made.runs()] == [None] * 4


def test_the_page_and_the_tables_say_so(folder):
    made = folder(seeds=[0], rounds=2)
    root = made.save(holdout=dict(share=0.2, needless=['random']))
    write_comparison(root)
    for name in ('comparison.html', 'tables.md'):
        text = (root / name).read_text()
        assert 'All methods hold out 20% of the initial images' in text
        assert 'by themselves, random would be trained on all' in text
    made.save(holdout=None)
    write_comparison(root)
    assert 'hold out' not in (root / 'tables.md').read_text()


def test_methods_whose_metric_is_optimistic_are_named_where_it_stands(folder):
    made = folder(seeds=[0, 1], rounds=2)
    root = made.save()
    for seed in (0, 1):
        overlap = dict(images=3, evaluation=4, by='file and content')
        write_checksummed(made.path('ISAL', seed) / 'run.json', dict(overlap=overlap))
        write_checksummed(made.path('random', seed) / 'run.json', dict(seed=seed))
    write_comparison(root)
    for name in ('comparison.html', 'tables.md'):
        text = (root / name).read_text()
        assert text.count('ISAL: 3 of the 4 evaluation images are in the reference set') == 1
        assert 'random: 3 of' not in text
    assert read_checksummed(root / 'comparison.json')['methods'] == ['random', 'ISAL']
