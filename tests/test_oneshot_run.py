"""One-shot searches from the settings to the winner, trained in this process."""

import shutil

import in_process
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import raynas
from raynas.costs.device import Device
from raynas.errors import ConfigError, JournalError
from raynas.experiment.run import search as module
from raynas.experiment.run.supernets import trained_in
from raynas.journal import read
from raynas.oneshot.candidate import Candidate
from raynas.oneshot.latency import LatencyTable
from raynas.oneshot.search import Candidates, EachMethod, WithinMethod, supernets
from raynas.schedulers import Verdict
from raynas.schedulers.asha import ASHA
from raynas.searchers import make
from raynas.space import Architecture, Choice, Space
from raynas.trial import History, Report, Started
from search_spaces.nasbench201 import small

SMALL = {
    "space": "search_spaces.nasbench201.small",
    "space_options": {"cells": 1},
    "epochs": 1,
    "supernet_epochs": 2,
    "trials": 4,
    "scheduler": "none",
}
# Candidates that are scored, instead of hundreds.
FEW = {
    "random-ws.samples": 12,
    "enas.samples": 12,
    "spos.generations": 2,
    "spos.population": 6,
}


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    monkeypatch.setattr(module, "_execute", in_process.execute)


def search(output, **settings):
    """Search; method options are those given, and few samples of each method."""
    given = settings.get("method", ())
    methods = {given} if isinstance(given, str) else {*given}
    few = {name: few for name, few in FEW.items() if name.split(".")[0] in {*methods, "random-ws"}}
    options = {"method_options": {**few, **settings.pop("method_options", {})}}
    return raynas.search(task=in_process.Few(), output=output, **{**SMALL, **options, **settings})


def test_candidates_of_two_methods_and_the_control_are_trained_in_turn(tmp_path):
    run = tmp_path / "run"
    result = search(run, method=("drnas", "enas"), method_options={"enas.steps": 2})
    trained = read(run / "supernets").history
    methods = [one.architecture["method"] for one in trained.finished]
    assert methods == ["drnas", "enas", "random-ws"]
    assert all("shared_accuracy" in one.metrics for one in trained.finished)
    by = [[*one.started.screening.scores] for one in result.history.trials.values()]
    assert by[0] == ["shared by drnas"]
    assert {name for (name,) in by} <= {f"shared by {method}" for method in methods}
    assert len({name for (name,) in by}) == 3
    assert result.winner.folder == "winner"
    assert result.history.best.metrics.keys() & {"shared_accuracy"} == set()


@pytest.mark.parametrize("finalists", [0.0, 0.4])
def test_all_that_is_trained_keeps_the_constraints(tmp_path, finalists):
    """Also the proposals of the control; no candidate is refused."""
    result = search(
        tmp_path / "run",
        method="spos",
        trials=6,
        constraint=("flops<=110k", "params<=15k"),
        finalists=finalists,
    )
    trials = [*result.history.trials.values()]
    methods = {name for one in trials for name in one.started.screening.scores}
    assert methods >= {"shared by spos", "shared by random-ws"}
    assert not any(one.refused for one in trials if one.started.screening.scores)
    trials = [one for one in trials if not one.refused]
    assert all(one.metrics["params"] <= 15e3 for one in trials)
    assert all(one.metrics["flops"] <= 110e3 for one in trials)


def test_limits_are_not_left_to_a_searcher(tmp_path):
    every = {
        path: {str(value): 1.0 for value in one.domain.values()}
        for path, one in small.SPACE.decisions.items()
    }
    table = LatencyTable(Device("Pixel 1", 4), 1, 2.0, every)
    options = {"max_latency_ms": 15.0, "latency_table": table}
    with pytest.raises(ConfigError, match="leave candidates out, or max_latency_ms"):
        search(tmp_path, method="spos", method_options=options, candidates=2)


def test_the_weights_of_options_are_a_picture(tmp_path):
    run = tmp_path / "run"
    search(run, method="darts", trials=1)
    board = EventAccumulator(str(run / "supernets" / "trial-0000"))
    board.Reload()
    (image,) = board.Images("weights of options")
    assert image.encoded_image_string.startswith(b"\x89PNG")
    assert image.width > 600
    assert "weight/edge_0_1/skip_connect" in board.Tags()["scalars"]
    board = EventAccumulator(str(run / "supernets" / "trial-0001"))  # the control has no weights
    board.Reload()
    assert "weights of options" not in board.Tags()["images"]


def test_the_last_trials_train_the_best_candidates_again(tmp_path):
    result = search(tmp_path, method="random-ws", trials=6, finalists=0.5)
    trials = [*result.history.trials.values()]
    divisions = [one.started.division for one in trials]
    assert divisions[:3] == [0, 0, 0]
    assert all(divisions[3:])
    assert {one.identity for one in trials[3:]} < {one.identity for one in trials[:3]}
    assert result.history.trained == 6


def test_a_run_with_more_trials_goes_on_with_its_candidates(tmp_path):
    run = tmp_path / "run"
    search(run, method="spos", trials=2)
    trained = (run / "supernets" / "journal.jsonl").read_bytes()
    result = raynas.resume(run, task=in_process.Few(), trials=5)
    assert (run / "supernets" / "journal.jsonl").read_bytes() == trained
    assert result.history.trained == 5


def test_the_supernets_of_a_run_are_resumed_by_the_run(tmp_path):
    run = tmp_path / "run"
    search(run, method="random-ws", trials=1)
    assert len(read(run / "supernets").history.trials) == 1  # it is its own control
    with pytest.raises(ConfigError, match=f"resume {run}"):
        raynas.resume(run / "supernets", task=in_process.Few())


