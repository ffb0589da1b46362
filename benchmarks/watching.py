"""What watching a search costs: the files for TensorBoard, pictures included.

A thousand random multi-layer perceptrons are trained for one epoch on scikit-learn's digits by two
workers. In the run, every call of the part that writes for TensorBoard is measured: the time that
trials wait for it. Pictures are drawn in a thread meanwhile; ``--against`` shows what it takes
from trials, on a machine that does nothing else. Printed as JSON:

- ``share``: seconds in these calls, of the seconds from the first event to the end, in percent;
- ``at the end``: seconds of the last of them, when no trial runs any more;
- ``longest``: the longest call, in milliseconds: so long may a trial wait;
- ``pictures``: how many were drawn; ``files`` and ``megabytes``: what lies in the folder;
- ``without`` (only with ``--against``): seconds per trial of a second run in which nothing is
  written for TensorBoard, after ``with``, that of the first.

    python benchmarks/watching.py [--trials 1000] [--against]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import raynas
from raynas.experiment.run import search as run_search
from raynas.insight.board import album
from raynas.insight.board.tensorboard import TensorBoard

CALLS: list[float] = []
PICTURES: list[Any] = []
EVENTS: list[float] = []


class Timed(TensorBoard):
    """Measures each of its calls."""

    def write(self, event: Any, history: Any) -> None:
        self._timed(super().write, event, history)

    def close(self) -> None:
        self._timed(super().close)

    def _timed(self, call: Any, *args: Any) -> None:
        begin = time.perf_counter()
        call(*args)
        EVENTS.append(time.perf_counter())
        CALLS.append(EVENTS[-1] - begin)


class Silent(TensorBoard):
    """Writes nothing."""

    def write(self, event: Any, history: Any) -> None:
        EVENTS.append(time.perf_counter())


def searched(folder: Path, trials: int, board: type[TensorBoard]) -> float:
    """Run the search; return the seconds between its first and its last event."""
    EVENTS.clear()
    run_search.TensorBoard = board
    raynas.search(
        space="mlp",
        task="digits",
        searcher="random",
        trials=trials,
        epochs=1,
        max_concurrent=2,
        output=folder,
    )
    return EVENTS[-1] - EVENTS[0]  # of one clock, and with the last call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--against", action="store_true")
    given = parser.parse_args()
    draw = album.png

    def counted(figure: Any) -> bytes:
        PICTURES.append(figure)
        return draw(figure)

    album.png = counted
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder) / "watched"
        seconds = searched(here, given.trials, Timed)
        files = list(here.rglob("events.out.*"))
        found = {
            "trials": given.trials,
            "with": round(seconds / given.trials, 4),
            "share": round(100 * sum(CALLS) / seconds, 2),
            "at the end": round(CALLS[-1], 2),
            "longest": round(1000 * max(CALLS)),
            "pictures": len(PICTURES),
            "files": len(files),
            "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        }
        if given.against:
            found["without"] = searched(Path(folder) / "not", given.trials, Silent) / given.trials
        print(json.dumps(found))


if __name__ == "__main__":
    main()
