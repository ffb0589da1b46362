"""Find the runs to compare, see that they can be compared, and put them into arms."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from raynas import journal
from raynas.errors import ConfigError
from raynas.experiment.run.runs import run_folders
from raynas.insight.comparison import Arm, Run
from raynas.insight.text.comparison import MOST
from raynas.journal import Replay
from raynas.storage import Location, bucket_or_location, store_of

# Settings that say where and how loudly a run ran, not what it searched.
_ASIDE: Final = ("output", "seed", "address", "verbose", "grace", "data_dir", "download")
_SAME: Final = ("task", "task_options")
_SHOWN: Final = 60  # characters of a value in a message
_NAMED: Final = 3  # runs in a message
_SIGNS: Final = "*?["  # of patterns


@dataclass(frozen=True, slots=True)
class Comparison:
    """Arms that can be compared.

    Attributes:
        arms: At least two.
        notes: What a reader must know of the runs, in sentences.
    """

    arms: tuple[Arm, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    folder: Location
    replay: Replay

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.replay.run.get("experiment") or {}

    @property
    def seed(self) -> int:
        return int(self.settings.get("seed") or 0)

    @property
    def searched(self) -> str:
        """What it searched, equal for runs that differ only in their seed."""
        kept = {name: value for name, value in self.settings.items() if name not in _ASIDE}
        return json.dumps([kept, self.replay.run.get("space")], sort_keys=True)


def compared(given: Sequence[str]) -> Comparison:
    """Return the arms of the runs that are given.

    Each text names a run, a folder of runs, or a pattern such as ``runs/evolution-*``. If it
    names several runs, these are an arm. Otherwise runs whose settings differ only in the seed are
    an arm; if there were only one arm then, each run is one.

    Raises:
        ConfigError: A text names no run, or the runs cannot be compared.
        JournalError: A run cannot be read.
    """
    groups = {text: _found(text) for text in given}
    runs = [run for group in groups.values() for run in group]
    _check_alike(runs)
    groups = groups if any(len(group) > 1 for group in groups.values()) else _by_settings(runs)
    if not 1 < len(groups) <= MOST:
        raise ConfigError(
            f"compare needs 2 to {MOST} runs or groups of runs, got {len(groups)}: "
            "raynas compare 'runs/evolution-*' 'runs/random-*'"
        )
    arms = tuple(
        Arm(name, tuple(Run.of(str(run.folder), run.seed, run.replay.history) for run in group))
        for name, group in groups.items()
    )
    return Comparison(arms, tuple(_notes(groups)))


def _found(text: str) -> list[_Found]:
    place = bucket_or_location("a run", text)
    found = [place] if store_of(place).names() else _matching(place)
    folders = [run for one in found for run in run_folders(one)]
    if not folders:
        raise ConfigError(
            f"compare needs run folders, folders of runs or patterns of them, got {text!r}, "
            "in which there is no run"
        )
    return [_Found(folder, journal.read(folder)) for folder in folders]


def _matching(pattern: Location) -> list[Location]:
    """Return the folders that a pattern describes."""
    base, names = pattern, list[str]()
    while any(sign in str(base) for sign in _SIGNS):
        base, names = base.parent, [base.name, *names]
    found = [base / name for name in store_of(base).matching("/".join(names))] if names else []
    return [one for one in found if store_of(one).names()]


def _by_settings(runs: Sequence[_Found]) -> dict[str, list[_Found]]:
    arms: dict[str, list[_Found]] = {}
    for run in runs:
        arms.setdefault(run.searched, []).append(run)
    if len(arms) == 1:
        return {str(run.folder): [run] for run in runs}
    return {_names(group): group for group in arms.values()}


def _names(group: Sequence[_Found]) -> str:
    more = ", …" if len(group) > _NAMED else ""
    return ", ".join(str(run.folder) for run in group[:_NAMED]) + more


def _check_alike(runs: Sequence[_Found]) -> None:
    """Check that runs have the same objectives, task and data.

    The digests of the data depend on the seed, which divides them.
    """
    first, of_seed = runs[0], {runs[0].seed: runs[0]}
    for run in runs[1:]:
        same_seed = of_seed.setdefault(run.seed, run)
        pairs = [
            ("objectives", *(one.replay.run["objectives"] for one in (first, run))),
            *((name, first.settings.get(name), run.settings.get(name)) for name in _SAME),
            ("data", *(_undigested(one.replay.run.get("data")) for one in (first, run))),
            ("division of the data", *(one.replay.run.get("data") for one in (same_seed, run))),
        ]
        for what, one, other in pairs:
            if one != other:
                raise ConfigError(
                    f"runs that are compared must have the same {what}: {first.folder} has "
                    f"{_short(one)}, {run.folder} has {_short(other)}"
                )


def _undigested(data: Any) -> Any:
    if not isinstance(data, Mapping):
        return data
    return {name: _undigested(part) for name, part in data.items() if name != "digest"}


def _notes(groups: Mapping[str, Sequence[_Found]]) -> Iterator[str]:
    """Yield what else differs between arms, and inside of them."""
    firsts = [group[0] for group in groups.values()]
    if said := _differences(firsts):
        yield f"they differ in {said}"
    for name, group in groups.items():
        if said := _differences(group):
            yield f"the runs of {name} are not alike, they differ in {said}"
    spaces = {json.dumps(one.replay.run.get("space"), sort_keys=True) for one in firsts}
    if len(spaces) > 1:
        yield "their spaces have other decisions"
    if len({one.replay.history.longest for one in firsts}) > 1:
        yield "their longest trials differ in epochs, so the scores are of other trainings"
    running = [run for group in groups.values() for run in group if run.replay.history.running]
    if running:
        yield f"{_names(running)}: not ended, more may come"


def _differences(runs: Sequence[_Found]) -> str:
    names = dict.fromkeys(name for run in runs for name in run.settings if name not in _ASIDE)
    said = []
    for name in names:
        values = dict.fromkeys(_short(run.settings.get(name)) for run in runs)
        if len(values) > 1:
            said.append(f"{name} ({', '.join(values)})")
    return ", ".join(said)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
