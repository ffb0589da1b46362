"""Numbers and states in words, the same wherever people meet them."""

from __future__ import annotations

import textwrap
from typing import Final

from rich.console import Console
from rich.text import Text

from raynas.trial import Failed, Finished, Trial

_UNITS: Final = (("G", 1e9), ("M", 1e6), ("k", 1e3))
_ROUNDS_UP: Final = 0.9995  # 999,950 is 1M to three digits, not 1000k


def count(number: float) -> str:
    """Return a count to three digits, such as ``12.3k``."""
    for unit, size in _UNITS:
        if number >= _ROUNDS_UP * size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"


def metric(name: str, value: float) -> str:
    """Return a metric's value: accuracies (fractions) in percent."""
    if name.endswith("accuracy"):
        return f"{100 * value:.2f} %"
    return count(value) if name in {"params", "flops"} else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Return a time with the two units that matter, such as ``2 min 13 s``."""
    if seconds < 59.95:  # more would read 60.0 s
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def span(seconds: float) -> str:
    """Return a time that was set, exactly, such as ``2 h`` or ``1 h 30 min``."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number:g} {unit}" for number, unit in parts if number)


def status(trial: Trial) -> str:
    """Return what became of a trial."""
    match trial.outcome:
        case None:
            return "running"
        case Failed():
            return "failed"
        case Finished(answered_by=int(source)):
            return f"answered by trial {source}"
        case Finished(stopped=stopped):
            return "stopped early" if stopped else "finished"


def plural(number: int, noun: str) -> str:
    """Return the number with its noun, such as ``1 trial`` or ``3 trials``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def say(console: Console, text: str, style: str = "") -> None:
    """Print text as it is, nothing in it taken for markup; a terminal gets it wrapped at words.

    A word that is longer than the terminal is wide, such as a path, stays whole.
    """
    lines = text.split("\n")
    if console.is_terminal:
        lines = [part for line in lines for part in _wrapped(line, console.width)]
    console.print(Text("\n".join(lines), style), soft_wrap=True)


def say_whole(console: Console, line: str) -> None:
    """Print a line that people copy, such as a command, as one line however long it is."""
    console.print(Text(line), soft_wrap=True)


def _wrapped(line: str, width: int) -> list[str]:
    wrapped = textwrap.wrap(
        line,
        width,
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapped or [line]
