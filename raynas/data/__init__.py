"""The data of a task, as arrays."""

from raynas.data.data import Data
from raynas.data.split import Split

__all__ = ["Data", "Split"]
