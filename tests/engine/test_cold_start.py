"""How the first images are chosen: what the config says, the default, and what is kept of the choice."""

from types import SimpleNamespace

import pytest
import torch

from mmal.engine.cold_start import DEFAULT_SAMPLER, ColdStart, cold_start
from mmal.engine.dry_run import dry_run
from mmal.engine.initial_set import choose_initial_set
from mmal.errors import InputError
from mmal.fileio.checksummed import read_checksummed
from mmal.fileio.text import read_json
from mmal.samplers.base import Scores
from mmal.samplers.coreset import CoresetSampler
from mmal.samplers.herding import HerdingSampler
from tests.engine.fakes import make_run


def test_by_default_a_pretrained_backbone_decides():
    found = cold_start(None, 'model.backbone.init_cfg')
    assert type(found.sampler) is HerdingSampler
    assert found.sampler.layers == ['backbone']
    assert found.text == 'by HerdingSampler on what the pretrained backbone (model.backbone.init_cfg) sees'
    assert cold_start(None, None) == ColdStart(None, 'at random: no pretrained backbone could compare them')


@pytest.mark.parametrize('weights', [None, 'load_from'])
def test_what_the_config_says_counts(weights):
    assert cold_start('random', weights) == ColdStart(None, "at random (train_cfg.cold_start = 'random')")
    found = cold_start(dict(type='mmal.CoresetSampler', layers=['neck']), weights)
    assert (type(found.sampler), found.sampler.layers) == (CoresetSampler, ['neck'])
    assert found.text == 'by CoresetSampler (train_cfg.cold_start)'


@pytest.mark.parametrize(('given', 'said'), [
    ('herding', "expected 'random' or the config of a sampler"), (dict(type='mmal.NoSampler'), 'NoSampler'),
    (dict(type='mmal.HerdingSampler', radius=0), 'expected radius above 0')])
def test_what_is_no_way_to_choose_is_refused(given, said):
    with pytest.raises(InputError, match=f'train_cfg.cold_start: .*{said}'):
        cold_start(given, None)


class HighestIds:
    """A sampler that counts how often it was asked."""

    needs_s_test = False

    def __init__(self):
        self.asked = []

    def score(self, query):
        self.asked.append(query)
        return Scores({image_id: -float(image_id) for image_id in query.ids})


@pytest.fixture
def opened(tmp_path):
    """A run of fakes whose first images a sampler chooses, and that sampler."""
    sampler = HighestIds()
    cfg = SimpleNamespace(get=lambda key, default=None: default, train_dataloader={})
    models = SimpleNamespace(pretrained_adapter=lambda: None)

    def go(**changes):
        start = ColdStart(sampler, 'by a fake')
        return make_run(tmp_path, cfg=cfg, models=models, cold_start=start, initial=5, **changes)

    return go, sampler


def test_held_out_images_stay_random_and_the_rest_is_chosen_among_the_others(opened, caplog):
    go, sampler = opened
    caplog.set_level('INFO')
    chosen = choose_initial_set(go(holdout=2, seed=3))
    at_random = choose_initial_set(make_run(go().paths.work_dir / 'other', initial=5, holdout=2, seed=3))
    assert chosen.held_out == at_random.held_out
    rest = sorted(set(range(1, 11)) - chosen.held_out)
    assert set(chosen.ids) - chosen.held_out == set(rest[-3:])
    assert (sorted(sampler.asked[0].ids), sampler.asked[0].budget) == (rest, 3)
    assert 'The first images are chosen by a fake.' in caplog.messages


def test_what_was_chosen_is_kept_and_not_chosen_again(opened):
    go, sampler = opened
    first = choose_initial_set(go(holdout=2))
    assert choose_initial_set(go(holdout=2)) == first
    assert len(sampler.asked) == 1
    go().paths.first_choice.unlink()
    assert choose_initial_set(go(holdout=2)) == first
    assert len(sampler.asked) == 2


@pytest.fixture
def pretrained(make_cfg, tmp_path):
    """A config whose backbone begins with weights of a file."""
    def go(name, **changes):
        cfg = make_cfg(tmp_path / name, max_epochs=1, rounds=1, **changes)
        if not (tmp_path / 'weights.pth').exists():
            from mmdet.registry import MODELS
            from mmdet.utils import register_all_modules
            register_all_modules(init_default_scope=True)
            torch.manual_seed(5)
            torch.save(dict(state_dict=MODELS.build(cfg.model.backbone).state_dict()), tmp_path / 'weights.pth')
        cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.pth'))
        return cfg

    return go


def first_images(work_dir):
    return [image['id'] for image in read_json(work_dir / 'initial.json')['images']]


@pytest.mark.usefixtures('no_drawing')
def test_a_run_of_a_pretrained_detector_begins_with_a_herded_set(pretrained, run, tmp_path):
    random = run(pretrained('random', cold_start='random'))
    work_dir = run(pretrained('herded'))
    explicit = run(pretrained('explicit', cold_start=dict(DEFAULT_SAMPLER)))
    assert first_images(work_dir) == first_images(explicit) != first_images(random)
    other_seed = pretrained('other_seed')
    other_seed.randomness = dict(seed=1)
    assert first_images(run(other_seed)) != first_images(work_dir)
    text = 'by HerdingSampler on what the pretrained backbone (model.backbone.init_cfg) sees'
    assert read_checksummed(work_dir / 'run.json')['cold_start'] == text
    assert f'The first images were chosen {text}.' in (work_dir / 'report.html').read_text()
    assert f'The first images are chosen {text}.' in next(work_dir.glob('2*/*.log')).read_text()
    assert "at random (train_cfg.cold_start = 'random')" in read_checksummed(random / 'run.json')['cold_start']
    with pytest.raises(InputError, match=r'were chosen at random .*would be chosen by Herding.*cold_start alike'):
        run(pretrained('adopting', start_from=str(random)))

    (work_dir / 'initial.json').write_text('damaged')
    before = first_images(explicit)
    restored = pretrained('herded', on_corruption='restore')
    restored.resume = True
    assert first_images(run(restored)) == before


def test_the_dry_run_says_how_the_first_images_are_chosen(pretrained, make_cfg, dataset, tmp_path):
    def said(cfg):
        cfg.resume = False
        return next(line for line in dry_run(cfg)[0].splitlines() if line.startswith('first images:'))

    assert said(pretrained('a')).split(maxsplit=2)[2] == (
        'chosen by HerdingSampler on what the pretrained backbone (model.backbone.init_cfg) sees; '
        "train_cfg.cold_start='random' draws them")
    assert 'at random: no pretrained backbone' in said(make_cfg(tmp_path / 'b'))
    assert said(pretrained('c', cold_start='random')).endswith("at random (train_cfg.cold_start = 'random')")
    given = pretrained('d', initial='annotated')
    assert said(given).endswith('labeled already')
