import io

from matplotlib import rc_context
from PIL import Image

from mmal.reporting.style import SERIES, STYLE, add_legend, colour_of, legend_label, new_figure, new_panels, render


def test_a_method_keeps_its_colour_and_colours_begin_again():
    methods = [f'm{i}' for i in range(len(SERIES) + 1)]
    assert [colour_of(m, methods) for m in methods] == [*SERIES, SERIES[0]]


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
