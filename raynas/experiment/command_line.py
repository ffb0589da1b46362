"""The command that repeats a run: recorded settings, turned back into a command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from raynas.errors import ConfigError
from raynas.experiment.experiment import Experiment, objects
from raynas.options import PARTS
from raynas.yaml12 import parse

_PART_OF: Final = {setting: part for part, setting in PARTS.items()}
_ONLY_IN_FILES: Final = ("winner_epochs",)  # settings that are no option of ``raynas search``
_JOINED: Final = ("tune", "proxies", "method")  # lists that are given with commas
_FLAGS: Final = ("inherit_weights", "download", "verbose")


@dataclass(frozen=True, slots=True)
class Repetition:
    """How to repeat a run.

    Attributes:
        command: The command, for a POSIX shell.
        file: The settings that an option cannot give, as the contents of a JSON file; empty if
            there are none.
        unknown: The settings that no command can give: objects, of which a journal has only the
            names, and settings that this version of raynas does not have.
    """

    command: str
    file: str
    unknown: tuple[str, ...]


def repetition(
    described: Mapping[str, Any], output: str, config: str = "settings.json"
) -> Repetition:
    """Return the command that repeats a run in another folder.

    Settings that have their default value are left out.

    Args:
        described: The settings, as ``Experiment.described`` returns them and a journal has them.
        output: The folder of the repeated run.
        config: The name of the file for the settings that an option cannot give.
    """
    words: list[str] = []
    in_file: dict[str, Any] = {}
    known, unknown = Experiment().described(), []
    for name, value in {**described, "output": output}.items():
        if name not in known or [*objects(value)]:
            unknown.append(name)
        elif value != known[name]:
            said = _words(name, value)
            if said is None:
                in_file[name] = value
            else:
                words += said
    file = json.dumps(in_file, indent=2) if in_file else ""
    command = ["raynas", "search", *(["--config", config] if file else []), *words]
    return Repetition(shlex.join(command), file, tuple(unknown))


def options() -> Sequence[str]:
    """Return the names of the settings that are options of ``raynas search``, without parts."""
    left_out = (*_ONLY_IN_FILES, *_PART_OF)
    return [item.name for item in fields(Experiment) if item.name not in left_out]


def _words(name: str, value: Any) -> list[str] | None:
    """Return the words that give a setting; none if no option can."""
    option = f"--{name.replace('_', '-')}"
    if name in _ONLY_IN_FILES or value is None:
        return None
    if name in _PART_OF:
        return _assignments(_PART_OF[name], value)
    if name in _FLAGS:
        return [option] if value else None
    if isinstance(value, list):
        if not all(isinstance(one, str) and one for one in value) or not value:
            return None
        if name == "objective":
            return [word for one in value for word in _given(option, one)]
        if name not in _JOINED or any("," in one for one in value):
            return None
        return _given(option, ",".join(value))
    return None if isinstance(value, Mapping) else _given(option, str(value))


def _given(option: str, value: str) -> list[str]:
    # What begins with a dash would be read as an option.
    return [f"{option}={value}"] if value.startswith("-") else [option, value]


def _assignments(part: str, values: Any) -> list[str] | None:
    """Return ``--set`` with each option of a part; none if one of them cannot be written so."""
    if not isinstance(values, Mapping):
        return None
    words = []
    for name, value in values.items():
        text = _yaml(value)
        # The option ends at the first equals sign, and may not be the name of a longer part.
        if text is None or not name or "=" in name:
            return None
        words += ["--set", f"{part}.{name}={text}"]
    return words


def _yaml(value: Any) -> str | None:
    """Return a value as YAML on one line, without quotes where it needs none."""
    texts = [value] if isinstance(value, str) else []
    for text in (*texts, json.dumps(value, ensure_ascii=False), json.dumps(value)):
        try:
            read = parse(text, "a setting")
        except ConfigError:
            continue
        if read == value and type(read) is type(value) and "\n" not in text:
            return text
    return None
