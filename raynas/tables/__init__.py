"""Published results of training every architecture of a space, by which searchers are compared.

A table answers within microseconds what training would take GPU-days for. A new one is a small
file beside these and a line in ``TABLES``.
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
