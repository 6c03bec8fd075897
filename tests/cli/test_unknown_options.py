"""What is said of options that a command does not have."""

import pytest

from mmal.cli import init, label, select, train
from mmal.cli.train import build_parser, load_config
from mmal.cli.unknown_options import TRAINING_OPTIONS, parse
from mmal.errors import InputError


@pytest.fixture
def refusal(capsys):
    def go(*words, parser=None, elsewhere=TRAINING_OPTIONS):
        with pytest.raises(SystemExit) as end:
            parse(parser or build_parser('al_train.py'), words, elsewhere)
        assert end.value.code == 2
        return capsys.readouterr().err

    return go


@pytest.mark.parametrize(('words', 'message'), [
    (['--work_dir', 'w'], '--work_dir: write --work-dir.'), (['--cfg_options', 'a=1'], ': write --cfg-options.'),
    (['--dry_run'], '--dry_run: write --dry-run.'),
    (['--resume-from', 'x.pth'], '--resume-from: `--resume` goes on with the run in the work dir'),
    (['--resume_from=x.pth'], '--resume_from: `--resume` goes on with the run in the work dir'),
    (['--gpu-id', '1'], '--gpu-id: CUDA_VISIBLE_DEVICES=ID'), (['--gpus', '2'], 'dist_al_train.sh CONFIG GPUS'),
    (['--options', 'a=1'], '`--cfg-options KEY=VALUE`'), (['--no-validate'], 'train_cfg.val_interval='),
    (['--epochs', '3'], 'train_cfg.max_epochs=N'), (['--deterministic'], 'randomness.deterministic=True'),
    (['--sed', '3'], '--sed: the nearest option is --seed.')])
def test_an_option_of_another_program_or_spelling_is_explained(refusal, words, message):
    said = refusal('c.py', *words)
    assert f'al_train.py: error: unrecognized arguments: {" ".join(words)}\n' in said
    assert message in said


def test_what_resembles_nothing_is_refused_as_argparse_does(refusal):
    assert refusal('c.py', 'more', '--xyzzy').endswith('error: unrecognized arguments: more --xyzzy\n')


@pytest.mark.parametrize(('module', 'words', 'message'), [
    (select, ['c.py', 'x.pth', '--images', 'i', '--budget', '3', '--out', 'o', '--labelled', 'f'], '--labeled'),
    (init, ['photos', '--querry', '3'], '--query'), (label, ['w', 'f.json', '--clipp'], '--clip')])
def test_other_commands_name_the_nearest_option(refusal, module, words, message):
    said = refusal(*words, parser=module.build_parser('mmal'), elsewhere=None)
    assert 'error: unrecognized arguments' in said
    assert f'the nearest option is {message}' in said


@pytest.mark.parametrize(('path', 'message'), [
    ('epoch_3.pth', '`--cfg-options train_cfg.checkpoint=epoch_3.pth`'), ('my.py', 'write `my.py --resume`'),
    ('.', 'write `--work-dir . --resume`')])
def test_resume_with_a_path_says_what_a_run_goes_on_from(refusal, path, message):
    said = refusal('c.py', '--resume', path)
    assert "argument --resume: expected nothing or 'verified', found " in said
    assert message in said


@pytest.mark.parametrize(('words', 'resume'), [
    ([], None), (['--resume'], 'auto'), (['--resume', 'auto'], 'auto'), (['--resume', 'verified'], 'verified')])
def test_ways_to_resume(words, resume):
    assert parse(build_parser('al_train.py'), ['c.py', *words]).resume == resume


def test_auto_scale_lr_sets_the_switch_of_the_config_and_needs_its_batch_size(config_file):
    def load(*options):
        return load_config(parse(build_parser('al_train.py'), [str(config_file), '--auto-scale-lr', *options]))

    with pytest.raises(InputError, match=r'expected auto_scale_lr in .*tiny.py.*dict.enable=True, base_batch_size=16'):
        load()
    scaled = load('--cfg-options', 'auto_scale_lr.base_batch_size=8')
    assert scaled.auto_scale_lr == dict(base_batch_size=8, enable=True)
    assert 'auto_scale_lr' not in train.load_config(parse(build_parser('a'), [str(config_file)]))
