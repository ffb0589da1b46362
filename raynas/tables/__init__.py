"""Recorded results of training every architecture of a space, to compare searchers.

A table answers in microseconds; the trainings took minutes (``digits``) or GPU-years. To add a
table, write a small file in this folder and add a line to ``TABLES`` and to ``SPACES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from raynas.tables.digits import digits
from raynas.tables.nasbench201 import nasbench201
from raynas.tables.table import Recorded, Scores, Table

__all__ = ["SPACES", "TABLES", "Recorded", "Scores", "Table"]

TABLES: Final[Mapping[str, Callable[..., Table]]] = MappingProxyType(
    {"nasbench201": nasbench201, "digits": digits}
)
"""Every table by name; called as ``table(space, **options)``."""

SPACES: Final[Mapping[str, str]] = MappingProxyType(
    {"nasbench201": "nasbench201", "digits": "search_spaces.nasbench201.small"}
)
"""The space of each table, as a user names it."""
