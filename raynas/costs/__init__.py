"""The costs of a child: parameters, multiply-adds, and the memory of its training."""

from raynas.costs.count import Costs, measure
from raynas.costs.memory import training_bytes

__all__ = ["Costs", "measure", "training_bytes"]
