"""One-shot searches from the settings to the winner, trained in this process."""

import in_process
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import raynas
from raynas.errors import ConfigError
from raynas.experiment.run import search as module
from raynas.journal import read
from raynas.oneshot.candidate import Candidate
from raynas.oneshot.search import Candidates, EachMethod, supernets
from raynas.space import Architecture, Choice, Space
from raynas.trial import History

SMALL = {
    "space": "search_spaces.nasbench201.small",
    "space_options": {"cells": 1},
    "epochs": 1,
    "supernet_epochs": 2,
    "trials": 4,
    "scheduler": "none",
}


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    monkeypatch.setattr(module, "_execute", in_process.execute)


def search(output, **settings):
    return raynas.search(task=in_process.Few(), output=output, **{**SMALL, **settings})


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
    assert not board.Tags()["images"]


def test_a_run_with_more_trials_goes_on_with_its_candidates(tmp_path):
    run = tmp_path / "run"
    search(run, method="spos", trials=2, method_options={"generations": 1, "population": 6})
    trained = (run / "supernets" / "journal.jsonl").read_bytes()
    result = raynas.resume(run, task=in_process.Few(), trials=5)
    assert (run / "supernets" / "journal.jsonl").read_bytes() == trained
    assert result.history.trained == 5


def test_the_supernets_of_a_run_are_resumed_by_the_run(tmp_path):
    run = tmp_path / "run"
    search(run, method="random-ws", trials=1, method_options={"samples": 3})
    assert len(read(run / "supernets").history.trials) == 1  # it is its own control
    with pytest.raises(ConfigError, match=f"resume {run}"):
        raynas.resume(run / "supernets", task=in_process.Few())


def test_each_method_has_one_supernet_whose_weights_are_kept():
    searcher = EachMethod(supernets(["enas", "spos"]))
    history = History()
    assert searcher.propose(history, None).architecture == Architecture({"method": "enas"})
    assert searcher.keeps(history) == []


def test_candidates_take_turns_and_come_once():
    space = Space({"x": Choice((0, 1, 2, 3))})
    one, other = (
        [Candidate(Architecture({"x": x}), score, name) for x, score in found]
        for name, found in (
            ("a", [(0, 0.9), (1, 0.8)]),
            ("b", [(0, 0.5), (2, 0.4), (3, 0.3)]),
        )
    )
    ordered = Candidates(space, [one, other]).ordered
    assert [(c.architecture["x"], c.method) for c in ordered] == [
        (0, "a"),
        (1, "a"),
        (2, "b"),
        (3, "b"),
    ]
