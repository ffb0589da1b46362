"""The text of numbers, times and states, for all messages and tables."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.text import Text

from raynas.insight.plain_words import HIDDEN
from raynas.trial import Failed, Finished, Trial

_KEPT: Final = "\N{NO-BREAK SPACE}"
_UNITS: Final = (("G", 1e9), ("M", 1e6), ("k", 1e3))
_ROUNDS_UP: Final = 0.9995  # with three digits 999,950 is 1M, not 1000k


def count(number: float) -> str:
    """Return a count to three digits, such as ``12.3k``."""
    for unit, size in _UNITS:
        if number >= _ROUNDS_UP * size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"


def metric(name: str, value: float) -> str:
    """Return a metric's value as text: accuracies, which are fractions, in percent."""
    if name.endswith("accuracy"):
        return f"{100 * value:.2f} %"
    return count(value) if name in {"params", "flops"} else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Return a measured time with its two largest units, such as ``2 min 13 s``."""
    if seconds < 59.95:  # 59.95 would be shown as 60.0 s
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def span(seconds: float) -> str:
    """Return the exact time of a setting, such as ``2 h`` or ``1 h 30 min``."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number:g} {unit}" for number, unit in parts if number)


def age(seconds: float) -> str:
    """Return how long ago something was, in its largest unit, such as ``5 h``."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def size(number: float) -> str:
    """Return a number of bytes, such as ``12.3 MB``."""
    for unit in ("B", "kB", "MB"):
        if number < _ROUNDS_UP * 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} GB"


def status(trial: Trial) -> str:
    """Return the status of a trial: running, failed, finished and so on."""
    match trial.outcome:
        case None:
            return "running"
        case Failed(refused=refused):
            return "refused" if refused else "failed"
        case Finished(answered_by=int(source)):
            return f"answered by trial {source}"
        case Finished(stopped=stopped):
            ended = "stopped early" if stopped else "finished"
            return f"{ended}, breaks a constraint" if trial.violation else ended


def plural(number: int, noun: str) -> str:
    """Return the number with its noun, such as ``1 trial`` or ``3 trials``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def harmless(text: str) -> str:
    """Return text with its control characters written out: a terminal does not obey them.

    Names of metrics and reasons of failures may come from anybody. Ends of lines and tabs stay.
    """
    return HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def on_one_line(text: str) -> str:
    """Return text as one harmless line, with single spaces between its words."""
    return harmless(" ".join(text.split()))


def in_lines(parts: Iterable[str], joint: str, width: int) -> list[str]:
    """Return parts with ``joint`` between them, in lines of a width; no part is divided."""
    kept = joint.join(part.replace(" ", _KEPT) for part in parts)
    lines = textwrap.wrap(kept, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_KEPT, " ") for line in lines]


def say(console: Console, text: str, style: str = "") -> None:
    """Print text without markup or control characters; on a terminal, wrap it between words.

    A word that is longer than the width of the terminal, such as a path, is not broken.
    """
    text = harmless(text)
    if not console.is_terminal:
        console.out(text, highlight=False)  # much faster: it looks at no line
        return
    lines = [part for line in text.split("\n") for part in _wrapped(line, console.width)]
    console.print(Text("\n".join(lines), style), soft_wrap=True)


def say_whole(console: Console, line: str) -> None:
    """Print a line without wrapping it, so that users can copy it, such as a command."""
    console.print(Text(harmless(line)), soft_wrap=True)


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
