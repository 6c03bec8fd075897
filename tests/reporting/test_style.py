import io

import pytest
from matplotlib import rc_context
from PIL import Image

from mmal.reporting.style import (
    DARK,
    PAPER,
    SERIES,
    STYLE,
    add_legend,
    colour_of,
    legend_label,
    line_look,
    new_figure,
    new_grid,
    new_panels,
    render,
)


def test_a_method_keeps_its_colour_and_colours_begin_again():
    methods = [f'm{i}' for i in range(len(SERIES) + 1)]
    assert [colour_of(m, methods) for m in methods] == [*SERIES, SERIES[0]]


def test_twelve_methods_are_told_apart_by_colour_and_without_colours_by_marker():
    methods = [f'm{i}' for i in range(13)]
    looks = [line_look(method, methods) for method in methods]
    assert len({look['color'] for look in looks[:12]}) == 12
    assert len({look['marker'] for look in looks[:12]}) == 12
    hollow = [look['markerfacecolor'] == PAPER for look in looks[:12]]
    assert hollow == [False] * 6 + [True] * 6
    assert all(look['markeredgecolor'] == look['color'] for look in looks)
    assert looks[12] == looks[0]


def contrast(colour, other):
    """Contrast ratio of two colours after WCAG 2."""
    def luminance(text):
        parts = [int(text[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(colour), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(('colours', 'paper'), [(SERIES, PAPER), (DARK, '#14171c')])
def test_every_colour_stands_out_from_the_page(colours, paper):
    assert len(colours) == 12
    assert min(contrast(colour, paper) for colour in colours) >= 3


def test_a_grid_shares_both_axes():
    figure, panels = new_grid(6, 4, 2, 3)
    assert len(panels) == 6
    panels[0].set(xlim=(0, 3), ylim=(0, 7))
    assert (panels[5].get_xlim(), panels[5].get_ylim()) == ((0, 3), (0, 7))


def test_the_legend_shows_names_that_begin_with_an_underscore():
    assert (legend_label('_a'), legend_label('a'), legend_label(3)) == (' _a', 'a', '3')


def test_panels_share_the_y_axis_and_their_size_is_in_inches():
    with rc_context(STYLE):
        figure, panels = new_panels(6, 3, 2)
        panels[0].set_ylim(0, 7)
        png = render(figure).png
    assert panels[1].get_ylim() == (0, 7)
    assert Image.open(io.BytesIO(png)).size == (720, 360)


def test_the_same_data_gives_the_same_bytes_without_a_date():
    def draw():
        with rc_context(STYLE):
            figure, axis = new_figure(4, 3)
            add_legend(figure, axis.plot([1, 2], label='a line'))
            return render(figure)

    first = draw()
    assert first == draw()
    assert b'>a line<' in first.svg
    assert b'dc:date' not in first.svg
