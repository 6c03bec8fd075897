from mmal.fileio.text import write_json
from mmal.reporting.run_page.copies_section import copies_section
from mmal.reporting.run_page.page import render_page
from mmal.reporting.run_page.run_files import RunFiles


def entry(image_id, kind, boxes):
    return dict(id=image_id, of=0, kind=kind, boxes=boxes)


def test_what_each_query_left_out_and_all_of_them_each_image_once(run_dir, data):
    work_dir = run_dir([1], [2], [3])
    for number, left_out in ((0, [entry(4, 'exact', 3), entry(5, 'near', 2)]), (2, [entry(4, 'exact', 3)])):
        write_json(work_dir / f'round_{number:02d}' / 'copies.json', dict(left_out=left_out, filled_up=[]))
    run = RunFiles(work_dir, data)
    section = copies_section(run)
    table, = section.tables
    assert table.columns == ['query', 'images', 'byte-identical', 'almost identical', 'boxes saved']
    assert table.rows == [
        ['round 0', '2', '1', '1', '5'], ['round 2', '1', '1', '0', '3'], ['all, each image once', '2', '1', '1', '5']]
    assert section.text[0].startswith('2 images were left out as copies: 1 byte-identical to labeled or chosen images')
    html = render_page(run)
    assert 'Copies left out' in html
    assert 'They are labeled. 1 image was left out as a copy: 1 byte-identical' in html


def test_where_people_label_no_box_is_counted(run_dir, data):
    work_dir = run_dir([1])
    write_json(work_dir / 'round_00' / 'copies.json', dict(left_out=[entry(4, 'near', None)], filled_up=[]))
    table, = copies_section(RunFiles(work_dir, data)).tables
    assert table.rows[0] == ['round 0', '1', '0', '1', '–']


def test_nothing_is_said_where_there_are_no_copies(run_dir, data):
    assert copies_section(RunFiles(run_dir([1]), data)) is None
