"""The data of a task."""

from raynas.data.data import Data
from raynas.data.loop import Loop, LoopData
from raynas.data.moments import Moments, extent
from raynas.data.split import Split

__all__ = ["Data", "Loop", "LoopData", "Moments", "Split", "extent"]
