"""Published results of training every architecture of a space, to compare searchers.

A table answers in microseconds; the trainings would take GPU-days. To add a table, write a small
file in this folder and add a line to ``TABLES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from raynas.tables.nasbench201 import nasbench201
from raynas.tables.table import Recorded, Scores, Table

__all__ = ["TABLES", "Recorded", "Scores", "Table"]

TABLES: Final[Mapping[str, Callable[..., Table]]] = MappingProxyType({"nasbench201": nasbench201})
"""Every table by name, which is also the name of its space; called as ``table(space, **options)``.
"""
