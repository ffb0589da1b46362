"""The progress of a search in a cell of a notebook."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console

from raynas.insight.text.progress import Clock, View
from raynas.trial import Event, History

_WIDTH: Final = 96  # characters
_PAUSE: Final = 0.5  # seconds between two pictures of the cell
_STYLE: Final = "line-height:1.35;font-family:monospace;background:none;color:inherit"
_PRE: Final = f'<pre style="{_STYLE}">{{code}}</pre>'


class Cell:
    """Shows the live view of a run as the output of a cell, and replaces it while the run goes on.

    Failures are printed into the cell.
    """

    def __init__(self, total: float, clock: Clock = time.monotonic) -> None:
        """Show the view at once.

        Args:
            total: The number of trials of the run; may be infinite.
            clock: Returns the time in seconds.
        """
        from IPython import display  # noqa: PLC0415 - only in a notebook

        self._view = View(
            Console(file=sys.stdout, width=_WIDTH, force_jupyter=False), total, clock
        )
        self._clock = clock
        shown: Any = display
        self._handle = shown.display(self._html(), display_id=True)
        self._shown = clock()

    def write(self, event: Event, history: History) -> None:
        """Take up an event; the cell is drawn at most twice a second."""
        self._view.write(event, history)
        if self._clock() - self._shown >= _PAUSE:
            self.show()

    def show(self) -> None:
        """Draw the cell with all that is known."""
        self._handle.update(self._html())
        self._shown = self._clock()

    def _html(self) -> Any:
        from IPython import display  # noqa: PLC0415 - see __init__

        page = Console(record=True, width=_WIDTH, file=io.StringIO(), force_jupyter=False)
        page.print(self._view.render())
        shown: Any = display
        return shown.HTML(page.export_html(inline_styles=True, code_format=_PRE))


@contextmanager
def in_cell(total: float) -> Iterator[list[Cell]]:
    """Show the progress while the block runs, if this process is the kernel of a notebook.

    Args:
        total: The number of trials of the run; may be infinite.

    Yields:
        The cell, or nothing outside of a notebook.
    """
    if not in_kernel():
        yield []
        return
    cell = Cell(total)
    try:
        yield [cell]
    finally:
        cell.show()


def in_kernel() -> bool:
    """Return whether this process is the kernel of a notebook, and not a terminal."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive else None
    return getattr(shell, "kernel", None) is not None
