"""Asking proxies before Ray is there, in a process that a network may kill without harm."""

from __future__ import annotations

import json
import pickle  # noqa: TID251 - crosses to another process, and is gone with it
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from ray import cloudpickle

from raynas.execution.ray_tune.trainable import PackedContext
from raynas.proxies import Batch, Scores, score
from raynas.space import Architecture

DIED: Final = "the process in which proxies looked at it died"
_MOST: Final = 3  # processes that may die of it
_CODE: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from raynas.execution.ray_tune.isolated_process import answer; "
    "answer(sys.argv[2], sys.argv[3])"
)


def missing(
    packed: PackedContext,
    batch: Batch,
    names: Sequence[str],
    architectures: Sequence[Architecture],
    seed: int,
) -> dict[str, str]:
    """Return the proxies that have a value of none of some networks, and why of the last.

    Networks are looked at one after the other, until every proxy had a value.

    Args:
        packed: What builds the networks.
        batch: What they are shown.
        names: The proxies.
        architectures: The networks.
        seed: The run's seed.
    """
    lacking, left = dict.fromkeys(names, ""), [*architectures]
    for _ in range(_MOST):
        found = _isolated(packed.build, batch, [*lacking], left, seed)
        for scores in found:
            lacking = scores.refusals
        left = left[len(found) :]
        if not left or not lacking:
            break
        del left[0]
        lacking = {name: why or DIED for name, why in lacking.items()}
    return lacking


def _isolated(*job: Any) -> list[Scores]:
    """Return what ``_tried`` yields in another process, up to where that dies if it does."""
    with TemporaryDirectory(prefix="raynas-") as folder:
        question, answers = Path(folder) / "question", Path(folder) / "answers"
        question.write_bytes(cloudpickle.dumps(job))
        command = [sys.executable, "-c", _CODE, json.dumps(sys.path), str(question), str(answers)]
        subprocess.run(command, check=False, capture_output=True)
        return [*_read(answers)] if answers.exists() else []


def _read(path: Path) -> Iterator[Scores]:
    with path.open("rb") as file:
        while True:
            try:
                yield pickle.load(file)
            except (EOFError, pickle.UnpicklingError):
                return


def answer(question: str, answers: str) -> None:
    """Answer in the other process."""
    job = pickle.loads(Path(question).read_bytes())
    with Path(answers).open("wb", buffering=0) as file:
        file.writelines(pickle.dumps(scores) for scores in _tried(*job))


def _tried(
    build: bytes, batch: Batch, names: Sequence[str], left: Sequence[Architecture], seed: int
) -> Iterator[Scores]:
    made = cloudpickle.loads(build)
    for architecture in left:
        found = score(made, architecture, batch, names, seed=seed)
        yield found
        names = [*found.refusals]
        if not names:
            return
