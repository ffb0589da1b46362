"""The data of a task."""

from raynas.data.data import Data
from raynas.data.division import Division, check_divisible
from raynas.data.loop import Loop, LoopData
from raynas.data.moments import Moments, extent
from raynas.data.split import Split

__all__ = [
    "Data",
    "Division",
    "Loop",
    "LoopData",
    "Moments",
    "Split",
    "check_divisible",
    "extent",
]
