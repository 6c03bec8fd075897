import pytest

from mmal.benchmark.plan import Plan, RunStatus
from mmal.errors import InputError
from mmal.fileio.checksummed import write_checksummed
from mmal.fileio.text import read_json, write_json
from tests.zoo_configs import ROOT

PLAN = f"""
config = '{ROOT}/configs/resnet_digits_isal.py'
seeds = [0, 3]
options = {{'train_cfg.rounds': 4}}
methods = dict(
    random=dict(sampler=dict(type='mmal.RandomSampler')),
    isal=dict(sampler=dict(type='mmal.InfluenceSampler', top_k=2), options={{'custom_hooks.0.params': ['head.fc']}}))
"""


@pytest.fixture
def plan(tmp_path):
    def make(text=PLAN):
        (tmp_path / 'plan.py').write_text(text)
        return Plan(tmp_path / 'plan.py', tmp_path / 'work')
    return make


def test_every_method_with_every_seed_the_first_leads(plan, tmp_path):
    runs = plan().runs()
    assert [(r.method, r.seed) for r in runs] == [('random', 0), ('isal', 0), ('random', 3), ('isal', 3)]
    random = tmp_path / 'work' / 'random'
    assert [r.start_from for r in runs] == [None, random / 'seed_0', None, random / 'seed_3']
    assert {r.rounds for r in runs} == {4}
    assert not any(r.read_status().done for r in runs)
    assert plan().baseline == 'random'


def test_only_methods_that_choose_the_first_images_alike_share_them(plan, tmp_path):
    herded = """dict(sampler=dict(type='mmal.RandomSampler'), options={
        'train_cfg.cold_start': dict(type='mmal.HerdingSampler', layers=['backbone'])})"""
    at_random = "dict(sampler=dict(type='mmal.EntropySampler'), options={'train_cfg.cold_start': 'random'})"
    text = PLAN + f'methods.update(herded={herded}, herded_too={herded}, at_random={at_random})\n'
    leaders = {r.method: r.start_from and r.start_from.parent.name for r in plan(text).runs() if r.seed == 0}
    assert leaders == dict(random=None, isal='random', herded=None, herded_too='herded', at_random=None)


def test_a_runs_config_has_what_plan_and_method_say(plan, tmp_path):
    from mmengine.config import Config
    made = plan()
    run = made.runs()[1]
    cfg = Config.fromfile(made.prepare(run))
    assert cfg.train_cfg.sampler == dict(type='mmal.InfluenceSampler', top_k=2)
    assert cfg.train_cfg.rounds == 4
    assert cfg.custom_hooks[0].params == ['head.fc']
    assert 'start_from' not in cfg.train_cfg, 'the leader has not begun'
    write_checksummed(run.start_from / 'run.json', dict(files={}))
    assert 'start_from' not in Config.fromfile(made.prepare(run)).train_cfg, 'it was ended before it had its images'
    write_json(run.start_from / 'initial.json', [])
    write_checksummed(run.start_from / 'run.json', dict(files={'initial.json': ''}))
    assert Config.fromfile(made.prepare(run)).train_cfg.start_from == str(run.start_from)


def test_only_what_changed_is_run_again_and_the_old_is_kept(plan, tmp_path):
    made = plan()
    for run in made.runs():
        made.prepare(run)
        run.mark(done=True)
        (run.folder / 'kept.txt').write_text(run.method)
    assert all(r.read_status().done for r in made.runs())
    edited = plan(PLAN.replace('top_k=2', 'top_k=1'))
    assert [(r.method, r.read_status().done) for r in edited.runs()] == [('random', True), ('isal', False)] * 2
    edited.prepare(edited.runs()[1])
    assert not (edited.runs()[1].folder / 'kept.txt').exists()
    aside, = (tmp_path / 'work' / 'replaced').glob('isal_seed_0_*')
    assert (aside / 'kept.txt').read_text() == 'isal'
    longer = plan(PLAN.replace("rounds': 4", "rounds': 6"))
    assert not any(r.read_status().done for r in longer.runs())
    longer.prepare(longer.runs()[0])
    assert (longer.runs()[0].folder / 'kept.txt').exists(), 'more rounds go on where the run ended'
    assert all(r.read_status().done for r in plan(PLAN.replace("rounds': 4", "rounds': 2")).runs()[2:])
    assert read_json(made.runs()[3].folder / 'plan.json')['done'] == 4


