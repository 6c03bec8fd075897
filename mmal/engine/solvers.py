"""The solvers of :mod:`mmal.influence` under their config names, for instance
``type='mmal.CG'``.
"""

from mmal.influence.solvers.cg import CG
from mmal.influence.solvers.dense import Dense
from mmal.influence.solvers.identity import Identity
from mmal.influence.solvers.lissa import LiSSA
from mmal.registry import SOLVERS

SOLVERS.register_module(module=CG)
SOLVERS.register_module(module=Dense)
SOLVERS.register_module(module=Identity)
SOLVERS.register_module(module=LiSSA)
