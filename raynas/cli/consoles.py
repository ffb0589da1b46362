"""The two streams that the command writes to: results to stdout, all else to stderr.

Notices and what repaints itself (the live view, bars) go through one console, for only that
console knows which lines of the terminal it will repaint: a second one would write into them.
"""

from __future__ import annotations

import sys
from typing import Final

from rich.console import Console

RESULTS: Final = Console(highlight=False)
NOTICES: Final = Console(stderr=True, highlight=False)


def repaints() -> bool:
    """Say whether stderr can show what repaints itself.

    Rich alone takes a file for a terminal where ``FORCE_COLOR`` is set.
    """
    return NOTICES.is_interactive and sys.stderr.isatty()


def watched() -> bool:
    """Say whether a person sees both streams on a terminal that repaints itself."""
    return repaints() and sys.stdout.isatty()
