"""temporary, until that of the pool's rewrite is merged"""

from mmal.pool.cost_model import cost_model, cost_rows

__all__ = ['cost_model', 'cost_rows']
