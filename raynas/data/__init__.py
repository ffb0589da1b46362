"""A task's data as arrays, for training."""

from raynas.data.data import Data
from raynas.data.split import Split

__all__ = ["Data", "Split"]
