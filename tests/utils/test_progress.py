import logging

import mmal.utils.progress
from mmal.utils.progress import track


def test_items_pass_through_and_lines_say_rate_and_time_left(monkeypatch, caplog):
    monkeypatch.setattr(mmal.utils.progress, 'LINE_EVERY', 0.0)
    with caplog.at_level(logging.INFO):
        assert list(track(range(3), 3, 'scoring', logging.getLogger('p'))) == [0, 1, 2]
    assert 'scoring: 2/3' in caplog.text
    assert 's left' in caplog.text
    assert '\r' not in caplog.text


def test_short_work_says_nothing(caplog):
    with caplog.at_level(logging.INFO):
        list(track(range(3), 3, 'scoring', logging.getLogger('p')))
    assert not caplog.text
