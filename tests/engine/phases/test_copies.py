"""What a query and the first draw leave out because it would be paid for twice."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mmal.annotation.label_store import LabelStore
from mmal.engine.initial_set import draw_initial_set
from mmal.engine.phases.select import Select
from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.text import read_csv, read_json, write_csv
from mmal.pool.budget import BudgetUnit
from mmal.pool.order import first_shuffled
from mmal.pool.score_table import ranked_bytes
from mmal.run.copies import left_out_of_run, write_near_copies
from mmal.samplers.base import Scores
from tests.conftest import coco
from tests.engine.fakes import FakeData, make_round, make_run
from tests.engine.tiny_run import go

CONTENTS = {1: b'cat', 2: b'dog', 3: b'dog', 4: b'emu', 5: b'emu', 6: b'ant', 7: b'ox', 8: b'emu', 9: b'gnu', 10: b''}


class Files(FakeData):
    """Ten images of given bytes; 3 is a copy of 2, and 5 and 8 are copies of 4."""

    is_local = True

    def __init__(self, folder, contents=None):
        self.folder = folder
        folder.mkdir()
        for image_id, content in (contents or CONTENTS).items():
            (folder / f'{image_id}.png').write_bytes(content)

    def image_path(self, image_id):
        return str(self.folder / f'{image_id}.png')


@pytest.fixture
def query(tmp_path):
    """Makes a query in which the images rank by their ids, and returns what it selected."""
    def go(labeled=(2, ), near=None, skipped=(), **settings):
        data = Files(tmp_path / 'images')
        run = make_run(tmp_path, data=data, **settings)
        round_ = make_round(run, labeled=labeled)
        scores = Scores({i: float(i) for i in CONTENTS if i not in (*labeled, *skipped)}, near_copies=near or {})
        write_near_copies(round_.state.paths, scores.near_copies, scores.value)
        artifact = round_.state.artifact('score')
        write_bytes(artifact, ranked_bytes('score', scores.ranked(0, 'ties'), scores.near_copies))
        round_.state.record['score'] = dict(seconds=0)
        for _ in range(2):  # a kill may have it repeated
            Select().execute(run, round_, round_.state.artifact('select'))
        marks = {int(row['id']): row['selected'] for row in read_csv(artifact)}
        selected = read_json(round_.state.artifact('select'))
        assert sorted(selected) == [i for i, mark in sorted(marks.items()) if mark == '1']
        return selected, read_json(round_.state.paths.copies), marks

    return go


def left_out(copies):
    return [(entry['id'], entry['of'], entry['kind'], entry['boxes']) for entry in copies['left_out']]


def test_the_budget_goes_to_the_next_images(query, caplog):
    caplog.set_level('INFO')
    selected, copies, marks = query(query=4)
    assert selected == [1, 4, 6, 7]
    assert left_out(copies) == [(3, 2, 'exact', 3), (5, 4, 'exact', 5)], '8 ranks below the last one taken'
    assert [i for i, mark in marks.items() if mark == 'copy'] == [3, 5]
    expected = '2 images were left out as copies: 2 byte-identical to labeled or chosen images; labeling them would '
    assert f'{expected}have cost 8 boxes.' in caplog.text


def test_a_budget_in_boxes_is_not_spent_on_copies(query):
    selected, copies, _ = query(unit=BudgetUnit.BOX, query=10)
    assert selected == [1, 4, 6], '1 + 4 + 6 boxes'
    assert left_out(copies) == [(3, 2, 'exact', 3), (5, 4, 'exact', 5)]


def test_where_only_copies_are_left_nothing_is_chosen(query):
    selected, copies, _ = query(labeled=(1, 2, 4, 6, 7, 9, 10))
    assert selected == []
    assert [entry['id'] for entry in copies['left_out']] == [3, 5, 8]


def test_what_annotators_skipped_is_not_asked_for_as_a_copy(query, tmp_path, monkeypatch):
    monkeypatch.setattr('mmal.engine.query.batch_folders', lambda work_dir: ['batch'])
    monkeypatch.setattr(LabelStore, 'read', lambda folder: SimpleNamespace(skipped={'4': 'blurred'}))
    selected, copies, _ = query(oracle=SimpleNamespace(is_human=True), query=3, skipped=[4])
    assert selected == [1, 6, 7]
    assert left_out(copies) == [(3, 2, 'exact', None), (5, 4, 'exact', None)]


def test_near_copies_that_would_have_been_chosen_are_counted(query):
    selected, copies, marks = query(near={4: 1, 9: 6}, query=3)
    assert selected == [1, 5, 6]
    assert left_out(copies) == [(3, 2, 'exact', 3), (4, 5, 'exact', 4)], '9 would not have been chosen anyway'
    assert {i for i, mark in marks.items() if mark == 'copy'} == {3, 4, 9}


def test_near_copies_fill_a_query_and_exact_ones_never_do(query, caplog):
    selected, copies, marks = query(near={7: 6, 8: 4}, query=99)
    assert selected == [1, 4, 6, 9, 10, 7]
    assert copies['filled_up'] == [7]
    assert {i for i, mark in marks.items() if mark == 'copy'} == {3, 5, 8}
    assert [entry[:3] for entry in left_out(copies)] == [(3, 2, 'exact'), (5, 4, 'exact'), (8, 4, 'exact')]
    assert 'no more images that differ' in caplog.text


def test_the_first_draw_is_what_it_was_where_there_are_no_copies(tmp_path):
    run = make_run(tmp_path, data=Files(tmp_path / 'images', {i: b'%d' % i for i in range(1, 11)}), initial=6)
    assert draw_initial_set(run).ids == first_shuffled(run.pool_ids, 0, 'initial', 6)


@pytest.mark.parametrize('seed', range(5))
def test_the_first_draw_has_each_content_once_in_the_order_of_the_shuffle(tmp_path, seed):
    run = make_run(tmp_path, data=Files(tmp_path / 'images'), initial=6, holdout=2, seed=seed)
    chosen = draw_initial_set(run)
    unique = {}
    for image_id in first_shuffled(run.pool_ids, seed, 'initial', 10):
        unique.setdefault(CONTENTS[image_id], image_id)
    assert chosen.ids == list(unique.values())[:6]
    assert chosen.held_out == set(chosen.ids[:2])


def test_too_few_images_that_differ_are_refused(tmp_path):
    run = make_run(tmp_path, data=Files(tmp_path / 'images'), initial=8)
    with pytest.raises(InputError, match='Only 7 images of the pool differ from one another.*initial = 8'):
        draw_initial_set(run)


def test_checksums_on_record_are_taken_and_the_files_are_not_read(tmp_path):
    data = Files(tmp_path / 'images')
    rows = [[i, len(c), 0, f'{c!r}'] for i, c in CONTENTS.items()]
    write_csv(tmp_path / 'images.csv', ['id', 'bytes', 'mtime_ns', 'sha256'], rows)
    for image_id, content in CONTENTS.items():
        (data.folder / f'{image_id}.png').write_bytes(b'%d' % image_id * len(content))
    assert len(set(draw_initial_set(make_run(tmp_path, data=data, initial=7)).ids) & {4, 5, 8}) == 1


def test_images_without_files_are_told_by_their_pixels(tmp_path):
    class Pixels(FakeData):
        def pixel_digest(self, image_id):
            return str(image_id % 4)

    chosen = draw_initial_set(make_run(tmp_path, data=Pixels(), initial=4)).ids
    assert sorted(i % 4 for i in chosen) == [0, 1, 2, 3]


@pytest.fixture
def photographs(dataset):
    """Thirty pictures for the pool; each of 6 is there twice, and each of 4 as a slightly brighter picture, too."""
    content = coco(30, dataset, seed=5, start=1)
    name = {image['id']: image['file_name'] for image in content['images']}
    exact, near = {n + 15: n for n in range(1, 7)}, {n + 15: n for n in range(7, 11)}
    for copy, original in exact.items():
        (dataset / name[copy]).write_bytes((dataset / name[original]).read_bytes())
    for copy, original in near.items():
        pixels = np.asarray(Image.open(dataset / name[original]))
        Image.fromarray(pixels + 1).save(dataset / name[copy])
    (dataset / 'train.json').write_text(json.dumps(content))
    return exact, near


@pytest.mark.parametrize('sampler', ['Influence', 'Entropy', 'Random'])
def test_a_run_pays_for_each_picture_once(make_cfg, photographs, sampler):
    exact, near = photographs
    work_dir = go(make_cfg(initial=12, query=4, rounds=2, sampler=dict(type=f'mmal.{sampler}Sampler')))
    labeled = [image['id'] for image in read_json(work_dir / 'round_01' / 'labeled.json')['images']]
    assert len(labeled) == 20
    assert len({exact.get(i, i) for i in labeled}) == 20, 'no two are byte-identical'
    if sampler == 'Random':
        return
    initial = {image['id'] for image in read_json(work_dir / 'initial.json')['images']}
    for copy, original in near.items():
        assert not {copy, original} <= set(labeled) or {copy, original} <= initial
    assert left_out_of_run(work_dir)
