import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmal.influence.api import Influence
from mmal.influence.checks import check_model
from mmal.influence.solvers.cg import CG


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def losses(net, batch):
    return F.cross_entropy(net(batch[0]), batch[1], reduction='none')


BATCH = torch.randn(8, 1, 6, 6), torch.randint(3, (8, ))


def test_batch_norm_in_train_mode_is_refused_with_the_cure():
    influence = Influence(model(), losses, log=lambda text: None)
    with pytest.raises(ValueError, match=r'1 \(BatchNorm2d\) is in train mode.*model.eval\(\)'):
        influence.fit([BATCH], [BATCH])
    influence = Influence(model().eval(), losses, log=lambda text: None)
    influence.fit([BATCH], [BATCH])
    influence.model.train()
    with pytest.raises(ValueError, match='train mode'):
        influence.scores(BATCH)


def test_half_precision_parameters_are_refused():
    net = model().eval().bfloat16()
    with pytest.raises(ValueError, match=r'bfloat16.*model.float\(\)'):
        check_model(net, dict(net.named_parameters()))
    check_model(net.float(), dict(net.named_parameters()))


def test_scores_need_a_fit_and_a_set_needs_samples():
    influence = Influence(model().eval(), losses, solver=CG(), log=lambda text: None)
    with pytest.raises(RuntimeError, match='fit'):
        influence.scores(BATCH)
    with pytest.raises(ValueError, match='labeled set is empty'):
        influence.fit([], [BATCH])
    with pytest.raises(ValueError, match='set is empty'):
        influence.fit([BATCH], [])
