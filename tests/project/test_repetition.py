"""How often an epoch goes through few images: what is written, planned and trained is one number."""

import pytest
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner

from mmal.datasets.seeded import seeded_loader
from mmal.engine.dry_run import dry_run
from mmal.project.base_config import BaseConfig
from mmal.project.create import create
from mmal.project.image_source import find_images
from mmal.project.repetition import MIN_ITERATIONS, find_repetition
from mmal.project.settings import Settings
from tests.project.conftest import pictures  # noqa: F401  a fixture
from tests.zoo_configs import ROOT


@DATASETS.register_module(name='RowsOfTwoShapes', force=True)
class RowsOfTwoShapes(BaseDataset):
    """Rows of a size each, upright and not."""

    def __init__(self, n):
        self.n = n
        super().__init__(lazy_init=True)

    def load_data_list(self):
        return [dict(width=4 + n % 3, height=5) for n in range(self.n)]


SAMPLERS = {
    'plain': dict(sampler=dict(type='DefaultSampler', shuffle=True)),
    'last dropped': dict(sampler=dict(type='DefaultSampler', shuffle=True), drop_last=True),
    'not rounded': dict(sampler=dict(type='DefaultSampler', shuffle=False, round_up=False)),
    'by shape': dict(sampler=dict(type='DefaultSampler', shuffle=True),
                     batch_sampler=dict(type='AspectRatioBatchSampler')),
    'augmented anew': dict(sampler=dict(type='mmpretrain.RepeatAugSampler')),
}


@pytest.fixture(scope='module')
def base():
    return BaseConfig(str(ROOT / 'configs/fcos_digits_isal.py'))


def batches_of_training(loader, n, times):
    """The batches that the host draws in an epoch of a round."""
    dataset = dict(type='RowsOfTwoShapes', n=n)
    if times:
        dataset = dict(type='RepeatDataset', times=times, dataset=dataset)
    with DefaultScope.overwrite_default_scope('mmdet'):
        real = Runner.build_dataloader(seeded_loader(dict(loader, dataset=dataset), seed=3), seed=3)
    return sum(1 for _ in real.batch_sampler)


@pytest.mark.parametrize('batch_size', range(1, 17))
@pytest.mark.parametrize('kind', SAMPLERS)
def test_the_promised_iterations_are_those_of_the_host_and_no_fewer_than_the_least(base, kind, batch_size):
    loader = dict(SAMPLERS[kind], batch_size=batch_size, num_workers=0)
    base.cfg.train_dataloader = Config(dict(loader=loader)).loader
    epochs = base.length['max_epochs']
    for n in [*range(2, 34), 40, 63, 64, 65, 99, 100, 127, 200]:
        repetition = find_repetition(base, n)
        if repetition is None:
            assert epochs * batches_of_training(loader, n, 0) >= MIN_ITERATIONS
            continue
        assert repetition.n_images == n
        assert repetition.iterations == epochs * batches_of_training(loader, n, repetition.times)
        assert repetition.iterations >= MIN_ITERATIONS
        assert epochs * batches_of_training(loader, n, repetition.times - 1) < MIN_ITERATIONS


@pytest.mark.parametrize('change', [dict(num_batch_per_epoch=3), dict(sampler=dict(type='ClassAwareSampler'))])
def test_what_a_repetition_cannot_lengthen_has_none(base, change):
    loader = dict(SAMPLERS['plain'], batch_size=4, **{k: v for k, v in change.items() if k != 'sampler'})
    base.cfg.train_dataloader = Config(dict(loader=dict(loader, **change))).loader
    assert find_repetition(base, 5) is None


@pytest.mark.parametrize(('batch_size', 'drop_last'), [(1, False), (4, False), (7, True), (16, False), (16, True)])
def test_the_config_that_is_written_the_dry_run_and_the_training_agree(pictures, tmp_path, batch_size, drop_last):  # noqa: F811
    (tmp_path / 'base.py').write_text(f"""_base_ = {str(ROOT / 'configs/fcos_digits_isal.py')!r}
model = dict(backbone=dict(base_channels=8, stem_channels=8), neck=dict(in_channels=[16, 32, 64], out_channels=16),
             bbox_head=dict(in_channels=16, feat_channels=16, stacked_convs=1))
train_dataloader = dict(batch_size={batch_size}, drop_last={drop_last}, num_workers=0, persistent_workers=False)
""")
    base = BaseConfig(str(tmp_path / 'base.py'))
    settings = Settings(['cat'], str(tmp_path / 'project'), evaluation=2, initial=5)
    create(find_images(str(pictures)), base, settings, None)
    repetition = find_repetition(base, 4)
    text = (tmp_path / 'project' / 'config.py').read_text()
    assert f"type='RepeatDataset', times={repetition.times}," in text
    assert f'the first training, on 4, has {repetition.iterations} iterations.' in text
    epochs = base.length['max_epochs']
    epoch = repetition.iterations // epochs
    plan, problems = dry_run(Config.fromfile(tmp_path / 'project' / 'config.py'))
    assert problems == []
    assert f'first training:  about {repetition.iterations} iterations ({epochs} epochs of {epoch})\n' in plan
    assert epochs * batches_of_training(base.cfg.train_dataloader, 4, repetition.times) == repetition.iterations
