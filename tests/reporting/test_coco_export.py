from types import SimpleNamespace

import pytest

from mmal.errors import InputError
from mmal.fileio.text import json_bytes, write_csv, write_json
from mmal.reporting.coco_export import as_coco
from mmal.run.layout import RunPaths


@pytest.fixture
def saved_round(tmp_path):
    """A round that chose images 2 and 1, of which the score of 1 is not a number."""
    paths = RunPaths(tmp_path).round(3)
    rows = [[2, -1.5, 1, 0, 1], [1, float('nan'), 1, 1, 1], [9, 4, 1, 2, 0]]
    write_csv(paths.artifact('score'), ['id', 'influence', 'pseudo_boxes', 'rank', 'selected'], rows)
    write_json(paths.artifact('describe'), dict(images=[
        dict(id=2, predictions=[dict(bbox=[1, 2, 3, 4], label=1, score=0.5)]), dict(id=1, predictions=[])]))
    data = SimpleNamespace(
        has_boxes=True, classes=('dog', 'cat'), categories=[dict(id=7, name='dog'), dict(id=9, name='cat')],
        image_path=lambda i: f'/pool/{i}.png',
        pool_contents=lambda: dict(images=[dict(id=i, file_name=f'{i}.png', width=8, height=6) for i in (1, 2, 9)]))
    truth = {2: [dict(id=40, image_id=2, category_id=7, bbox=[0, 0, 5, 5])]}
    return SimpleNamespace(paths=paths, data=data, selected=[2, 1], ground_truth=lambda i: truth.get(i, []))


def test_labels_and_predictions_of_the_same_images(saved_round):
    labels, predictions = as_coco([saved_round])
    best = dict(al_round=3, al_rank=0, al_score=-1.5)
    assert labels['images'] == predictions['images']
    assert labels['images'][0] == dict(id=2, file_name='/pool/2.png', width=8, height=6, **best)
    assert labels['annotations'] == [dict(id=1, image_id=2, category_id=7, bbox=[0, 0, 5, 5], **best)]
    assert predictions['annotations'] == [
        dict(id=1, image_id=2, category_id=9, bbox=[1, 2, 3, 4], area=12, iscrowd=0, score=0.5, **best)]
    assert labels['categories'] == predictions['categories'] == saved_round.data.categories


def test_a_score_that_is_not_finite_is_null_and_can_be_written(saved_round):
    labels, predictions = as_coco([saved_round])
    assert labels['images'][1]['al_score'] is None
    assert json_bytes([labels, predictions])


def test_a_round_without_chosen_json_has_no_predictions(saved_round):
    saved_round.paths.artifact('describe').unlink()
    assert as_coco([saved_round])[1]['annotations'] == []


def test_of_a_classification_there_is_none(saved_round):
    saved_round.data.has_boxes = False
    with pytest.raises(InputError, match='this run is a classification'):
        as_coco([saved_round])
