"""Ray Tune's parts inside raynas, raynas's searchers inside Ray Tune."""

import json

import numpy as np
import pytest

import raynas
from raynas.errors import SearcherError, SpaceError
from raynas.execution.ray_tune.lent import RaynasSearch
from raynas.execution.ray_tune.param_space import from_config, param_space
from raynas.experiment.references import find_searcher
from raynas.searchers import SEARCHERS
from raynas.space import Choice, Float, Int, Repeat, Space
from raynas.trial import Failed, Finished, History, Report, Started

import ray  # isort: skip - raynas sets how quiet it is
from ray import tune  # isort: skip
from ray.tune.schedulers import HyperBandForBOHB  # isort: skip
from ray.tune.search import ConcurrencyLimiter  # isort: skip
from ray.tune.search.optuna import OptunaSearch  # isort: skip

SPACE = Space(
    {
        "op": Choice({"conv": {"kernel": Choice([3, 5])}, "pool": {}}),
        "blocks": Repeat({"width": Int(8, 64, log=True)}, 1, 3),
        "lr": Float(1e-3, 1.0, log=True),
    }
)


def loss(architecture):
    kernel = architecture.get("op.conv.kernel", 9)
    return kernel + architecture["blocks"] + abs(np.log10(architecture["lr"]) + 1)


def test_a_param_space_draws_what_the_space_draws():
    domains = param_space(SPACE)
    assert list(domains) == list(SPACE.decisions)
    drawn = [
        from_config(SPACE, {path: domain.sample() for path, domain in domains.items()})
        for _ in range(300)
    ]
    assert {architecture["blocks"] for architecture in drawn} == {1, 2, 3}
    for architecture in drawn:
        assert SPACE.architecture(architecture) == architecture
        assert ("op.conv.kernel" in architecture) == (architecture["op"] == "conv")


def test_what_tune_has_no_words_for_is_said():
    with pytest.raises(SpaceError, match="op has weights"):
        param_space(Space({"op": Choice(["a", "b"], weights=(2.0, 1.0))}))


def played(searcher, trials, history=None):
    """Ask one trial after the other and score it at once."""
    history = history or History()
    for number in range(len(history.trials), trials):
        proposal = searcher.propose(history, np.random.default_rng(number))
        identity = SPACE.identity(proposal.architecture)
        history.apply(Started(number, proposal.architecture, identity, 1, 0))
        if number % 7 == 3:
            history.apply(Failed(number, "does not fit"))
        else:
            history.apply(Report(number, 1, {"val_accuracy": -loss(proposal.architecture)}))
            history.apply(Finished(number))
    return history


def test_a_tune_searcher_is_taken_and_learns():
    searcher = find_searcher(OptunaSearch(seed=0), SPACE, {})
    history = played(searcher, 60)
    losses = [trial.loss for trial in history.finished]
    assert np.mean(losses[-15:]) < np.mean(losses[:15])


def test_a_fresh_tune_searcher_is_told_of_what_was():
    history = played(find_searcher(OptunaSearch(seed=0), SPACE, {}), 40)
    fresh = find_searcher(OptunaSearch(seed=1), SPACE, {})
    losses = [trial.loss for trial in played(fresh, 55, history).finished]
    assert np.mean(losses[-12:]) < np.mean(losses[:12])


def test_a_tune_searcher_behind_a_limiter_is_refused_in_words():
    searcher = find_searcher(ConcurrencyLimiter(OptunaSearch(), max_concurrent=1), SPACE, {})
    history = History()
    proposal = searcher.propose(history, np.random.default_rng(0))
    history.apply(Started(0, proposal.architecture, "x", 1, 0))
    with pytest.raises(SearcherError, match="take its limiter off"):
        searcher.propose(history, np.random.default_rng(1))


@pytest.mark.parametrize("name", ["random", "evolution"])
def test_a_raynas_searcher_saved_and_restored_suggests_the_same(name, tmp_path):
    assert name in SEARCHERS
    first = RaynasSearch(SPACE, name, metric="score", mode="min")
    for i in range(20):
        config = first.suggest(f"t{i}")
        if i % 5 == 4:
            first.on_trial_complete(f"t{i}", error=True)
        elif i % 5 != 3:  # one in five goes on running
            score = loss(SPACE.architecture(config))
            first.on_trial_complete(f"t{i}", {"score": score, "training_iteration": 1})
    first.save(str(tmp_path / "state"))
    assert json.loads((tmp_path / "state").read_text())
    second = RaynasSearch(SPACE, name, metric="score", mode="min")
    second.restore(str(tmp_path / "state"))
    assert [first.suggest(f"n{i}") for i in range(5)] == [
        second.suggest(f"n{i}") for i in range(5)
    ]


@pytest.mark.slow
def test_both_ways_on_a_real_ray(tmp_path):
    result = raynas.search(
        space="mlp",
        task="digits",
        searcher=OptunaSearch(seed=0),
        scheduler=HyperBandForBOHB(max_t=3, reduction_factor=3),
        trials=3,
        epochs=3,
        output=tmp_path / "borrowed",
    )
    assert sorted(trial.epoch for trial in result.history.finished) == [1, 1, 3]

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        grid = tune.Tuner(
            lambda config: {"score": config["blocks"] + config["lr"]},
            tune_config=tune.TuneConfig(
                search_alg=RaynasSearch(SPACE, "evolution", metric="score", mode="min"),
                num_samples=4,
            ),
            run_config=tune.RunConfig(storage_path=str(tmp_path / "lent"), verbose=0),
        ).fit()
        assert len(grid) == 4
        assert not grid.errors
    finally:
        ray.shutdown()
