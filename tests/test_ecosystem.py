"""Ray Tune's searchers and schedulers inside raynas."""

from collections import Counter
from functools import partial

import numpy as np
import optuna
import pytest
from scipy.stats import chisquare

import raynas
from raynas.errors import ConfigError, SearcherError
from raynas.execution.ray_tune.param_space import from_config, param_space
from raynas.execution.ray_tune.tune_searcher_adapter import TuneSearcherAdapter
from raynas.experiment.resolve.references import find_searcher
from raynas.searchers import check
from raynas.searchers.requirements import Requirements
from raynas.space import Choice, Float, Int, Repeat, Space
from raynas.trial import Failed, Finished, History, Objective, Report, Started

# isort: split - raynas sets how quiet Ray is
from ray.tune.schedulers import HyperBandForBOHB  # isort: skip
from ray.tune.search import BasicVariantGenerator, ConcurrencyLimiter  # isort: skip
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


def size(value):
    return len(value) if isinstance(value, str) else abs(value)


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


def test_numbers_with_a_step_are_drawn_evenly_and_told():
    space = Space({"width": Int(8, 39, step=8)})
    domain = param_space(space)["width"]
    drawn = Counter(from_config(space, {"width": domain.sample()})["width"] for _ in range(4000))
    assert chisquare([drawn[width] for width in (8, 16, 24, 32)]).pvalue > 1e-6
    history = played(find_searcher(OptunaSearch(seed=0), space, {}), 4, space=space)
    fresh = find_searcher(OptunaSearch(seed=1), space, {})
    trials = played(fresh, 12, history, space=space).trials.values()
    assert {trial.architecture["width"] for trial in trials} <= {*drawn}


WEIGHTED = Space({"op": Choice(["a", "b"], weights=(2.0, 1.0)), "n": Choice([1, 2], (1, 3))})


def test_what_tune_has_no_words_for_is_said_once(caplog):
    searcher = find_searcher(OptunaSearch(seed=0), WEIGHTED, {})
    check(searcher, Requirements((Objective(),), 1))
    played(searcher, 20, space=WEIGHTED)
    assert [record.message for record in caplog.records if record.name == "raynas"] == [
        "OptunaSearch cannot use prior weights: the weights of op and 1 more are ignored"
    ]


def test_numbers_too_many_to_count_are_drawn_and_told():
    wide = Space({"n": Int(1, 2**60), "m": Int(1, 2**60 - 1, log=True), "k": Int(-3, 2**61)})
    history = played(find_searcher(OptunaSearch(seed=0), wide, {}), 30, space=wide)
    fresh = find_searcher(OptunaSearch(seed=1), wide, {})
    for trial in played(fresh, 32, history, space=wide).trials.values():
        assert wide.architecture(trial.architecture) == trial.architecture
    assert len({trial.identity for trial in history.trials.values()}) == 32


def played(searcher, trials, history=None, space=SPACE):
    """Ask one trial after the other and score it at once."""
    score = loss if space is SPACE else lambda architecture: sum(map(size, architecture.values()))
    history = history or History()
    for number in range(len(history.trials), trials):
        proposal = searcher.propose(history, np.random.default_rng(number))
        identity = space.identity(proposal.architecture)
        history.apply(Started(number, proposal.architecture, identity, 1, 0))
        if number % 7 == 3:
            history.apply(Failed(number, "does not fit"))
        else:
            history.apply(Report(number, 1, {"val_accuracy": -score(proposal.architecture)}))
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


def make_optuna(seed, space=None):
    assert space is None or space is SPACE
    return OptunaSearch(seed=seed)


def with_sampler(sampler, seed):
    return OptunaSearch(seed=None, sampler=sampler(seed=seed))


def first(searcher):
    return searcher.propose(History(), np.random.default_rng(0)).architecture


@pytest.mark.parametrize(
    ("maker", "options"),
    [
        (make_optuna, {}),
        (lambda seed: OptunaSearch(seed=seed), {}),
        (OptunaSearch, {}),
        (partial(OptunaSearch, points_to_evaluate=None), {}),
        (partial(with_sampler, optuna.samplers.RandomSampler), {}),
        (with_sampler, {"sampler": optuna.samplers.RandomSampler}),
    ],
)
def test_what_makes_a_tune_searcher_is_given_the_seed(maker, options):
    one, again, other = (find_searcher(maker, SPACE, options, seed) for seed in (1, 1, 2))
    assert isinstance(one, TuneSearcherAdapter)
    assert first(one) == first(again) != first(other)
    told = find_searcher(maker, SPACE, {**options, "seed": 2}, 1)
    assert first(told) == first(find_searcher(maker, SPACE, options, 2))


def test_a_function_that_makes_no_searcher_says_so():
    for maker, says in (
        (lambda seed: 1 / 0, "ZeroDivisionError"),  # noqa: ARG005
        (lambda seed: seed, "7 has none"),
        (lambda seeds: seeds, "missing .* 'seeds'"),
    ):
        with pytest.raises(ConfigError, match=says):
            find_searcher(maker, SPACE, {}, 7)


def test_what_is_no_searcher_of_tunes_is_refused_in_words():
    with pytest.raises(ConfigError, match=r"BasicVariantGenerator makes trials.*random"):
        find_searcher(BasicVariantGenerator(), SPACE, {})


def test_a_tune_searcher_behind_a_limiter_is_refused_in_words():
    searcher = find_searcher(ConcurrencyLimiter(OptunaSearch(), max_concurrent=1), SPACE, {})
    history = History()
    proposal = searcher.propose(history, np.random.default_rng(0))
    history.apply(Started(0, proposal.architecture, "x", 1, 0))
    with pytest.raises(SearcherError, match="remove its ConcurrencyLimiter"):
        searcher.propose(history, np.random.default_rng(1))


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_tunes_searcher_and_scheduler_lead_a_run(tmp_path):
    result = raynas.search(
        space="mlp",
        task="digits",
        searcher=OptunaSearch(seed=0),
        scheduler=HyperBandForBOHB(max_t=3, reduction_factor=3),
        trials=3,
        epochs=3,
        output=tmp_path / "run",
    )
    assert sorted(trial.epoch for trial in result.history.finished) == [1, 1, 3]
