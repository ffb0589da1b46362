"""The costs of a child: parameters, multiply-adds, and the memory of its training."""

from raynas.costs.copied import copied
from raynas.costs.count import Costs, measure
from raynas.costs.gpu_training import GPUTraining
from raynas.costs.memory import training_bytes

__all__ = ["Costs", "GPUTraining", "copied", "measure", "training_bytes"]
