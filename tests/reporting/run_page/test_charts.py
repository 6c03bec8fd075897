from mmal.reporting.run_page.charts import draw_progress, draw_traces


def test_the_same_data_gives_the_same_bytes_and_every_axis_is_named():
    points = [dict(images=10, minutes=0.5, metric=0.1), dict(images=20, minutes=1.5, metric=None),
              dict(images=30, minutes=2.5, metric=0.3)]
    axes = dict(images='labeled images', minutes='minutes computed')
    first, again = (draw_progress(points, 'mAP', axes) for _ in range(2))
    assert first == again
    text = first.svg.decode()
    assert all(f'>{name}<' in text for name in ('labeled images', 'minutes computed', 'mAP'))


def test_a_trace_on_a_log_axis_names_the_last_round():
    text = draw_traces({'round 0': [1.0, 0.0, 0.1], 'round 1': [1.0, 0.01]}, 'residual').svg.decode()
    assert all(f'>{name}<' in text for name in ('round 1', 'earlier rounds', 'residual', 'iteration'))
    assert '>round 0<' not in text
    assert '>0.1<' in text
    assert 'math' not in text
