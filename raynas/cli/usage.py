"""Messages about a command line that typer cannot read."""

from __future__ import annotations

from typing import Any, Final, cast

import typer

from raynas.options import described

# Typer exports the subclass BadParameter, but not its base class.
UsageError: Final = cast("type[typer.BadParameter]", typer.BadParameter.__base__)

_NUMBERS: Final = {"int_parsing": int, "float_parsing": float}  # by pydantic's type of error


def misuse(error: typer.BadParameter) -> str:
    """Return in one line what is wrong with a command line.

    The text is empty if there was no command, because then typer has printed the help.

    Args:
        error: A ``UsageError``.
    """
    if isinstance(error, typer.BadParameter) and error.param:
        wrong: list[Any] = getattr(error.__cause__, "errors", list)()
        if wrong and wrong[0]["type"] in _NUMBERS:
            kind = described(_NUMBERS[wrong[0]["type"]])
            return f"{error.param.name} must be {kind}, got {wrong[0]['input']!r}"
    said = error.format_message().strip().rstrip(".")
    if said and error.ctx:
        said += f"{'' if said.endswith('?') else '.'} See '{error.ctx.command_path} --help'"
    return said[:1].lower() + said[1:]
