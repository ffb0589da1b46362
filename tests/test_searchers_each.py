"""What each searcher does, beside its paper or its original."""

from functools import partial

import numpy as np
import optuna
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from raynas.errors import ConfigError, SpaceError
from raynas.searchers import check, make, several
from raynas.searchers.requirements import Requirements
from raynas.space import Choice, Float, Int, Space
from raynas.trial import Failed, Finished, History, Objective, Report, Started

LETTERS = Space({name: Choice(("a", "b", "c", "d")) for name in "uvwxyz"})
NUMBERS = Space({name: Float(-1, 1) for name in "uvw"} | {"n": Int(1, 100, log=True)})
CONDITIONAL = Space(
    {"a": Choice({"x": Int(0, 9), "y": Choice((1, 2)), "z": None}), "b": Int(0, 9)}
)
LOSS = (Objective("loss", "min"),)


def ended(history, architecture, loss, *, epochs=1, stopped_after=None):
    """Fold in one trial, from its start to its end."""
    number = len(history.trials)
    history.apply(Started(number, architecture, str(number), epochs, seed=0))
    history.apply(Report(number, stopped_after or epochs, {"loss": loss}))
    history.apply(Finished(number, stopped=stopped_after is not None))


@pytest.mark.parametrize(
    ("make_it", "error", "says"),
    [
        (lambda: make("evolutoin", LETTERS), ConfigError, "did you mean 'evolution'"),
        (
            lambda: make("evolution", LETTERS, {"size": 3}),
            ConfigError,
            "population_size, tournament_size",
        ),
        (
            lambda: make("evolution", LETTERS, {"space": LETTERS}),
            ConfigError,
            "no option.*'space'",
        ),
        (lambda: make("optuna", LETTERS, {"_replay": 1}), ConfigError, "no option.*'_replay'"),
        (lambda: make("random", LETTERS, {"a": 3}), ConfigError, "takes no options, got 'a'"),
        (
            lambda: make("evolution", LETTERS, {"tournament_size": 0}),
            ConfigError,
            ">= 1, got 20 and 0",
        ),
        (
            lambda: make("evolution", LETTERS, {"tournament_size": 2.5}),
            ConfigError,
            "must be a whole number, got 2.5",
        ),
        (
            lambda: make("evolution", Space({"a": Int(1, 1)})),
            SpaceError,
            "use the searcher 'random'",
        ),
        (lambda: make("optuna", LETTERS, {"sampler": "tpee"}), ConfigError, "did you mean 'tpe'"),
        (lambda: make("optuna", LETTERS, {"sampler": "grid"}), ConfigError, "no Optuna sampler"),
        (
            lambda: make("optuna", LETTERS, {"sampler_options": {"n_startup": 3}}),
            ConfigError,
            "no option of Optuna's TPESampler 'n_startup': did you mean 'n_startup_trials'",
        ),
        (
            lambda: make(
                "optuna", LETTERS, {"sampler": "nsgaii", "sampler_options": {"population_size": 1}}
            ),
            ConfigError,
            "NSGAIISampler cannot be created",
        ),
        (lambda: make("optuna", LETTERS, {"sampler": "cmaes"}), SpaceError, "u is a Choice"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(make_it, error, says):
    with pytest.raises(error, match=says):
        make_it()


# Evolution


@settings(max_examples=20)
@given(strategies.seeds(), st.integers(1, 6), st.integers(1, 8))
def test_evolution_mutates_one_of_the_youngest(seed, population, workers):
    evolution = make("evolution", LETTERS, {"population_size": population, "tournament_size": 2})
    run = strategies.Search(evolution, seed=seed, workers=workers, trials=30, failing=0.2)
    for i, event in enumerate(run.run()):
        if isinstance(event, Started):
            history = strategies.replay(run.events[:i])
            alive = history.finished[-population:]
            assert (event.parent is None) == (len(alive) < population)
            if event.parent is not None:
                assert event.parent in [trial.number for trial in alive]
                parent = history.trials[event.parent].architecture
                assert sum(parent[path] != event.architecture[path] for path in parent) == 1


def parents(history, **options):
    evolution = make("evolution", LETTERS, options)
    return [evolution.propose(history, strategies.generator(seed)).parent for seed in range(2000)]


def scored(*losses):
    history = History(LOSS)
    for number, loss in enumerate(losses):
        ended(history, LETTERS.sample(strategies.generator(number)), loss)
    return history


def test_evolution_takes_the_best_of_the_tournament():
    """The k-th best of P wins with chance ((P-k+1)/P)^S - ((P-k)/P)^S, drawn with replacement."""
    history = scored(0.0, 0.5, 0.1, 0.3, 0.2)  # the first is the best, but too old
    winners = parents(history, population_size=4, tournament_size=2)
    counts = [winners.count(number) for number in (2, 4, 3, 1)]
    shares = [((5 - k) / 4) ** 2 - ((4 - k) / 4) ** 2 for k in (1, 2, 3, 4)]
    assert sum(counts) == len(winners)
    assert chisquare(counts, [len(winners) * share for share in shares]).pvalue > 1e-4


def test_evolution_prefers_trials_that_were_let_go_on():
    history = History(LOSS)
    for number, (loss, stopped_after) in enumerate([(0.1, 1), (0.2, 3), (0.9, None), (0.8, None)]):
        drawn = LETTERS.sample(strategies.generator(number))
        ended(history, drawn, loss, epochs=9, stopped_after=stopped_after)
    assert set(parents(history, population_size=4, tournament_size=100)) == {3}


def test_evolution_reaches_what_the_authors_notebook_reaches():
    """100 bits, noise 0.01, P=100, S=10, 1000 evaluations: 0.890 +- 0.020 over seeds."""
    bits = Space({f"bit{i}": Choice((0, 1)) for i in range(100)})
    evolution = make("evolution", bits, {"population_size": 100, "tournament_size": 10})
    found = []
    for seed in range(8):
        history = History(LOSS)
        for number in range(1000):
            rng = np.random.default_rng((seed, number))
            drawn = evolution.propose(history, rng).architecture
            ended(history, drawn, rng.normal(-sum(drawn.values()) / 100, 0.01))
        found.append(sum(history.best.architecture.values()) / 100)
    assert np.mean(found) == pytest.approx(0.890, abs=3 * 0.020 / 8**0.5)


# Optuna


def quadratic(architecture):
    return sum(
        (ord(v) - 98 if isinstance(v, str) else v - 0.3) ** 2 for v in architecture.values()
    )


def suggest(trial, decision):
    """Written anew, to compare with."""
    domain = decision.domain
    if isinstance(domain, Choice):
        return trial.suggest_categorical(decision.path, list(domain.values()))
    kind = trial.suggest_int if isinstance(domain, Int) else trial.suggest_float
    return kind(decision.path, domain.low, domain.high, log=domain.log)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(
    ("sampler", "space", "options", "trials"),
    [
        ("RandomSampler", CONDITIONAL, {}, 10),
        ("TPESampler", LETTERS, {}, 30),
        ("TPESampler", NUMBERS, {}, 30),
        ("TPESampler", CONDITIONAL, {"n_startup_trials": 5}, 30),
        ("NSGAIISampler", LETTERS, {"population_size": 6}, 40),
        ("NSGAIIISampler", CONDITIONAL, {"population_size": 6}, 30),
        ("CmaEsSampler", NUMBERS, {"popsize": 5}, 40),
        ("GPSampler", NUMBERS, {"n_startup_trials": 5}, 8),
    ],
)
def test_optuna_asks_for_what_it_asks_in_its_own_loop(sampler, space, options, trials):
    searcher = make("optuna", space, {"sampler": sampler, "sampler_options": options})
    history = History(LOSS)
    study = optuna.create_study()
    for number in range(trials):
        proposal = searcher.propose(history, strategies.generator(number))
        seed = int(strategies.generator(number).integers(2**31))
        study.sampler = getattr(optuna.samplers, sampler)(seed=seed, **options)
        asked = study.ask()
        assert space.walk(partial(suggest, asked)) == proposal.architecture
        study.tell(asked, loss := quadratic(proposal.architecture))
        ended(history, proposal.architecture, loss)


def test_optuna_leaves_its_settings_as_they_were():
    level = optuna.logging.get_verbosity()
    make("optuna", LETTERS).propose(History(LOSS), strategies.generator(0))
    assert optuna.logging.get_verbosity() == level


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsgaii", "cmaes"])
def test_optuna_learns(sampler):
    """On a bowl, the second half of a search is far better than random search."""
    bowl = Space({name: Float(-1, 1) for name in "uvw"})
    options = {"sampler": sampler}
    if sampler == "nsgaii":
        options["sampler_options"] = {"population_size": 10}
    found = {}
    for name, given_options in (("optuna", options), ("random", {})):
        searcher, history = make(name, bowl, given_options), History(LOSS)
        for number in range(30 if sampler == "gp" else 100):
            drawn = searcher.propose(history, strategies.generator(number)).architecture
            ended(history, drawn, quadratic(drawn))
        losses = [trial.loss for trial in history.finished]
        found[name] = np.median(losses[len(losses) // 2 :])
    assert found["optuna"] < found["random"] / 2


def test_optuna_avoids_what_fails():
    """Three of four options of one decision fail; drawn at random, three of four trials would."""
    searcher, history, failures = make("optuna", LETTERS), History(LOSS), 0
    for number in range(60):
        drawn = searcher.propose(history, strategies.generator(number)).architecture
        if drawn["u"] == "d":
            ended(history, drawn, quadratic(drawn))
        else:
            history.apply(Started(number, drawn, str(number), 1, seed=0))
            history.apply(Failed(number, "does not fit"))
            failures += number >= 30
    assert failures < 15


def test_optuna_does_not_take_a_stopped_trial_for_a_finished_one():
    """Stopped trials look better here; told as complete, they would draw the search to them."""
    searcher, history = make("optuna", LETTERS), History(LOSS)
    for number in range(40):
        drawn = LETTERS.sample(strategies.generator(number))
        stopped = drawn["u"] == "a"
        ended(
            history,
            drawn,
            -9 if stopped else quadratic(drawn),
            epochs=9,
            stopped_after=stopped or None,
        )
    proposals = [searcher.propose(history, strategies.generator(seed)) for seed in range(20)]
    assert sum(proposal.architecture["u"] == "a" for proposal in proposals) < 5


WEIGHTED = Space(
    {
        "a": Choice({"x": Int(0, 3), "y": None}, (1, 9)),
        "b": Choice(("p", "q"), (1, 9)),
        "c": Choice(("r", "s")),
    }
)


@pytest.mark.parametrize(
    ("sampler", "options", "begins"),
    [
        ("tpe", {}, 10),
        ("tpe", {"n_startup_trials": 4}, 4),
        ("nsgaii", {"population_size": 6}, 6),
        ("random", {}, 25),
    ],
)
def test_optuna_begins_with_what_the_prior_says(sampler, options, begins, caplog):
    """Later it knows nothing of the weights, and says so, unless all is drawn from the prior."""
    searcher = make("optuna", WEIGHTED, {"sampler": sampler, "sampler_options": options})
    check(searcher, Requirements(LOSS, epochs=1))
    says = "prior weights: the weights of a and 1 more are ignored after its random trials"
    assert (says in caplog.text) == (sampler != "random")
    history = History(LOSS)

    def from_the_prior():
        """In how many of ten draws the proposal is the prior's."""
        drawn = [searcher.propose(history, rng(seed)).architecture for seed in range(10)]
        return sum(one == WEIGHTED.sample(rng(seed)) for seed, one in enumerate(drawn))

    rng = strategies.generator
    for number in range(25):
        assert (from_the_prior() == 10) == (number < begins)
        drawn = searcher.propose(history, rng(number)).architecture
        ended(history, drawn, float(drawn["b"] == "q"))  # the prior is wrong
    plain = make("optuna", LETTERS)
    caplog.clear()
    check(plain, Requirements(LOSS, epochs=1))
    assert not caplog.text


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "gp"])
def test_optuna_searches_numbers_too_many_to_count(sampler):
    """Counted in ones, TPE's densities were no numbers, and Optuna warned of it."""
    wide = Space({"n": Int(1, 2**60), "m": Int(1, 2**60 - 1, log=True), "k": Int(-3, 2**61)})
    searcher, history = make("optuna", wide, {"sampler": sampler}), History(LOSS)
    for number in range(14 if sampler == "gp" else 60):
        drawn = searcher.propose(history, strategies.generator(number)).architecture
        assert wide.architecture(drawn) == drawn
        ended(history, drawn, abs(drawn["n"] / 2**60 - 0.3))
    losses = [trial.loss for trial in history.finished]
    assert sampler == "gp" or np.median(losses[40:]) < np.median(losses[:10]) / 2


def test_optuna_spreads_what_runs_at_once():
    """The same proposal over and over is not what several workers are for."""
    searcher, history = make("optuna", NUMBERS), History(LOSS)
    for number in range(20):
        drawn = NUMBERS.sample(strategies.generator(number))
        ended(history, drawn, quadratic(drawn))
    alone = searcher.propose(history, strategies.generator(99)).architecture
    history.apply(Started(20, alone, "20", 1, seed=0))
    assert searcher.propose(history, strategies.generator(99)).architecture != alone


def test_cmaes_takes_one_objective_only():
    searcher = make("optuna", NUMBERS, {"sampler": "cmaes"})
    with pytest.raises(ConfigError, match="CMA-ES takes one objective, got 2"):
        check(searcher, Requirements(strategies.ACCURACY_AND_SIZE, epochs=4))


# Several proposals at once


@pytest.mark.parametrize("name", ["auto", "gp", "ehvi"])
def test_a_model_that_is_asked_for_several_proposes_the_best_and_then_others(name):
    objectives = LOSS if name != "ehvi" else (*LOSS, Objective("size", "min"))
    history, rng = History(objectives), np.random.default_rng(0)
    searcher = make(name, LETTERS)
    for number in range(12):
        architecture = LETTERS.sample(rng)
        loss = float(sum("abcd".index(one) for one in architecture.values()))
        history.apply(Started(number, architecture, str(number), 1, seed=0))
        history.apply(Report(number, 1, {"loss": loss, "size": -loss}))
        history.apply(Finished(number))
    alone = searcher.propose(history, np.random.default_rng(1))
    proposed = several(searcher, history, np.random.default_rng(1), 4)
    different = {LETTERS.identity(one.architecture) for one in proposed}
    assert proposed[0] == alone
    assert alone.repeat or len(different) == len(proposed) == 4
    assert not any(any(history.same(one)) for one in different) or alone.repeat


def test_a_searcher_that_knows_nothing_of_several_is_asked_several_times():
    searcher, history = make("random", LETTERS), History(LOSS)
    rng = np.random.default_rng(0)
    one_by_one = [searcher.propose(history, rng) for _ in range(3)]
    assert several(searcher, history, np.random.default_rng(0), 3) == one_by_one
