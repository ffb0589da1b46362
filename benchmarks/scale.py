"""How a search grows: many workers, many trials, several nodes.

- **Simulated**: random search with ``asha_promotion`` on a made-up table, with 1,000 workers under
  a virtual clock, and a journal on the disk. For each number of trials: microseconds of processor
  time per event (decided, applied and journaled), bytes of the driver's memory and of the journal
  per trial, and seconds to replay the journal.
- **Replayed**: a journal of 100,000 trials, made of those of 10,000.
- **Real** (``--real``): trials that sleep for a quarter of a second, on one, two and four local
  Ray nodes of two CPUs each: trials per second, and the memory of the driver per trial.

    python benchmarks/scale.py
    python benchmarks/scale.py --real 500
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import growth_search as made
from orchestration import Few, build, resident

SIZES, WORKERS, COPIES = (1_000, 3_000, 10_000), 1_000, 10
NODES, SECONDS = (1, 2, 4), 0.25


def simulate(folder: Path, trials: int) -> dict[str, float]:
    """Search on a table with many workers; return what it took."""
    from raynas.execution.simulate import Budget, Cluster, Simulation
    from raynas.journal import Journal

    plan = made.Plan(
        made.SPACE, made.Counting(), made.make_scheduler("asha_promotion"), trials, made.EPOCHS, 0
    )
    journal, events = Journal(folder), 0
    journal.begin({"objectives": [{"metric": "val_accuracy", "direction": "max"}]})
    simulation = Simulation(plan, Cluster(made.Made(), WORKERS), Budget(trainings=trials))
    apply = simulation.conductor.record

    def record(event: Any) -> None:
        nonlocal events
        apply(event)
        journal.append(event)
        events += 1

    simulation.conductor.record = record
    memory, began = resident(), time.process_time()
    for _ in simulation:
        pass
    spent = time.process_time() - began
    grown = resident() - memory
    journal.close()
    return {
        "trials": trials,
        "events": events,
        "us_per_event": 1e6 * spent / events,
        "bytes_per_trial": grown / trials,
        "journal_per_trial": size(folder) / trials,
        "replay_s": replayed(folder),
    }


def size(folder: Path) -> int:
    return (folder / "journal.jsonl").stat().st_size


def replayed(folder: Path) -> float:
    """Return the seconds to replay a journal."""
    from raynas.journal import read

    began = time.process_time()
    read(folder)
    return time.process_time() - began


def multiplied(source: Path, target: Path, trials: int) -> None:
    """Write the journal of several times as many trials: copies, with other numbers."""
    head, *lines = (source / "journal.jsonl").read_text().splitlines()
    target.mkdir()
    with (target / "journal.jsonl").open("w") as file:
        file.write(head + "\n")
        for copy in range(COPIES):
            for line in lines:
                event = json.loads(line)
                if "number" in event:
                    event["number"] += copy * trials
                if "identity" in event:
                    event["identity"] = f"{copy}{event['identity'][1:]}"
                file.write(json.dumps(event, separators=(",", ":")) + "\n")


def real(trials: int, nodes: int) -> dict[str, float]:
    """Search on a local cluster; return trials per second."""
    import ray
    from orchestration import Scales
    from ray.cluster_utils import Cluster

    import raynas
    from raynas import Float, Space

    scales = Scales()
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False}
    )
    for _ in range(nodes - 1):
        cluster.add_node(num_cpus=2)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        with tempfile.TemporaryDirectory() as output:
            result = raynas.search(
                watchers=[scales],
                space=SimpleNamespace(SPACE=Space({"x": Float(0, 1)}), build=build),
                space_options={"seconds": SECONDS},
                task=Few(),
                searcher="random",
                scheduler="none",
                trials=trials,
                epochs=1,
                output=output,
            )
    finally:
        ray.shutdown()
        cluster.shutdown()
    # From the first report after every worker has come to the last one.
    times = sorted(one.outcome.at for one in result.history.trials.values())[2 * nodes :]
    half = len(scales.weights) // 2
    return {
        "nodes": nodes,
        "trials": trials,
        "per_second": (len(times) - 1) / (times[-1] - times[0]),
        "bytes_per_trial": (scales.weights[-1] - scales.weights[half]) / half,
    }


def apart(call: str) -> dict[str, float]:
    """Return what a function returns in a process of its own."""
    code = f"import json, scale; from pathlib import Path; print(json.dumps(scale.{call}))"
    here = Path(__file__).parent
    done = subprocess.run(  # noqa: PLW1510 - looked at below
        [sys.executable, "-c", code], cwd=here, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def shown(found: dict[str, float]) -> None:
    print("  ".join(f"{name} {value:,.4g}" for name, value in found.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=int, default=0, help="trials on real nodes")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for trials in SIZES:
            shown(apart(f"simulate(Path({str(Path(scratch) / str(trials))!r}), {trials})"))
        last, many = Path(scratch) / str(SIZES[-1]), Path(scratch) / "many"
        multiplied(last, many, SIZES[-1])
        seconds = apart(f"replayed(Path({str(many)!r}))")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(
            f"replayed {SIZES[-1] * COPIES:,} trials, {size(many) / 2**20:,.0f} MiB, in "
            f"{seconds:.1f} s; at most {peak:.1f} GiB"
        )
    for nodes in NODES if told.real else ():
        shown(apart(f"real({told.real}, {nodes})"))


if __name__ == "__main__":
    main()
