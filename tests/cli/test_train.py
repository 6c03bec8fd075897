"""How the options of `mmal train` become settings of a config."""

import pytest

from mmal.cli.train import build_parser, load_config
from mmal.run.layout import RunPaths
from mmal.run.manifest import Manifest, write_manifest


def drops(config_file, *options):
    """What the config that is run says of images that are in the evaluation set, too."""
    args = build_parser('mmal train').parse_args([str(config_file), *options])
    return load_config(args).train_cfg.get('drop_evaluation_images')


@pytest.fixture
def work_dir(tmp_path):
    """A run that was begun with --drop."""
    folder = tmp_path / 'run'
    folder.mkdir()
    write_manifest(folder, Manifest(seed=0, config={'train_cfg.drop_evaluation_images': 'True'}))
    return folder


def test_drop_holds_when_the_run_goes_on_without_it(config_file, work_dir):
    assert drops(config_file) is None
    assert drops(config_file, '--drop') is True
    assert drops(config_file, '--work-dir', str(work_dir), '--resume') is True
    assert drops(config_file, '--work-dir', str(work_dir)) is None


def test_what_the_config_says_of_it_comes_first(config_file, work_dir):
    said = ['--cfg-options', 'train_cfg.drop_evaluation_images=False']
    assert drops(config_file, '--work-dir', str(work_dir), '--resume', *said) is False


def test_a_damaged_record_says_nothing_of_it(config_file, work_dir):
    RunPaths(work_dir).manifest.write_text('{')
    assert drops(config_file, '--work-dir', str(work_dir), '--resume') is None
