from mmal.datasets import generate_digit_scenes
from mmal.datasets.digit_scenes import DigitScenes


def test_scenes_are_made_where_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(generate_digit_scenes, 'SPLITS', dict(train=8, val=2, test=2))
    root = tmp_path / 'scenes'
    dataset = DigitScenes(data_root=str(root), ann_file='annotations/train.json', data_prefix=dict(img=''))
    assert len(dataset) == 8
    assert dataset.metainfo['classes'] == tuple('0123456789')
    assert dataset.get_data_info(0)['img_path'] == str(root / 'train/000001.png')
