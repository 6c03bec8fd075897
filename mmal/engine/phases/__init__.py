"""The phases of a round, one module a phase."""

from .base import Phase
from .evaluate import Evaluate
from .explain import Explain
from .label import Label
from .score import Score
from .select import Select
from .stest import SolveStest
from .train import Train

PHASES: tuple[Phase, ...] = (
    Train(),
    Evaluate(),
    SolveStest(),
    Score(),
    Select(),
    Explain(),
    Label(),
)
"""The phases of a round in their order."""
