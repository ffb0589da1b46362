"""Proxies asked on a real Ray, of two CPUs, about networks that kill whoever looks at them."""

from types import ModuleType

import pytest

import raynas
from raynas.execution.ray_tune.proxy_workers import ProxyWorkers
from raynas.execution.ray_tune.trainable import PackedContext
from raynas.execution.work import Work
from raynas.experiment.resolve.briefs import builder
from raynas.space import Architecture
from raynas.tasks import TASKS, Source
from raynas.training.recipe import Recipe

# Children of which some end the process that builds them.
DEADLY_SPACE = """
import os

from torch import nn

from raynas.space import Choice, Int, Space

KINDS = ["plain", "wide", "kills", "leaves"]
SPACE = Space({"kind": Choice(KINDS, [4, 4, 2, 1]), "n": Int(0, 99)})


def build(architecture, input_shape, classes):
    kind = architecture["kind"]
    if kind == "kills":
        os._exit(1)
    if kind == "leaves":
        raise SystemExit(3)
    width = 64 if kind == "wide" else 16
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, classes)
    )
"""
DIED = "the process in which proxies scored it died, or did not answer in time"


@pytest.fixture(scope="module")
def deadly():
    module = ModuleType("deadly")
    exec(DEADLY_SPACE, module.__dict__)
    return module


def kinds(*names):
    return [Architecture({"kind": name, "n": n}) for n, name in enumerate(names)]


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_network_that_kills_has_a_fault_and_those_asked_with_it_have_their_values(deadly):
    data = TASKS["digits"]().load(Source(), 0)
    work = Work(builder(deadly.build, {}, data.told), Recipe(), data)
    workers = ProxyWorkers(2, PackedContext.of(work, "cpu"), ["params", "snip"], 0)
    said = workers.assess(kinds("plain", "wide", "kills", "leaves", "plain"))
    assert [bool(one.scores) for one in said] == [True, True, False, False, True]
    assert said[2].faults == {"params": DIED, "snip": DIED}
    assert said[3].faults["snip"] == "SystemExit: 3"
    assert said[0].scores == said[4].scores
    assert said[0].scores["params"] < said[1].scores["params"]
    assert not said[0].faults
    again = workers.assess(kinds("wide", "plain"))  # the dead have been replaced
    assert [one.scores for one in again] == [said[1].scores, said[0].scores]
    assert workers.assess([]) == []


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_run_outlives_networks_that_kill_its_proxies(tmp_path, caplog):
    (tmp_path / "deadly.py").write_text(DEADLY_SPACE)
    found = raynas.search(
        space=str(tmp_path / "deadly.py"),
        searcher="random",
        scheduler="none",
        proxies=["params"],
        screen_options={"keep": 0.5, "least": -1},
        trials=6,
        epochs=1,
        seed=1,
        max_failures=6,  # no network is looked at before the first trial
        output=tmp_path / "run",
    )
    trials = found.history.trials.values()
    assert len(trials) == 6
    assert len(found.history.failed) + len(found.history.finished) == 6
    for trial in found.history.failed:
        why = {"kills": DIED, "leaves": "SystemExit: 3"}[trial.architecture["kind"]]
        assert trial.outcome.reason == f"no proxy could score the network: {why}"
    assert all(trial.architecture["kind"] in {"plain", "wide"} for trial in found.history.finished)
    assert len(found.history.failed) <= 3  # only where both of two are broken
    assert any(trial.started.screening.dropped for trial in trials)
    assert found.winner
    assert sum("the proxy 'params' raised" in record.message for record in caplog.records) == 1
