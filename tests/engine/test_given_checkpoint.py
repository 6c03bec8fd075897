"""A checkpoint that the user has already fits the config and its classes, or is refused before any training."""

import pytest
import torch
from torch import nn

from mmal.engine.given_checkpoint import load_given, read_checkpoint, require_readable
from mmal.errors import InputError

CLASSES = ('cat', 'dog')


def small_model(n_classes=2):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, n_classes))


def written(path, model, **content):
    torch.save(dict(state_dict=model.state_dict(), **content), path)
    return read_checkpoint(path)


@pytest.mark.parametrize('meta', [
    dict(dataset_meta=dict(classes=('cat', 'dog'), palette=[(0, 0, 0)])), dict(CLASSES=['cat', 'dog']),
    dict(dataset_meta=dict(CLASSES=('cat', 'dog'))), dict(epoch=1), dict(dataset_meta=None)])
def test_the_weights_are_loaded_whoever_wrote_them(tmp_path, meta):
    theirs, ours = small_model(), small_model()
    nn.init.ones_(theirs[0].weight)
    load_given(ours, written(tmp_path / 'x.pth', theirs, meta=meta), CLASSES)
    assert torch.equal(ours[0].weight, torch.ones(4, 3))


def test_a_bare_state_dict_and_names_of_a_wrapped_model_are_read(tmp_path):
    theirs, ours = small_model(), small_model()
    nn.init.ones_(theirs[0].weight)
    weights = {f'module.{name}': value for name, value in theirs.state_dict().items()}
    weights.pop('module.1.num_batches_tracked')
    torch.save(weights, tmp_path / 'x.pth')
    load_given(ours, read_checkpoint(tmp_path / 'x.pth'), CLASSES)
    assert torch.equal(ours[0].weight, torch.ones(4, 3))


def test_other_classes_are_refused_with_both_lists(tmp_path):
    meta = dict(dataset_meta=dict(classes=('cat', 'cow', 'owl')))
    checkpoint = written(tmp_path / 'x.pth', small_model(3), meta=meta)
    with pytest.raises(InputError) as e:
        load_given(small_model(), checkpoint, CLASSES)
    assert 'x.pth was trained on 3 classes, cat, cow, owl; the config has 2, cat, dog.' in str(e.value)
    assert 'Only in the checkpoint: cow, owl; only in the config: dog.' in str(e.value)


def test_classes_in_another_order_are_refused_with_the_line_to_write(tmp_path):
    checkpoint = written(tmp_path / 'x.pth', small_model(), meta=dict(dataset_meta=dict(classes=('dog', 'cat'))))
    with pytest.raises(InputError) as e:
        load_given(small_model(), checkpoint, CLASSES)
    assert 'in another order: dog, cat; the config has cat, dog.' in str(e.value)
    assert "Set metainfo=dict(classes=('dog', 'cat'))" in str(e.value)


def test_a_head_of_another_number_of_classes_is_refused_where_the_file_names_none(tmp_path):
    with pytest.raises(InputError) as e:
        load_given(small_model(), written(tmp_path / 'x.pth', small_model(5)), CLASSES)
    assert '2 parameters of another shape (2.weight (5, 4) where the model has (2, 4), ' in str(e.value)
    assert 'The file does not name its classes; the config has 2, cat, dog.' in str(e.value)


def test_another_architecture_is_refused_with_what_differs(tmp_path):
    deeper = nn.Sequential(*small_model(), nn.ReLU(), nn.Linear(2, 2))
    with pytest.raises(InputError, match=r'2 parameters unknown to the model \(4.weight, 4.bias\)'):
        load_given(small_model(), written(tmp_path / 'x.pth', deeper), CLASSES)
    with pytest.raises(InputError, match=r'2 parameters missing in it \(4.weight, 4.bias\)'):
        load_given(deeper, written(tmp_path / 'x.pth', small_model()), CLASSES)


def test_what_a_model_does_for_older_checkpoints_is_done(tmp_path):
    """As position embeddings of another size, and layers that were called otherwise."""
    def renamed(state_dict, prefix, *args):
        for part in ('weight', 'bias'):
            state_dict[f'0.{part}'] = state_dict.pop(f'old.{part}')[:4]

    theirs, ours = small_model(), small_model()
    weights = theirs.state_dict()
    for part in ('weight', 'bias'):
        weights[f'old.{part}'] = weights.pop(f'0.{part}').repeat_interleave(2, 0)
    torch.save(weights, tmp_path / 'x.pth')
    ours._register_load_state_dict_pre_hook(renamed)
    load_given(ours, read_checkpoint(tmp_path / 'x.pth'), CLASSES)


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_layers_are_told_of_which_version_they_were(tmp_path, prefix):
    """Or a head of mmdet takes the parameters of today for those of long ago, and renames them."""
    seen = []

    class Layer(nn.Linear):
        _version = 3

        def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
            seen.append(local_metadata.get('version'))
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)

    theirs = nn.Sequential(Layer(2, 2))
    weights = (nn.ModuleDict(dict(module=theirs)) if prefix else theirs).state_dict()
    torch.save(dict(state_dict=weights), tmp_path / 'x.pth')
    load_given(theirs, read_checkpoint(tmp_path / 'x.pth'), CLASSES)
    assert seen == [3]


def test_weights_that_are_not_finite_are_refused(tmp_path):
    theirs = small_model()
    nn.init.constant_(theirs[2].bias, float('nan'))
    with pytest.raises(InputError, match='x.pth holds weights that are not finite, first in 2.bias'):
        load_given(small_model(), written(tmp_path / 'x.pth', theirs), CLASSES)


def test_averages_that_mmdet_2_kept_in_the_model_are_passed_over(tmp_path):
    theirs = small_model()
    weights = theirs.state_dict()
    weights['ema_0_weight'] = weights['0.weight']
    torch.save(dict(state_dict=weights), tmp_path / 'x.pth')
    load_given(small_model(), read_checkpoint(tmp_path / 'x.pth'), CLASSES)


def test_classes_are_not_compared_where_a_dataset_has_none(tmp_path):
    checkpoint = written(tmp_path / 'x.pth', small_model(), meta=dict(CLASSES=('cat', 'cow')))
    load_given(small_model(), checkpoint, ())


def test_a_file_without_weights_is_refused(tmp_path):
    torch.save(dict(meta=dict(epoch=1)), tmp_path / 'x.pth')
    with pytest.raises(InputError, match=r"expected weights under the key state_dict, found \['meta'\]"):
        read_checkpoint(tmp_path / 'x.pth')


def test_weights_to_begin_from_are_looked_at_before_any_training(tmp_path):
    path = tmp_path / 'x.pth'
    with pytest.raises(InputError, match='x.pth: no such file'):
        require_readable(str(path))
    path.write_text('version https://git-lfs.github.com/spec/v1')
    with pytest.raises(InputError, match='a pointer of Git LFS'):
        require_readable(str(path))
    torch.save(small_model().state_dict(), path)
    require_readable(str(path))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match='load_from: .*x.pth is no checkpoint, or a damaged one'):
        require_readable(str(path))
