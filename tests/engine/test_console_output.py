"""What of the log comes to the screen."""

import logging
import sys

from mmal.engine.console_output import WarningCollector, info_in_file_alone


def test_info_stays_off_the_screen_while_a_runner_is_built_and_comes_again(capsys):
    with info_in_file_alone():
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter('%(asctime)s - %(name)s - %(levelname)s - %(message)s'))
        log = logging.Logger('host')
        log.addHandler(handler)
        log.info('the config\n of 450 lines')
        log.warning('a warning\n of two lines')
        print('printed')
    log.info('round 0')
    said = capsys.readouterr().out
    assert 'config' not in said
    assert ' - WARNING - a warning\n of two lines\nprinted\n' in said
    assert said.endswith(' - INFO - round 0\n')


def test_warnings_are_collected_once():
    collector = WarningCollector()
    log = logging.Logger('host')
    log.addHandler(collector)
    for message in ('one', 'two', 'one'):
        log.warning('%s', message)
    log.info('three')
    assert collector.messages == ['one', 'two']
