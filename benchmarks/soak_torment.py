"""A search on a Ray cluster of this machine, and the harm that is done to both."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NODES, SEED, EPOCHS = 3, 0, 4

# A space and a task in one file. A child counts its epochs in a buffer, which its checkpoint has;
# a score is a fixed number for each architecture and each count.
FILE = """
import hashlib
import json
import time
from pathlib import Path

from raynas import Choice, Space
from raynas.data import LoopData

SPACE = Space({{f"op_{{at}}": Choice(["a", "b", "c", "d"]) for at in range(6)}})


def worth(architecture, epoch):
    text = json.dumps([sorted(architecture.items()), epoch])
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32


def build(architecture):
    import torch

    child = torch.nn.Linear(1, 1)
    child.register_buffer("epochs", torch.zeros((), dtype=torch.int64))
    child.architecture = dict(architecture)
    return child


class Task:
    name = "soak"
    objective = "val_score:max"
    metrics = ("val_score",)

    def load(self, source, seed):
        return LoopData()

    def fit(self, child, context):
        for _ in context.epochs():
            time.sleep({seconds})
            child.epochs += 1
            epoch = int(child.epochs)
            with Path({log!r}).open("a") as file:
                file.write(f"{{context.seed}} {{epoch}}\\n")
            yield {{"val_score": worth(child.architecture, epoch)}}
"""


@dataclass
class Soak:
    """A cluster, a search on it, and what is done to both.

    Attributes:
        folder: For the user's file and the run.
        trials: How many trials the search has.
        cluster: Of ``ray.cluster_utils``.
        driver: The process of ``raynas search`` or ``raynas resume``.
        faults: How many of each kind there were.
    """

    folder: Path
    trials: int
    cluster: Any
    driver: Any = None
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def start(self) -> None:
        """Start the search, or resume it."""
        mine = str(self.folder / "mine.py")
        new = ("--space", mine, "--task", f"{mine}:Task", "--searcher", "evolution")
        new += ("--set", "searcher.population_size=20", "--seed", SEED, "--epochs", EPOCHS)
        new += ("--scheduler", "none", "--trials", self.trials, "--output", self.run)
        what = ("resume", self.run) if (self.run / "journal.jsonl").exists() else ("search", *new)
        more = ("--address", self.cluster.address, "--max-concurrent", NODES)
        command = [sys.executable, "-m", "raynas", *map(str, (*what, *more))]
        with (self.folder / "output").open("a") as output:
            self.driver = subprocess.Popen(command, stdout=output, stderr=output)

    def worker(self, rng: random.Random) -> bool:
        """Kill a worker in the middle of an epoch."""
        workers = [pid for pid in descendants(os.getpid()) if name(pid).startswith("ray::_Inner")]
        if workers:
            os.kill(rng.choice(workers), signal.SIGKILL)
        return bool(workers)

    def node(self, rng: random.Random) -> bool:
        """Kill a node with all that runs on it; a new one joins."""
        nodes = list(self.cluster.worker_nodes)
        if nodes:
            self.cluster.remove_node(rng.choice(nodes), allow_graceful=False)
            self.cluster.add_node(num_cpus=1)
        return bool(nodes)

    def notice(self, rng: random.Random) -> bool:
        """Announce that a node will be taken, as for spot machines; two seconds later it is."""
        import ray
        from ray.core.generated.autoscaler_pb2 import DrainNodeReason

        if not (nodes := list(self.cluster.worker_nodes)):
            return False
        node = rng.choice(nodes)
        until = time.time_ns() // 10**6 + 2000
        reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        ray._raylet.GcsClient(  # noqa: SLF001 - as Ray's own command does
            address=self.cluster.address
        ).drain_node(node.node_id, reason, "a spot machine", until)
        time.sleep(2.0)
        self.cluster.remove_node(node, allow_graceful=False)
        self.cluster.add_node(num_cpus=1)
        return True

    def head(self, _: random.Random) -> bool:
        """Kill the server of the head; it starts again three seconds later."""
        (server,) = (pid for pid in descendants(os.getpid()) if name(pid).startswith("gcs_server"))
        said = (Path("/proc") / str(server) / "cmdline").read_text().split("\0")[:-1]
        port = self.cluster.address.rpartition(":")[2]
        again = [
            f"{key}={port}" if key == "--gcs_server_port" else f"{key}{equals}{value}"
            for key, equals, value in (one.partition("=") for one in said)
        ]
        os.kill(server, signal.SIGKILL)
        time.sleep(3.0)
        with (self.folder / "head").open("a") as output:
            subprocess.Popen(again, stdout=output, stderr=output)
        return True

    def kill_driver(self, _: random.Random) -> bool:
        """Kill the driver, and go on."""
        self.driver.kill()
        self.driver.wait()
        self.start()
        return True

    def close(self) -> None:
        """End all that was started."""
        if self.driver is not None and self.driver.poll() is None:
            self.driver.kill()
        self.cluster.shutdown()
        for pid in descendants(os.getpid()):  # servers of the head that Ray did not start
            if name(pid).startswith("gcs_server"):
                os.kill(pid, signal.SIGKILL)

    def events(self) -> list[dict[str, Any]]:
        path = self.run / "journal.jsonl"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state not in "ZX":
            parents.setdefault(int(parent), []).append(int(folder.name))
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def name(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "comm").read_text()
    except OSError:
        return ""


def torment(soak: Soak, rng: random.Random, drivers: int) -> None:
    """Do harm until the search has ended; at least so many drivers are killed if there is time."""
    kinds = (
        ("worker", soak.worker),
        ("node", soak.node),
        ("notice", soak.notice),
        ("head", soak.head),
        ("driver", soak.kill_driver),
    )
    soak.start()
    while soak.driver.poll() is None:
        for kind, harm in kinds:
            before = len(soak.events())
            deadline = time.monotonic() + rng.uniform(1.5, 5.0)
            while soak.driver.poll() is None and (
                time.monotonic() < deadline
                # A driver that is killed before it has done anything would never end, and a trial
                # whose worker is lost again and again before it reports has failed.
                or len(soak.events()) <= before
            ):
                time.sleep(0.05)
            over = kind == "driver" and soak.faults["driver"] >= drivers
            while soak.driver.poll() is None and not over and not harm(rng):
                time.sleep(0.05)  # there is nothing to harm yet
            soak.faults[kind] += soak.driver.poll() is None and not over
