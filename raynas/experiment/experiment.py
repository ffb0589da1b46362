"""An experiment, described once: in Python, in a YAML file, or on the command line."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from raynas.errors import ConfigError, unknown
from raynas.execution.limits import Limits
from raynas.experiment import amounts
from raynas.experiment.settings import Budget, Compute, Parts, Shown, Storage
from raynas.options import local_path, plain, read_value
from raynas.storage import Address
from raynas.yaml12 import parse_file


@dataclass(frozen=True, kw_only=True)
class Experiment(Shown, Storage, Compute, Budget, Parts):
    """A search and all it needs; what is left out has a default.

    The settings are those of ``Parts``, ``Budget``, ``Compute``, ``Storage`` and ``Shown``, all on
    one level.
    """

    def __post_init__(self) -> None:
        """Make numpy's numbers Python's; check what can be checked without looking anything up."""
        for item in fields(self):
            object.__setattr__(self, item.name, plain(getattr(self, item.name)))
        self.check_parts()
        self.check_budget()
        self.check_compute()
        self.check_storage()
        self.check_shown()
        if self.gpu_hours is not None and self.gpus_per_trial == 0:
            raise ConfigError(
                "trials without a GPU never use up gpu_hours, given as "
                f"{self.gpu_hours}: leave it out, or gpus_per_trial=0"
            )
        if not self.methods:
            self._check_no_supernets()
        self.limits  # noqa: B018 - raises on what is malformed

    def _check_no_supernets(self) -> None:
        """Check that nothing is said about supernets, because there are none.

        Raises:
            ConfigError: Something is.
        """
        said = {
            "method_options": bool(self.method_options),
            "supernet_epochs": self.supernet_epochs is not None,
            "supernets": self.supernets > 1,
            "supernet_workers": (self.supernet_workers or 1) > 1,
            "candidates": self.candidates is not None,
        }
        if given := [name for name, is_said in said.items() if is_said]:
            raise ConfigError(
                f"{' and '.join(given)} need a supernet: give method, such as method='spos', or "
                "leave them out"
            )

    @property
    def limits(self) -> Limits:
        """What ends the search before there have been so many trials.

        Raises:
            ConfigError: The time, or the target, is malformed.
        """
        return Limits(
            time=math.inf if self.time is None else amounts.seconds(self.time),
            gpu_hours=self.gpu_hours or math.inf,
            target=None if self.target is None else amounts.target(self.target, self.objectives),
            max_failures=self.max_failures or math.inf,
        )

    def described(self) -> dict[str, Any]:
        """Return the fields as JSON-ready data; an object is described by its ``repr``."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}

    def differences(self, recorded: Mapping[str, Any]) -> list[str]:
        """Return what keeps this experiment from taking up a recorded one, a sentence each."""
        mine = self.described()
        # What a run was begun without, by an older raynas, was as it is by default.
        known = {**Experiment(folds=1).described(), **recorded}
        return [
            f"{item.name} is {known[item.name]!r} there and {mine[item.name]!r} here"
            for item in fields(Parts)
            if _meant(mine[item.name]) != _meant(known[item.name])
        ]


def experiment_from(values: Mapping[str, Any], base: Experiment | None = None) -> Experiment:
    """Make an experiment of fields by name; those left out come from ``base``.

    Raises:
        ConfigError: A field is unknown, or a value is of the wrong kind.
    """
    known = {item.name: item for item in fields(Experiment)}
    for name in values:
        if name not in known:
            raise ConfigError(unknown("setting", str(name), known))
    hints = get_type_hints(Experiment)
    read = {name: read_value(name, hints[name], value) for name, value in values.items()}
    return replace(base or Experiment(), **read)


def read_config(path: Path | str) -> dict[str, Any]:
    """Return the settings of a YAML file.

    Raises:
        ConfigError: It is not there, is no YAML, or holds no mapping.
    """
    data = parse_file(local_path("the configuration", path), f"the configuration {path}")
    if not isinstance(data, dict):
        raise ConfigError(f"the configuration {path} must hold settings, 'name: value' a line")
    return data


def objects(described: Any) -> Iterator[str]:
    """Yield the names of the objects in a described setting; a journal has only their names."""
    if isinstance(described, Mapping):
        if set(described) == {"object"}:
            yield str(described["object"])
        for part in described.values():
            yield from objects(part)
    elif isinstance(described, list):
        for part in described:
            yield from objects(part)


def _meant(value: Any) -> Any:
    """Return what a setting means, wherever it is read: a Python file by its whole path."""
    where, *attribute = value.split(":") if isinstance(value, str) else ("",)
    return (os.path.realpath(where), *attribute) if where.endswith(".py") else value


def _plain(value: Any) -> Any:
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, Path | Address):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    said = getattr(value, "__name__", None) or repr(value)
    return {"object": re.sub(r" at 0x[0-9a-f]+", "", said)}  # the same in another process
