"""What a run in an object store costs, against the same run in a folder.

Trials whose epochs a child sleeps away are led on a few workers: with the run in a folder, and
with the run in an S3 server on loopback (moto) behind a proxy that makes each answer 50 ms late.
The two take turns. Printed are the trials per second of each, without the first four trials of
each worker (in the first one, a worker loads the library of the store), and the ratio of the
medians.

With ``--events``, events are written to a journal, one each 2 ms: the time of an event in the
driver, and until it is safe.

    python benchmarks/storage.py
    python benchmarks/storage.py --events 2000
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from orchestration import Few, build
from s3_server import BUCKET, environment, s3_port

DELAY = 0.05
WARM = 4  # trials of each worker: in the first ones it loads the library of the store


def speed(output: str, trials: int, epochs: int, seconds: float, workers: int) -> float:
    """Search; return the trials per second."""
    import raynas
    from raynas import Float, Space

    space = SimpleNamespace(SPACE=Space({"x": Float(0, 1)}), build=build)
    result = raynas.search(
        space=space,
        space_options={"seconds": seconds},
        task=Few(),
        searcher="random",
        scheduler="none",
        trials=trials,
        epochs=epochs,
        output=output,
        max_concurrent=workers,
        winner_epochs=1,
    )
    ends = sorted(trial.outcome.at for trial in result.history.finished)
    warm = WARM * workers
    return (len(ends) - 1 - warm) / (ends[-1] - ends[warm])


def events(output: str, count: int) -> None:
    """Print what writing events costs."""
    from raynas import journal
    from raynas.journal import Journal
    from raynas.space import Architecture
    from raynas.storage import location
    from raynas.trial import Report, Started

    writer = Journal(location("output", output))
    writer.begin({"objectives": [{"metric": "val_accuracy", "direction": "max"}]})
    writer.append(Started(0, Architecture({"x": 1}), "x", epochs=count, seed=0))
    spent, late = [], []
    for epoch in range(1, count + 1):
        begun = time.perf_counter()
        writer.append(Report(0, epoch, {"val_accuracy": 0.5, "val_loss": 0.1}))
        spent.append(time.perf_counter() - begun)
        time.sleep(0.002)
        if epoch % (count // 20) == 0:
            begun = time.perf_counter()
            writer.settle()
            late.append(time.perf_counter() - begun)
    writer.close()
    begun = time.perf_counter()
    journal.read(location("output", output))
    read = time.perf_counter() - begun
    print(
        f"{output.partition(':')[0]:>8.8}: {1e6 * statistics.median(spent):.0f} us an event, at "
        f"most {1e3 * max(spent):.1f} ms; safe after {1e3 * statistics.median(late):.0f} ms when "
        f"waited for; read again in {1e3 * read:.0f} ms"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1 / 3, help="of an epoch")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--events", type=int, default=0)
    given = parser.parse_args()
    with s3_port(DELAY) as port, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment(port))
        places = {
            "folder": lambda: f"{folder}/{uuid4().hex}",
            "s3": lambda: f"s3://{BUCKET}/{uuid4().hex}",
        }
        if given.events:
            for make in places.values():
                events(make(), given.events)
            return
        speeds: dict[str, list[float]] = {name: [] for name in places}
        for _ in range(given.turns):
            for name, make in places.items():
                asked: Any = (given.trials, given.epochs, given.seconds, given.workers)
                speeds[name].append(speed(make(), *asked))
                print(f"{name:>8}: {speeds[name][-1]:.3f} trials/s", flush=True)
    folder_speed, s3_speed = (statistics.median(speeds[name]) for name in places)
    cost = 1 - s3_speed / folder_speed
    print(f"cost of the object store: {100 * cost:.1f} % of the trials per second (goal: 5 %)")


if __name__ == "__main__":
    main()
