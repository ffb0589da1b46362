"""Read YAML 1.2: ``1e-2`` is a number, ``no`` and ``1:30`` are text.

PyYAML reads YAML 1.1, in which ``1e-2`` is text, ``no`` is false, ``1:30`` is ninety and ``010``
is eight.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any, Final

from raynas.errors import ConfigError
from raynas.json_text import parsed

_MOST: Final = 100_000  # values in one file


class _TooMuchError(Exception):
    """There are more values than anybody writes."""


def parse(text: str, what: str) -> Any:
    """Return the contents of YAML text; dates stay text, as in YAML's core schema.

    Args:
        text: The YAML; JSON is also YAML.
        what: Its name in messages, such as ``"the configuration search.yaml"``.

    Raises:
        ConfigError: The text is not valid YAML, a key occurs twice, or it holds too much.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 - slow to load, only some commands read YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    try:
        return _plain(YAML(typ="safe", pure=True).load(text), count())
    except MarkedYAMLError as error:
        raise ConfigError(f"{what} is not valid YAML: {_said(error)}") from error
    except YAMLError as error:
        raise ConfigError(f"{what} is not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError:
        raise ConfigError(f"{what} is nested too deeply, or contains itself") from None
    except _TooMuchError:
        raise ConfigError(
            f"{what} must hold at most {_MOST:,} values, counting those that an alias repeats"
        ) from None


def parse_file(path: Path, what: str) -> Any:
    """Return the contents of a YAML file, or of a JSON file, whose name ends in ``.json``.

    JSON writes characters beyond 16 bits as pairs, which YAML does not read as one character.

    Raises:
        ConfigError: The file cannot be read, or is not valid YAML; see ``parse``.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{what} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} must be text in UTF-8: {error}") from error
    if path.suffix == ".json":
        with suppress(ValueError):  # what is no JSON may be YAML, which people write more easily
            return parsed(text)
    return parse(text, what)


def _said(error: Any) -> str:
    """Return the place of an error and its description, without the excerpt of the text."""
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return where + " ".join(str(error.problem or error.context).split())


def _plain(value: Any, values: Iterator[int]) -> Any:
    """Return a value with dates as text; ``values`` counts, because aliases may multiply it."""
    if next(values) >= _MOST:
        raise _TooMuchError
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {_plain(key, values): _plain(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, values) for item in value]
    return value
