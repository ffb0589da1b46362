"""How a notebook shows values of raynas, and figures.

The values know nothing of HTML, because they stand below everything that people see. So IPython is
told the names of their classes; what makes the HTML is loaded when the first one is shown. Figures
of Matplotlib are told too: without ``pyplot``, which the plots do not need, IPython shows none.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

_HTML: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("raynas.trial.trial", "Trial"): "raynas.insight.notebook.html:trial_html",
        ("raynas.trial.winner", "Winner"): "raynas.insight.notebook.html:winner_html",
        ("raynas.space.space", "Space"): "raynas.insight.notebook.html:space_html",
    }
)
_FIGURE: Final = ("matplotlib.figure", "Figure")


def tell() -> None:
    """Tell IPython, if there is any in this process."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return
    formatters = shell.display_formatter.formatters
    for (module, name), home in _HTML.items():
        formatters["text/html"].for_type_by_name(module, name, _later(home))
    if ".".join(_FIGURE) not in formatters["image/png"]:  # the user may have chosen another
        formatters["image/png"].for_type_by_name(*_FIGURE, _later("raynas.insight.figures:png"))


def _later(home: str) -> Callable[[Any], Any]:
    """Return a function that loads another one when it is called."""
    module, name = home.split(":")

    def shown(value: Any) -> Any:
        return getattr(import_module(module), name)(value)

    return shown
