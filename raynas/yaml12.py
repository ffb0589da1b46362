"""YAML 1.2 as people write it: ``1e-2`` is a number, ``no`` and ``1:30`` are text.

YAML 1.1, which PyYAML reads, makes text of ``1e-2``, a truth value of ``no``, ninety of ``1:30``
and eight of ``010``.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from raynas.errors import ConfigError


def parse(text: str, what: str) -> Any:
    """Return what YAML text holds; dates stay text, as they do in YAML's core schema.

    Args:
        text: The YAML; JSON is YAML, too.
        what: What messages call it, such as ``"the configuration search.yaml"``.

    Raises:
        ConfigError: It is no YAML, or a name stands in it twice.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 - slow to load, only some commands read YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    try:
        return _plain(YAML(typ="safe", pure=True).load(text))
    except MarkedYAMLError as error:
        raise ConfigError(f"{what} is not valid YAML: {_said(error)}") from error
    except YAMLError as error:
        raise ConfigError(f"{what} is not valid YAML: {' '.join(str(error).split())}") from error


def parse_file(path: Path, what: str) -> Any:
    """Return what a YAML or JSON file holds.

    Raises:
        ConfigError: It cannot be read, or is no YAML; see ``parse``.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{what} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} must be text in UTF-8: {error}") from error
    return parse(text, what)


def _said(error: Any) -> str:
    """Return where a fault is and what it is, without YAML's picture of the place."""
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return where + " ".join(str(error.problem or error.context).split())


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
