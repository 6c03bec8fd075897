"""What a batch knows of its images and of the batches beside it."""

import pytest

from mmal.annotation.batch import Batch, BatchImage, nearby_batches
from mmal.annotation.export import write_batch
from mmal.fileio.checksummed import CorruptStateError, read_checksummed, write_checksummed
from tests.annotation.annotation_fixtures import boxes_batch, classes_batch


def test_an_unknown_size_is_refused_where_it_is_needed():
    assert BatchImage(1, 'a.jpg', 0, 640, 480).size == (640, 480)
    with pytest.raises(ValueError, match='a.jpg: the size of the image is not known'):
        _ = BatchImage(1, 'a.jpg', 0, 640).size


def test_the_file_has_the_keys_it_always_had(tmp_path):
    content = read_checksummed(write_batch(classes_batch(), tmp_path) / 'batch.json')
    assert list(content) == ['name', 'classes', 'categories', 'root', 'images', 'several']
    assert list(content['images'][0]) == ['id', 'file_name', 'rank', 'width', 'height', 'score', 'predictions']


def test_a_file_of_another_shape_is_no_batch(tmp_path):
    folder = tmp_path / 'run' / 'round_01'
    file = write_batch(boxes_batch(), folder) / 'batch.json'
    write_checksummed(file, dict(name='x'))
    with pytest.raises(CorruptStateError, match=f"{file} is whole, but is no batch .*: 'several'"):
        Batch.read(folder)
    assert list(nearby_batches(tmp_path / 'run' / 'round_00')) == []


def test_batches_of_the_run_and_the_project_are_near_but_not_the_folder_itself(tmp_path):
    project = tmp_path / 'home' / 'project'
    for place in ('run/round_00', 'run/round_01', 'evaluation', 'far/away/from/it'):
        write_batch(boxes_batch(place.rsplit('/', 1)[-1]), project / place)
    (project / 'run/round_01/to_label/batch.json').write_text('{')
    assert [batch.name for _, batch in nearby_batches(project / 'run/round_00')] == ['evaluation']
    assert [folder for folder, _ in nearby_batches(project / 'evaluation')] == [project / 'run/round_00']
