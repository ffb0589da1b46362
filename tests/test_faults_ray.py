"""Whose fault is it? Workers that run out of memory, or that a network has damaged."""

import json
import re
from pathlib import Path

import pytest
from ray_runs import cli, completed, events

pytestmark = pytest.mark.slow

SPACE = """
import time

from torch import nn

from raynas import Choice, Space

SPACE = Space({"kind": Choice(["plain", "breaks", "eats", "exits"]), "twin": Choice([0, 1, 2])})
WHOLE = True


def build(architecture, input_shape, classes):
    global WHOLE
    if not WHOLE:
        raise RuntimeError("an earlier network has broken this process")
    if architecture["kind"] == "breaks":
        WHOLE = False
    if architecture["kind"] == "exits":
        raise SystemExit(3)
    if architecture["kind"] == "eats":
        eaten = []
        while True:
            eaten.append(b"x" * 10**8)
            time.sleep(0.05)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
"""


def searched(folder, *kinds, **environment):
    """Search the kinds in order, one worker at a time; return what is said, and the events."""
    (folder / "space.py").write_text(SPACE)
    first = [{"kind": kind, "twin": kinds[:at].count(kind)} for at, kind in enumerate(kinds)]
    (folder / "first.json").write_text(json.dumps(first))
    search = ("search", "--space", "space.py", "--start-from", "first.json", "--epochs", 1)
    amounts = ("--trials", len(kinds), "--max-concurrent", 1, "--max-failures", len(kinds))
    given = cli(*search, *amounts, "--output", "run")
    status, said, errors = completed(*given, cwd=folder, **environment)
    assert status == 0, errors
    return said + errors, events(folder / "run")


def ends(told):
    return {one["number"]: one for one in told if one["event"] in {"finished", "failed"}}


def test_a_network_that_breaks_its_process_harms_no_other_one(tmp_path):
    said, told = searched(tmp_path, "breaks", "plain", "plain", "exits")
    again = [(one["number"], one["remedy"]) for one in told if one["event"] == "retried"]
    assert again == [(1, "worker"), (3, "worker")]
    assert "trial 1 runs again in a new worker: RuntimeError: an earlier network has" in said
    assert [ends(told)[number]["event"] for number in range(4)] == [*["finished"] * 3, "failed"]
    assert ends(told)[3]["reason"] == "SystemExit: 3"


def threshold(gib):
    """Return the share of the memory at which Ray kills, after at most so many GiB are taken.

    Half of what is free may be taken: other tests need memory at the same time.
    """
    facts = dict(re.findall(r"(\w+):\s+(\d+) kB", Path("/proc/meminfo").read_text()))
    total, available = int(facts["MemTotal"]), int(facts["MemAvailable"])
    return str(round((total - available + min(gib * 2**20, available / 2)) / total, 4))


def test_a_network_that_takes_all_memory_fails_alone_and_the_search_goes_on(tmp_path):
    limits = {
        "RAY_memory_usage_threshold": threshold(gib=6),
        "RAY_memory_monitor_refresh_ms": "100",
    }
    said, told = searched(tmp_path, "plain", "eats", "plain", **limits)
    again = [(one["number"], one["remedy"]) for one in told if one["event"] == "retried"]
    assert again == [(1, "node")]
    failed = ends(told)[1]
    assert (failed["out_of_memory"], failed["cause"]) == (True, "architecture")
    assert re.match(
        r"the memory of its node ran out: .* \(with a node to itself\)$", failed["reason"]
    )
    assert "trial 1 runs again with a node to itself: the memory of its node ran out" in said
    assert ends(told)[2]["event"] == "finished"


def test_a_winner_is_trained_in_a_new_worker_if_the_used_one_is_broken(tmp_path):
    said, told = searched(tmp_path, "breaks")
    assert told[-1]["event"] == "winner"
    assert "winner: trial 0" in said
