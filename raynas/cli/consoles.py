"""The two streams of the command: results go to stdout, everything else to stderr.

Notices, the live view and progress bars use the same console, because only this console knows
which lines of the terminal it will repaint. Another console would write into these lines.
"""

from __future__ import annotations

import sys
from typing import Final

from rich.console import Console

RESULTS: Final = Console(highlight=False)
NOTICES: Final = Console(stderr=True, highlight=False)


def repaints() -> bool:
    """Return whether stderr is a terminal that can repaint lines.

    The check of rich is not enough: with ``FORCE_COLOR`` it treats a file as a terminal.
    """
    return NOTICES.is_interactive and sys.stderr.isatty()


def watched() -> bool:
    """Return whether both streams are terminals, and stderr can repaint lines."""
    return repaints() and sys.stdout.isatty()
