"""One-shot searches on Ray: one command, killed and resumed, and what is refused before it."""

import in_process
import pytest
from command import called
from ray_runs import cli, completed, events, process, wait_until

import raynas
from raynas.data import LoopData
from raynas.errors import ConfigError, ResourceError, SpaceError
from raynas.journal import read

SETTINGS = (
    *("--set", "space.channels=4", "--set", "space.cells=1", "--supernet-epochs", 6),
    *("--epochs", 2, "--trials", 4, "--max-concurrent", 1, "--seed", 2),
    *("--max-failures", 9),  # no network is tried before the first trial
)


def search(folder):
    options = ("--set", "method.steps=3", "--set", "method.samples=20")
    options += ("--set", "method.random-ws.samples=20")
    return ("search", "--method", "enas", *options, *SETTINGS, "--output", folder)


@pytest.mark.slow
def test_a_killed_search_ends_as_if_left_in_peace(tmp_path):
    """Killed once while a supernet is trained, and once while its candidates are.

    That each method continues bit for bit, ``test_oneshot_methods`` tests.
    """
    whole, run = tmp_path / "whole", tmp_path / "run"
    with in_process.without_ray():
        status, output, errors = called(*search(whole))
    assert status == 0, errors
    assert "supernet 0 of enas: epoch 6 of 6" in errors + output
    with process(*cli(*search(run))) as started:
        assert wait_until(lambda: len(events(run / "supernets")) >= 4, started)
        started.kill()
    with process(*cli("resume", run)) as started:
        assert wait_until(lambda: len(events(run)) > 3, started)
        started.kill()
    status, _, errors = completed(*cli("resume", run))
    assert status == 0, errors
    assert events(run / "supernets") == events(whole / "supernets")
    assert events(run) == events(whole)
    history = read(run).history
    assert history.winner is not None
    assert (run / "winner" / "network.pt2").exists()
    shared = [trial.started.screening.scores for trial in history.trials.values()]
    assert [*shared[0]] == ["shared by enas"]
    assert any([*one] == ["shared by random-ws"] for one in shared)
    # A score by shared weights is no metric of a trial.
    assert not any(
        name.startswith("shared") for one in history.trials.values() for name in one.metrics
    )
    status, output, errors = called("resume", run / "supernets")
    assert status == 2
    assert f"resume {run}" in errors + output


class OfItsOwnLoop:
    def load(self, source, seed):
        del source, seed
        return LoopData({"input_shape": (3,), "outputs": 1})

    def fit(self, child, context):
        del child, context
        yield {"val_loss": 0.0}


REFUSED = {
    "darts cannot mix what build reads": (
        {"space": "mlp", "method": "darts"},
        "method 'darts' cannot serve the space 'mlp': build reads the decision 'layers' itself",
    ),
    "an unknown method": ({"method": "drats"}, "no method 'drats': did you mean"),
    "an unknown option": (
        {"method": "enas", "method_options": {"step": 3}},
        "'step': did you mean 'steps'",
    ),
    "an option without its method": (
        {"method": ("enas", "spos"), "method_options": {"samples": 3}},
        "an option must name its method, as in enas.samples: got 'samples'",
    ),
    "an option of another method": (
        {"method": "enas", "method_options": {"gdas.order": 2}},
        "options are given for gdas, but that method is not run",
    ),
    "an objective that shared weights do not have": (
        {"method": "enas", "objective": "params"},
        "one metric on validation data, such as val_accuracy: got the objective params",
    ),
    "several objectives": (
        {"method": "spos", "objective": ("val_accuracy", "params")},
        "got the objective val_accuracy, params",
    ),
    "a loop of its own": (
        {"method": "spos", "space": "mlp", "task": OfItsOwnLoop(), "objective": "val_loss"},
        "this task has a loop of its own: leave method out",
    ),
    "a limit below all networks": (
        {
            "space": "search_spaces.nasbench201.small",
            "space_options": {"cells": 1},
            "method": "spos",
            "constraint": "params<=10",
        },
        "some networks must have params at most 10: of 1000 random ones none has",
    ),
    "a latency table that is not there": (
        {
            "method": "proxyless",
            "method_options": {
                "latency_weight": 1,
                "latency_reference_ms": 1,
                "latency_table": "none.json",
            },
        },
        "none.json must be a latency table",
    ),
    "a time": ({"method": "spos", "time": "1h"}, "give supernet_epochs and trials"),
    "no process": (
        {"method": "spos", "supernet_workers": 0},
        "supernet_workers must be at least 1, got 0",
    ),
    "more processes than there can be": (
        {"method": "spos", "supernet_workers": 1000},
        "for each of 1000 processes, and this machine has",
    ),
    "proxies beside its candidates": (
        {"method": "spos", "searcher": "evolution", "proxies": ["synflow"]},
        "its supernet proposes what is trained first: leave proxies out",
    ),
    "several supernets for one proxy": (
        {"proxies": ["shared"], "supernets": 3},
        "one supernet scores the proposals of a searcher, got supernets=3",
    ),
    "settings of supernets, and none": (
        {"supernet_epochs": 3, "candidates": 4},
        "supernet_epochs and candidates need a supernet: give method, such as method='spos'",
    ),
    "supernets that are paused": (
        {"method": "spos", "supernets": 3, "scheduler": "asha_promotion"},
        "the scheduler asha_promotion resumes trials: use asha",
    ),
    "the recipe as decisions": (
        {"method": "spos", "tune": ["lr"]},
        "tune searches the settings of supernets (lr), and there is only one: give supernets",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_method_cannot_serve_is_refused_before_anything_starts(case, tmp_path, monkeypatch):
    # Other tests of this process may have started a Ray, which a search would join.
    monkeypatch.setattr("raynas.execution.ray_tune.cluster.joins", lambda _: False)
    settings, message = REFUSED[case]
    run = tmp_path / "run"
    with pytest.raises((ConfigError, SpaceError, ResourceError), match=r".") as refused:
        raynas.search(**settings, output=run)
    assert message in str(refused.value)
    assert not run.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_shared_scores_choose_what_is_trained(tmp_path):
    run = tmp_path / "run"
    command = (
        *("search", "--proxies", "shared,params", "--searcher", "random", "--output", run),
        *("--set", "space.channels=4", "--set", "space.cells=1", "--set", "screen.trials=4"),
        *("--supernet-epochs", 6, "--epochs", 1, "--trials", 6, "--max-concurrent", 1),
        *("--max-failures", 9),
    )
    status, output, errors = called(*command)
    assert status == 0, errors
    assert "params, shared: rank correlation with val_accuracy" in output
    trials = read(run).history.trials.values()
    chosen = [one for one in trials if one.started.screening.mode == "chosen"]
    assert chosen
    for one in chosen:
        screening = one.started.screening
        assert {*screening.scores} == {"shared", "params"}
        assert screening.dropped >= 1
        assert 0 <= screening.scores["shared"] <= 1
    assert [one["event"] for one in events(run / "supernets")].count("started") == 1
