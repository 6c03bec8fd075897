"""The command `mmal`: what it lists, what it loads, and that every subcommand is called by one convention."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

from mmal import cli
from mmal.cli.__main__ import COMMANDS, main
from mmal.version import __version__
from tests.zoo_configs import ROOT

HELP = """
import sys
from mmal.cli.__main__ import main
try:
    main(['--help'])
finally:
    print(sorted({'torch', 'numpy', 'mmengine', 'mmdet', 'mmcv'} & set(sys.modules)))
"""


def test_its_help_lists_every_command_and_loads_none_of_them():
    done = subprocess.run([sys.executable, '-c', HELP], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith('[]')
    assert all(f'    {name}' in done.stdout for name in COMMANDS)


def test_every_module_with_a_main_is_a_command():
    modules = {m.name for m in pkgutil.iter_modules(cli.__path__)} - {'__main__', 'arguments', 'unknown_options'}
    assert {name.replace('-', '_') for name in COMMANDS} == modules


@pytest.mark.parametrize('name', COMMANDS)
def test_a_command_explains_its_arguments_under_its_own_name(name, capsys, monkeypatch):
    module = importlib.import_module(f'mmal.cli.{name.replace("-", "_")}')
    monkeypatch.setattr(module, 'exit_unless_usable', lambda: None, raising=False)
    parameters = inspect.signature(module.main).parameters
    assert [(p.name, p.default) for p in parameters.values()] == [('argv', None), ('prog', f'mmal {name}')]
    with pytest.raises(SystemExit) as end:
        main([name, '--help'])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f'usage: mmal {name} [-h]')


def test_the_words_behind_a_command_are_its_own(capsys):
    with pytest.raises(SystemExit) as end:
        main(['print-config', 'nowhere.py', '--cfg-options', 'a=1'])
    assert end.value.code == '\nmmal print-config: Config file not found: nowhere.py'
    with pytest.raises(SystemExit):
        main(['--version'])
    assert capsys.readouterr().out == f'mmal {__version__}\n'


@pytest.mark.parametrize(('argv', 'message'), [([], 'required: COMMAND'), (['nope'], "invalid choice: 'nope'"),
                                               (['--resume', 'train'], 'unrecognized arguments: --resume')])
def test_no_command_is_refused(argv, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert message in said or 'required: COMMAND' in said


def test_a_tool_of_a_checkout_needs_nothing_installed(tmp_path):
    """And runs the code of its own checkout, whatever is installed."""
    code = ('import runpy, sys; sys.argv[1:] = ["-h"]\n'
            'try: runpy.run_path(sys.argv[0], run_name="__main__")\n'
            'except SystemExit: pass\n'
            'import mmal; print(mmal.__file__)')
    for tool in (ROOT / 'tools' / 'al_labels.py', ROOT / 'tools' / 'analysis_tools' / 'plot_curves.py'):
        program = code.replace('import runpy, sys;', f'import runpy, sys; sys.argv = [{str(tool)!r}];')
        done = subprocess.run([sys.executable, '-c', program], cwd=tmp_path, capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr
        assert f'usage: {tool.name} [-h]' in done.stdout
        assert done.stdout.rstrip().endswith(f'{ROOT}/mmal/__init__.py')
