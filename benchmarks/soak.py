"""A search on three Ray nodes of one machine, with a fault every few seconds: what is lost?

In turn a worker is killed, a node is killed (and a new one joins), a node is announced to go and
goes, the head's server is killed (and starts again from Ray's store on disk), and the driver is
killed (and ``raynas resume`` goes on). At the end the journal is compared with what was trained,
which each epoch writes down itself, and with what the searcher proposes after each prefix of it.

    python benchmarks/soak.py
    python benchmarks/soak.py --trials 20 --drivers 2      # a short one

Printed are the faults, what was lost, doubled or different (nothing should be), and how long it
took until the trial that was hit reported again.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from types import ModuleType

from soak_judgement import judge, recoveries
from soak_torment import EPOCHS, FILE, NODES, Soak, torment


def soaked(folder: Path, trials: int, seconds: float, drivers: int, seed: int) -> list[str]:
    """Search on a cluster while harm is done; print what happened, return what is wrong."""
    # So that a new server of the head knows what the old one knew.
    os.environ |= {"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": str(folder / "store")}
    (folder / "store").mkdir()
    from ray.cluster_utils import Cluster

    began = time.monotonic()
    text = FILE.format(log=str(folder / "log"), seconds=seconds)
    (folder / "mine.py").write_text(text)
    mine = ModuleType("mine")
    exec(text, mine.__dict__)
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    soak = Soak(folder, trials, cluster)
    try:
        for _ in range(NODES - 1):
            cluster.add_node(num_cpus=1)
        torment(soak, random.Random(seed), drivers)
    finally:
        soak.close()
    said = (folder / "output").read_text()
    if not (folder / "log").exists():
        return [f"nothing was trained:\n{said}"]
    wrong = judge(soak, mine)
    status = soak.driver.returncode
    if status:
        wrong.append(f"the last driver ended with status {status}:\n{said[-4000:]}")
    print(f"{trials} trials on {NODES} nodes in {time.monotonic() - began:.0f} s")
    tell(soak, len((folder / "log").read_text().splitlines()))
    return wrong


def tell(soak: Soak, trained: int) -> None:
    """Print the faults and what came of them."""
    print("faults: " + ", ".join(f"{count} x {kind}" for kind, count in soak.faults.items()))
    events = soak.events()
    reasons = Counter(one["reason"].splitlines()[0] for one in events if one["event"] == "retried")
    for reason, count in reasons.most_common():
        print(f"retried {count} x: {reason}")
    print(f"epochs trained: {trained} for {soak.trials * EPOCHS}")
    if again := recoveries(events):
        print(
            f"from a loss to the trial's next report: median {median(again):.1f} s, longest "
            f"{max(again):.1f} s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--drivers", type=int, default=99, help="that are killed, at most")
    parser.add_argument("--seconds", type=float, default=1.0, help="of an epoch")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak") as scratch:
        wrong = soaked(Path(scratch), told.trials, told.seconds, told.drivers, told.seed)
    print(f"lost, doubled or different: {len(wrong)}")
    for line in wrong[:20]:
        print(" ", line)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