@pytest.mark.parametrize(
    ("kind", "old", "said"),
    [
        ("strengths", "edges into", "lacks the strengths 'edges into "),
        ("weights", "network.head", "lacks the weights 'network.head.0.weight', "),
    ],
)
def test_a_supernet_that_another_version_has_saved_is_refused_by_its_names(
    kind, old, said, tmp_path
):
    run = tmp_path / "run"
    of = {"space": "search_spaces.nasbench201", "space_options": {"cells": 1, "channels": 4}}
    search(run, method="pc-darts", trials=1, **of)
    saved = torch.load(run / "supernets" / "checkpoints" / "trial-0000.pt", weights_only=True)
    state = saved["training"]
    held = state["child"] if kind == "weights" else state["loop"]["tracked"]["method"]["strengths"]
    for name in [name for name in held if name.startswith(old)]:
        held["of old" + name] = held.pop(name)
    torch.save(saved, run / "supernets" / "checkpoints" / "trial-0000.pt")
    (run / "supernets" / "candidates.json").unlink()
    with pytest.raises(JournalError, match=said) as error:
        raynas.resume(run, task=in_process.Few(), trials=2)
    assert "the unknown " + kind + " 'of old" in str(error.value)
    assert f"Delete {run / 'supernets'} to train" in str(error.value)
    shutil.rmtree(run / "supernets")
    assert raynas.resume(run, task=in_process.Few(), trials=2).history.trained == 2


def test_each_method_has_one_supernet_whose_weights_are_kept():
    searcher = EachMethod(supernets(["enas", "spos"]))
    history = History()
    proposed = searcher.propose(history, np.random.default_rng(0))
    assert proposed.architecture == Architecture({"method": "enas"})
    assert searcher.keeps(history) == []


def test_settings_of_supernets_are_searched_and_asha_stops_some(tmp_path):
    result = search(
        tmp_path,
        method="drnas",
        supernets=4,
        tune=["lr"],
        scheduler="asha",
        scheduler_options={"eta": 2},
        trials=3,
        method_options={"strength_rate": 0.01},
    )
    supernets = read(tmp_path / "supernets").history
    trials = [*supernets.trials.values()]
    assert [one.architecture["method"] for one in trials] == ["drnas", "random-ws"] * 4
    assert len({one.architecture["training.lr"] for one in trials}) == 8
    stopped = {one.architecture["method"] for one in supernets.finished if one.stopped}
    assert stopped == {"drnas", "random-ws"}  # none of them because the other method is better
    kept = trained_in(supernets)
    assert [one.architecture["method"] for one in kept] == ["drnas", "random-ws"]
    for one in kept:
        alike = [t for t in supernets.completed if t.architecture["method"] == _method(one)]
        assert one.losses[0] == min(t.losses[0] for t in alike)
    assert result.history.trained == 3
    assert all("training.lr" not in one.architecture for one in result.history.trials.values())


def test_several_supernets_without_settings_differ_in_their_seeds(tmp_path):
    search(tmp_path, method="random-ws", supernets=2, trials=1)
    supernets = [*read(tmp_path / "supernets").history.finished]
    assert len({one.started.seed for one in supernets}) == 2
    assert len({one.metrics["train_loss"] for one in supernets}) == 2


def test_supernets_are_compared_with_those_of_their_method_only():
    history, scheduler = History(), WithinMethod(ASHA(eta=2))
    seen = []
    for number, (method, score) in enumerate(
        (("a", 0.9), ("a", 0.8), ("b", 0.2), ("a", 0.95), ("b", 0.1))
    ):
        history.apply(Started(number, Architecture({"method": method}), str(number), 4, seed=0))
        history.apply(report := Report(number, 1, {"val_accuracy": score}))
        seen.append(scheduler.decide(report, history))
    assert seen == [Verdict.GO, Verdict.STOP, Verdict.GO, Verdict.GO, Verdict.STOP]


def _method(trial):
    return trial.architecture["method"]


def test_a_searcher_goes_on_after_the_candidates_and_hands_over(tmp_path):
    result = search(
        tmp_path,
        method="random-ws",
        candidates=3,
        trials=6,
        searcher="evolution",
        searcher_options={"population_size": 3},
    )
    trials = [*result.history.trials.values()]
    by = [[*one.started.screening.scores] for one in trials]
    assert by == [["shared by random-ws"]] * 3 + [[]] * 3
    assert {one.started.parent for one in trials[3:]} <= {0, 1, 2, 3, 4}


def test_candidates_take_turns_and_come_once():
    space = Space({"x": Choice((0, 1, 2, 3))})
    one, other = (
        [Candidate(Architecture({"x": x}), score, name) for x, score in found]
        for name, found in (
            ("a", [(0, 0.9), (1, 0.8)]),
            ("b", [(0, 0.5), (2, 0.4), (3, 0.3)]),
        )
    )
    searcher = Candidates(make("random", space), [one, other], 9, limited=True)
    ordered, history = searcher.ordered, History()
    for number, candidate in enumerate(ordered):
        proposed = searcher.propose(history, None).architecture
        assert proposed == candidate.architecture
        history.apply(Started(number, proposed, str(number), 1, seed=0))
    assert searcher.propose(history, None) is None  # the searcher would not keep the limits
    assert [(c.architecture["x"], c.method) for c in ordered] == [
        (0, "a"),
        (1, "a"),
        (2, "b"),
        (3, "b"),
    ]
