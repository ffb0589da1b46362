"""What a child costs: its parameters, its multiply-adds, the memory to train it."""

from raynas.costs.count import Costs, measure
from raynas.costs.memory import training_bytes

__all__ = ["Costs", "measure", "training_bytes"]
