"""A search that waits for the test, so that its cluster can change meanwhile."""

import json
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from ray_runs import PATIENCE, process, wait_until

# Networks that train once there is a file "go". A process holds its GPU: another process that is
# given the same one cannot train.
SPACE = """
import fcntl
import os
import time
from pathlib import Path

import ray
from torch import nn

from raynas import Choice, Space

SPACE = Space({"n": Choice(list(range(1000)))})
FOLDER = Path(%r)
HELD = []


class Slow(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.layer = nn.LazyLinear(classes)

    def forward(self, pictures):
        while self.training and not (FOLDER / "go").exists():
            time.sleep(0.1)
        return self.layer(pictures.flatten(1))


def build(architecture, input_shape, classes):
    here = ray.get_runtime_context() if ray.is_initialized() else None
    if not HELD and here and here.get_actor_id():
        device = f"{here.get_node_id()}-{ray.get_gpu_ids() or os.getpid()}"
        HELD.append((FOLDER / f"worker-{device}").open("w"))
        fcntl.flock(HELD[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
    return Slow(classes)
"""

# raynas with GPUs that are numbers only.
WITHOUT_CUDA = """
from raynas.cli.main import main
from raynas.execution.ray_tune.trainable import PackedContext

of = PackedContext.of
PackedContext.of = lambda work, device: of(work, "cpu")
main()
"""


class Run:
    """A search whose trials wait until ``finish`` is called."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "space.py").write_text(SPACE % str(folder))
        (folder / "no_cuda.py").write_text(WITHOUT_CUDA)

    @contextmanager
    def on(self, address, *options):
        amounts = ("--trials", "12", "--epochs", "1", "--output", "run", "--address", address)
        amounts += ("--max-failures", "12")  # no network is tried before the first trial
        search = ("search", "--space", "space.py", "--searcher", "random", *amounts, *options)
        root = str(Path(__file__).parents[1])
        environment = {"PYTHONPATH": root, "RAY_AUTH_MODE": "disabled"}
        with process("no_cuda.py", *search, cwd=self.folder, **environment) as self.started:
            yield self

    @property
    def journal(self):
        path = self.folder / "run" / "journal.jsonl"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def events(self, kind):
        return [one for one in self.journal if one["event"] == kind]

    def until(self, condition):
        assert wait_until(condition, self.started), (self.counts, self.started.stderr.read())

    def until_workers(self, count):
        """Wait until so many processes train or have trained."""
        self.until(lambda: len([*self.folder.glob("worker-*")]) == count)

    def finish(self):
        (self.folder / "go").touch()
        output, errors = self.started.communicate(timeout=PATIENCE)
        assert self.started.returncode == 0, errors
        assert not self.events("failed")
        ends = Counter(one["number"] for one in self.events("finished"))
        assert ends == Counter(one["number"] for one in self.events("started"))
        assert len(ends) >= 12
        assert self.events("winner")
        return output + errors

    @property
    def counts(self):
        """How many trials ran at once, one time after the other."""
        return [one["slots"] for one in self.journal if one["event"] in {"opened", "resized"}]
