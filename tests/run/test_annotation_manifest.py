"""Annotations that change while a run rests are seen when it goes on."""

import pytest
from mmengine.runner import Runner

from mmal.engine.dry_run import dry_run
from mmal.engine.setup import open_run
from mmal.errors import InputError
from mmal.fileio.checksummed import read_checksummed
from mmal.fileio.text import read_json, write_json
from mmal.oracles.base import LabelsPending
from mmal.run.lock import unlock
from tests.oracles.test_human import label, of_people


def move_a_box(file):
    content = read_json(file)
    content['annotations'][0]['bbox'][0] += 1
    write_json(file, content)


def begin(cfg):
    """Begin the run, or go on with it, as far as the first training; gives its record."""
    try:
        loop = Runner.from_cfg(cfg).train_loop
        open_run(loop.context, loop.inputs)
    except LabelsPending:
        pass
    finally:
        unlock(cfg.work_dir)
    return read_checksummed(f'{cfg.work_dir}/run.json')


@pytest.fixture
def resumed(make_cfg):
    """The config of the run that goes on, with changes to ``train_cfg``."""
    def go(**train_cfg):
        cfg = make_cfg(**train_cfg)
        cfg.resume = True
        return cfg
    return go


def test_edited_files_are_named_and_pass_if_that_is_asked_for(make_cfg, resumed, dataset):
    noted = begin(make_cfg())['annotations']
    assert sorted(noted) == ['evaluation set', 'evaluator', 'pool', 'reference set']
    assert begin(resumed())['annotations'] == noted
    for name in ('train', 'val', 'test'):
        move_a_box(dataset / f'{name}.json')
    with pytest.raises(InputError, match='--allow-config-change') as error:
        begin(resumed())
    for name, file in (('pool', 'train'), ('reference set', 'val'), ('evaluation set', 'test'), ('evaluator', 'test')):
        assert f"annotations.{name}: was '{file}.json, sha256" in str(error.value)
    assert any('annotations.pool' in problem for problem in dry_run(resumed())[1])
    record = begin(resumed(allow_config_change=True))
    assert record['history'][0]['changes'][0].startswith('annotations.evaluation set: was')
    assert begin(resumed()) == record


def test_a_run_cannot_start_from_one_of_other_labels(make_cfg, dataset, tmp_path):
    begin(make_cfg())
    move_a_box(dataset / 'train.json')
    with pytest.raises(InputError, match='start_from: the annotations of the pool have changed'):
        begin(make_cfg(tmp_path / 'second', start_from=f'{tmp_path}/run'))


def test_where_people_label_they_are_noted_with_the_first_labels(make_cfg, dataset, tmp_path):
    assert 'annotations' not in begin(of_people(make_cfg, dataset))
    move_a_box(dataset / 'test.json')
    assert 'annotations' not in begin(of_people(make_cfg, dataset)), 'nothing is evaluated yet'
    label(tmp_path / 'run' / 'initial', dataset)
    noted = begin(of_people(make_cfg, dataset))['annotations']
    assert sorted(noted) == ['evaluation set', 'evaluator', 'reference set'], 'the pool has no labels of its own'
    assert begin(of_people(make_cfg, dataset))['annotations'] == noted
    move_a_box(dataset / 'test.json')
    with pytest.raises(InputError, match='annotations.evaluation set: was'):
        begin(of_people(make_cfg, dataset))