def test_an_edit_that_changes_no_result_keeps_every_run(plan):
    for run in plan().runs():
        run.mark(done=True)
    harmless = ("'train_dataloader.num_workers': 3", "'default_hooks.logger.interval': 7", "'data_root': 'elsewhere/'",
                "'log_level': 'DEBUG'", "'train_cfg.allow_config_change': True")
    assert all(r.read_status().done for r in plan(PLAN.replace("{'train", f"{{{', '.join(harmless)}, 'train")).runs())
    changed = plan(PLAN.replace("{'train", "{'train_dataloader.batch_size': 7, 'train"))
    assert not any(r.read_status().begun for r in changed.runs())


def test_runs_go_on_where_the_plan_says_anew_when_to_stop(plan):
    stop = PLAN.replace("{'train", "{'train_cfg.stop': dict(target=0.5), 'train")
    for run in plan(stop).runs():
        run.mark(done=True)
    assert all(r.read_status().done for r in plan(stop).runs())
    for text in (stop.replace('0.5', '0.9'), PLAN):
        assert [(r.read_status().begun, r.read_status().done) for r in plan(text).runs()] == [(True, False)] * 4
    other = plan(PLAN).runs()[0]
    plan(PLAN).prepare(other)
    other.mark(done=True)
    assert [r.read_status().done for r in plan(PLAN).runs()] == [True, False, False, False]


def test_people_are_not_asked_by_a_plan(plan):
    for kind in ('HumanOracle', 'AnnotationServer'):
        with pytest.raises(InputError, match=f"method 'isal' has its images labeled by people .mmal.{kind}"):
            plan(PLAN.replace("options={'c", f"options={{'train_cfg.oracle': dict(type='mmal.{kind}'), 'c"))
    plan(PLAN.replace("options={'c", "options={'train_cfg.oracle': dict(type='mmal.SimulatedOracle'), 'c"))


def test_nothing_of_another_config_is_told_of_a_run(plan):
    run = plan().runs()[1]
    run.mark(done=False, error='no space')
    edited = plan(PLAN.replace('top_k=2', 'top_k=1')).runs()[1]
    assert (edited.read_status(), edited.read_rounds_done()) == (RunStatus(begun=False, done=False, error=None), 0)


def test_evaluated_rounds_are_counted_from_the_folder(plan):
    run = plan().runs()[0]
    plan().prepare(run)
    assert run.read_rounds_done() == 0
    for number, phases in ((0, ('train', 'evaluate', 'label')), (1, ('train', 'evaluate')), (2, ('train', ))):
        folder = run.folder / f'round_{number:02d}'
        write_checksummed(folder / 'phases.json', {phase: dict(seconds=1.0) for phase in phases})
        write_json(folder / 'metrics.json', [])
    assert run.read_rounds_done() == 2


@pytest.mark.parametrize(('text', 'message'), [
    (PLAN.replace('seeds', 'seed'), 'needs config, seeds and methods'),
    (PLAN + 'targets = 3', 'unknown targets'),
    (PLAN + "baseline = 'coreset'", "baseline 'coreset' is no method"),
    (PLAN.replace('[0, 3]', '[0, 0]'), 'a seed stands twice'),
    (PLAN.replace('sampler=dict(type=\'mmal.R', 'samplers=dict(type=\'mmal.R'), "method 'random' has"),
])
def test_mistakes_are_named(plan, text, message):
    with pytest.raises(InputError, match=message):
        plan(text)


def test_a_plan_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match='Plan not found'):
        Plan(tmp_path / 'no.py', tmp_path)


def test_why_a_run_failed_is_kept(plan):
    run = plan().runs()[0]
    plan().prepare(run)
    run.mark(done=False, error='no space')
    assert plan().runs()[0].read_status() == RunStatus(begun=True, done=False, error='no space')
    plan().prepare(run)
    assert plan().runs()[0].read_status().error is None
