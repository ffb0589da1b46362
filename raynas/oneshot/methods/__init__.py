"""One-shot methods: how a supernet is trained, and which architectures it proposes.

To add a method, write a small file in this folder and add a line to ``METHODS``;
``tests/test_oneshot_methods.py`` then tests it like all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from raynas.lazy_table import LazyTable

if TYPE_CHECKING:
    from raynas.oneshot.methods.method import Method

METHODS: Final[Mapping[str, type[Method]]] = LazyTable(
    {
        "random-ws": "raynas.oneshot.methods.random_ws:RandomWS",
        "spos": "raynas.oneshot.methods.spos:SPOS",
        "fairnas": "raynas.oneshot.methods.fairnas:FairNAS",
        "enas": "raynas.oneshot.methods.enas:ENAS",
        "darts": "raynas.oneshot.methods.darts:DARTS",
        "pc-darts": "raynas.oneshot.methods.pc_darts:PCDARTS",
        "gdas": "raynas.oneshot.methods.gdas:GDAS",
        "drnas": "raynas.oneshot.methods.drnas:DrNAS",
        "proxyless": "raynas.oneshot.methods.proxyless:Proxyless",
    }
)
"""Every method by name."""
