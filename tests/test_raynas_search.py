"""Raynas's searchers as Ray Tune asks them, played without Ray and on a real one."""

import json
import math
import os
from dataclasses import dataclass
from functools import partial

import pytest
from ray_runs import completed

import raynas
from raynas.errors import ConfigError, SearcherError, SpaceError
from raynas.execution.conductor import Plan
from raynas.execution.ray_tune import tune_environment
from raynas.execution.ray_tune.raynas_search import RaynasSearch
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers import SEARCHERS, make
from raynas.searchers.evolution import RegularizedEvolution
from raynas.searchers.inheriting import Inheriting
from raynas.space import Architecture, Choice, Float, Int, Repeat, Space
from raynas.tables import Recorded
from raynas.trial import Failed, Fault, Finished, Proposal

from ray import cloudpickle, tune  # isort: skip
from ray.tune.schedulers import ASHAScheduler, HyperBandForBOHB  # isort: skip

SPACE = Space(
    {
        "op": Choice({"conv": {"kernel": Choice([3, 5])}, "pool": {}}),
        "blocks": Repeat({"width": Int(8, 64, log=True)}, 1, 3),
        "lr": Float(1e-3, 1.0, log=True),
    }
)
LETTERS = Space({"u": Choice(("a", "b", "c", "d")), "v": Int(1, 3)})
SINGLE = Space({"u": Choice(("a",))})
MANY = Space({"u": Choice(("a", "b", "c", "d")), **{f"x{i}": Int(1, 9) for i in range(4)}})
DONE = "FINISHED"


def loss(config):
    """Less with early letters and small numbers."""
    return sum(
        ord(value[0]) - 96 if isinstance(value, str) else math.log(value)
        for value in config.values()
    )


@dataclass(frozen=True)
class Script:
    """Proposes what it is told, one after the other, then nothing."""

    space: Space
    proposals: tuple = ()

    def propose(self, history, rng):  # noqa: ARG002 - by contract
        number = len(history.trials)
        return self.proposals[number] if number < len(self.proposals) else None


def of(u, v=1, **rest):
    return Proposal(Architecture({"u": u, "v": v}), **rest)


def scripted(*proposals, **options):
    return RaynasSearch(LETTERS, Script(LETTERS, proposals), metric="score", mode="min", **options)


def trained(search, name, score, epochs=1):
    """Let a trial report so often and end, as Tune tells of it."""
    for epoch in range(1, epochs):
        search.on_trial_result(name, {"score": score, "training_iteration": epoch})
    search.on_trial_complete(name, {"score": score, "training_iteration": epochs})


def outcomes(search):
    return [trial.outcome for trial in search._asked.history.trials.values()]


# How long


@pytest.mark.parametrize("epochs", [9, None])
@pytest.mark.parametrize("name", ["optuna", "gp", "bohb", "evolution"])
def test_what_was_stopped_early_does_not_draw_the_search_to_it(name, epochs):
    """One option looks best, but a scheduler stops it at once, before anybody is through."""
    search = RaynasSearch(MANY, name, metric="score", mode="min", epochs=epochs)
    for i in range(30):
        config = search.suggest(f"t{i}")
        if config["u"] == "a":
            trained(search, f"t{i}", 0.1)
        else:
            trained(search, f"t{i}", 0.3 + loss(config) / 10, epochs=9)
    proposed = [search.suggest(f"n{i}")["u"] for i in range(12)]
    # Chance alone gives 3, and more than 6 once in 70 times; who is drawn proposes it 12 times.
    assert proposed.count("a") <= 6


def test_the_longest_training_is_a_full_one_unless_it_is_said():
    search = scripted(*map(of, "abcda"))
    for name in "abc":
        search.suggest(name)
    trained(search, "a", 1.0)
    assert [end and end.stopped for end in outcomes(search)] == [False, None, None]
    trained(search, "b", 1.0, epochs=4)
    assert [end and end.stopped for end in outcomes(search)] == [True, False, None]
    trained(search, "c", 1.0, epochs=3)
    search.suggest("d")
    assert [end and end.stopped for end in outcomes(search)] == [True, False, True, None]
    assert {trial.started.epochs for trial in search._asked.history.trials.values()} == {4}
    assert search.suggest("e") == DONE
    assert search._asked.history.trials[4].outcome == Finished(4, stopped=True, answered_by=0)

    said = scripted(*map(of, "ab"), epochs=9)
    said.suggest("a")
    trained(said, "a", 1.0, epochs=4)
    assert outcomes(said) == [Finished(0, stopped=True)]


def test_there_is_an_epoch():
    with pytest.raises(ConfigError, match="epochs must be at least 1, got 0"):
        scripted(epochs=0)


# Who proposes


def test_a_searcher_is_named_or_given_or_made():
    given = RegularizedEvolution(SPACE, population_size=3)
    for searcher, options in (
        ("evolution", {"population_size": 3}),
        (given, {}),
        (RegularizedEvolution, {"population_size": 3}),
        (partial(RegularizedEvolution, population_size=3), {}),
        (lambda space: RegularizedEvolution(space, population_size=3), {}),
    ):
        search = RaynasSearch(SPACE, searcher, metric="score", **options)
        assert search._asked._searcher == given
    assert RaynasSearch(SPACE, metric="score")._asked._searcher == make("auto", SPACE)
    assert raynas.RaynasSearch is RaynasSearch


@pytest.mark.parametrize(
    ("searcher", "options", "error", "says"),
    [
        ("evolutoin", {}, ConfigError, "did you mean 'evolution'"),
        ("evolution", {"size": 3}, ConfigError, "no option of searcher 'evolution' 'size'"),
        (RegularizedEvolution(SPACE), {"size": 3}, ConfigError, "takes no options, got .'size'"),
        (3, {}, ConfigError, "needs a method 'propose', and 3 has none"),
        (lambda space: 4, {}, ConfigError, "4 has none"),  # noqa: ARG005
        ("gp", {"fidelities": (2, 9)}, ConfigError, "must be the run's number of epochs"),
    ],
)
def test_what_cannot_propose_is_refused_at_once(searcher, options, error, says):
    with pytest.raises(error, match=says):
        RaynasSearch(SPACE, searcher, metric="score", **options)
    with pytest.raises(SpaceError, match="got a space of one"):
        RaynasSearch(SINGLE, "evolution", metric="score")


def test_what_a_tuner_cannot_be_told_is_refused():
    short = RaynasSearch(SPACE, "gp", metric="score", epochs=9, fidelities=(2, 9))
    with pytest.raises(SearcherError, match="wants trial 0 to train for 2 epochs only"):
        short.suggest("a")
    heir = RaynasSearch(
        SPACE, Inheriting(RegularizedEvolution(SPACE, 1, 1)), metric="score", epochs=1
    )
    heir.suggest("a")
    trained(heir, "a", 1.0)
    with pytest.raises(SearcherError, match="begin with another trial's weights"):
        heir.suggest("b")


def test_a_proposal_outside_the_space_is_refused():
    with pytest.raises(SearcherError, match="could not propose trial 0: u must be one of"):
        scripted(of("x")).suggest("a")


# Several objectives


def test_several_objectives_are_weighed_against_each_other():
    search = RaynasSearch(
        MANY, "nsga2", metric=["score", "size"], mode=["max", "min"], population_size=6
    )
    for i in range(60):
        config = search.suggest(f"t{i}")
        numbers = [value for value in config.values() if isinstance(value, int)]
        result = {"score": sum(numbers), "size": sum(numbers[:2]), "training_iteration": 1}
        search.on_trial_complete(f"t{i}", result)
    late = [trial.architecture for trial in search._asked.history.finished[-15:]]
    # The size only counts against the first two numbers, so on the front the others are large.
    assert sum(one["x2"] + one["x3"] for one in late) / len(late) > 14
    assert (search.metric, search.mode) == (["score", "size"], ["max", "min"])


def test_several_objectives_are_refused_by_who_takes_one():
    with pytest.raises(ConfigError, match="one objective, got 2"):
        RaynasSearch(SPACE, "gp", metric=["score", "size"])
    search = RaynasSearch(SPACE, metric=("score", "size"), mode="min")
    assert search.mode == ["min", "min"]
    for metric, mode in (("score", "least"), (["a", "b"], ["min"]), ([], "min")):
        with pytest.raises(ConfigError, match="and every metric needs a mode"):
            RaynasSearch(SPACE, metric=metric, mode=mode)


# Nothing twice


def test_what_is_known_is_not_trained_again():
    search = scripted(of("a"), of("b"), of("a"), of("b"), of("a", repeat=True), of("c"), of("c"))
    assert search.suggest("one") == {"u": "a", "v": 1}
    trained(search, "one", 0.5)
    assert search.suggest("two")["u"] == "b"
    search.on_trial_complete("two", error=True)
    assert search.suggest("three")["u"] == "a", "asked for twice on purpose"
    assert search.suggest("four")["u"] == "c"
    assert search.suggest("five")["u"] == "c", "while one runs, nothing is known of it"
    assert search.suggest("six") == DONE
    ends = outcomes(search)
    assert ends[2] == Finished(2, answered_by=0)
    assert ends[3] == Failed(3, "the trainable failed", answered_by=1)
    assert ends[4:] == [None] * 3
    assert search._asked.history.trials[2].loss == 0.5


def test_what_is_known_to_be_at_fault_is_not_trained():
    search = scripted(of("a", fault=Fault("too large", "where")), of("b"))
    assert search.suggest("one")["u"] == "b"
    assert outcomes(search) == [Failed(0, "too large", "where", cause="part"), None]


@pytest.mark.parametrize("name", SEARCHERS)
def test_a_small_space_is_used_up(name):
    """Every network is trained, failures once; repeats only where the searcher wants them."""
    search = RaynasSearch(LETTERS, name, metric="score", mode="min")
    failed, seen = [], []
    for i in range(60):
        config = search.suggest(f"t{i}")
        if config == DONE:
            break
        if config["u"] == "d":
            failed.append(tuple(config.values()))
            search.on_trial_complete(f"t{i}", error=True)
        else:
            seen.append(tuple(config.values()))
            trained(search, f"t{i}", loss(config))
    else:
        pytest.fail("it never ended")
    assert len(failed) == len(set(failed))
    intended = sum(trial.started.repeat for trial in search._asked.history.trials.values())
    assert len(seen) == len(set(seen)) + intended
    assert search.suggest("more") == DONE


@dataclass(frozen=True)
class Table:
    """What ``loss`` says, after one epoch."""

    space: Space = MANY
    lengths: tuple = (1,)
    best: float = 1.0

    def answer(self, architecture, epochs, draw):  # noqa: ARG002 - by contract
        return [Recorded(epochs, {"val_accuracy": -loss(architecture)}, 1.0)]


@pytest.mark.parametrize("name", SEARCHERS)
def test_one_trial_at_a_time_it_trains_what_raynas_itself_would(name):
    small = Space({"u": Choice(("a", "b", "c")), "v": Int(1, 4)})
    plan = Plan(small, make(name, small), RunToEnd(), 10**6, 1, seed=3)
    run = Simulation(plan, Cluster(Table(small)), Budget(trainings=9))
    list(run)
    expected = [dict(trial.architecture) for trial in run.history.trials.values() if trial.trained]
    search = RaynasSearch(small, name, metric="score", mode="min", seed=3, epochs=1)
    for i, config in enumerate(expected):
        assert search.suggest(f"t{i}") == config
        trained(search, f"t{i}", loss(config))


# Ends


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, None, "much"])
def test_what_is_no_number_is_no_score(score):
    search = scripted(*map(of, "abc"))
    search.suggest("a")
    trained(search, "a", score, epochs=3)
    (end,) = outcomes(search)
    assert isinstance(end, Failed)
    assert "score is" in end.reason
    assert "after epoch 3, but must be finite" in end.reason

    search.suggest("b")
    search.on_trial_result("b", {"score": score, "training_iteration": 1})
    search.on_trial_result("b", {"score": 0.5, "training_iteration": 2})
    search.on_trial_complete("b", {"score": 0.5, "training_iteration": 2})
    assert search._asked.history.trials[1].losses == (0.5,), "it came to its senses"


def test_how_a_trial_may_end():
    search = scripted(*map(of, "abcd"), of("a", 2))
    for name in "abcd":
        search.suggest(name)
    search.on_trial_complete("a", {"loss": 0.5, "training_iteration": 1})
    search.on_trial_complete("b")
    search.on_trial_result("c", {"score": 0.5, "training_iteration": 2})
    search.on_trial_complete("c")
    search.on_trial_result("d", {"score": 0.5, "training_iteration": 2})
    search.on_trial_complete("d", error=True)
    assert outcomes(search) == [
        Failed(0, "the trainable did not report score"),
        Failed(1, "the trial was ended before it reported", cause="circumstances"),
        Finished(2),
        Failed(3, "the trainable failed"),
    ]
    search.on_trial_complete("c", {"score": 0.1, "training_iteration": 3})
    search.on_trial_result("a", {"score": 0.1, "training_iteration": 3})
    search.on_trial_result("nobody's", {"score": 0.1})
    search.on_trial_complete("nobody's", error=True)
    assert outcomes(search)[2] == Finished(2), "what has ended has ended"
    assert search.suggest("e") == {"u": "a", "v": 2}


# Saved


@pytest.mark.parametrize("name", SEARCHERS)
def test_saved_and_restored_it_suggests_the_same(name, tmp_path):
    def fresh():
        return RaynasSearch(MANY, name, metric="score", mode="min")

    first = fresh()
    for i in range(20):
        config = first.suggest(f"t{i}")
        if i % 5 == 4:
            first.on_trial_complete(f"t{i}", error=True)
        elif i % 5 != 3:  # one in five goes on running
            trained(first, f"t{i}", loss(config), epochs=1 + i % 3)
    first.save(str(tmp_path / "state"))
    assert json.loads((tmp_path / "state").read_text())
    second, third = fresh(), cloudpickle.loads(cloudpickle.dumps(first))
    second.restore(str(tmp_path / "state"))
    suggested = []
    for search in (first, second, third):
        trained(search, "t3", 0.5)
        suggested.append([search.suggest(f"n{i}") for i in range(3)])
    assert suggested[0] == suggested[1] == suggested[2]
    assert first._asked.history == second._asked.history


# On a real Ray


@pytest.fixture
def child():
    """What workers, which cannot import this module, are sent whole."""

    def child(config):
        if config["u"] == "b":
            raise ValueError("kind b does not train")
        for epoch in range(1, 10):
            score = math.nan if config["u"] == "c" else config["v"] * epoch / 9
            tune.report({"score": score, "size": config["v"]})

    return child


def tuner(child, folder, search, scheduler, samples):
    return tune.Tuner(
        child,
        tune_config=tune.TuneConfig(
            search_alg=search, scheduler=scheduler, num_samples=samples, reuse_actors=True
        ),
        run_config=tune.RunConfig(name="lent", storage_path=str(folder), verbose=0),
    )


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_in_a_plain_tuner(child, tmp_path):
    asha = ASHAScheduler(metric="score", mode="max", max_t=9, grace_period=1, reduction_factor=3)
    search = RaynasSearch(LETTERS, metric="score")
    grid = tuner(child, tmp_path, search, asha, samples=14).fit()
    history = search._asked.history
    assert not history.running
    ended = [trial for trial in history.trials.values() if trial.trained]
    assert len(ended) == len(grid) == 14 or search.suggest("more") == DONE
    once = [trial.identity for trial in ended if not trial.started.repeat]
    assert len(once) == len(set(once))
    for trial in ended:
        match trial.architecture["u"]:
            case "b":
                assert trial.outcome.reason == "the trainable failed"
            case "c":
                assert "score is nan" in trial.outcome.reason
            case _:
                assert trial.stopped == (trial.epoch < 9)
    assert {trial.stopped for trial in history.finished} == {True, False}
    assert history.failed

    restored = RaynasSearch(LETTERS, metric="score")
    restored.restore_from_dir(str(tmp_path / "lent"))
    assert restored._asked.history == history
    again = tune.Tuner.restore(str(tmp_path / "lent"), child).fit()
    assert len(again) == len(grid)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_in_a_plain_tuner_with_several_objectives_and_pauses(child, tmp_path):
    search = RaynasSearch(LETTERS, "nsga2", metric=["score", "size"], mode=["max", "min"])
    pausing = HyperBandForBOHB(metric="score", mode="max", max_t=9, reduction_factor=3)
    grid = tuner(child, tmp_path, search, pausing, samples=4).fit()
    assert len(grid) == 4
    finished = search._asked.history.finished
    assert {len(trial.losses) for trial in finished} == {2}


def test_tune_keeps_its_own_ways():
    """What raynas's own runs need of Tune is set for these alone."""
    asked = "import os, raynas; raynas.RaynasSearch; print(json.dumps(dict(os.environ)))"
    code, output, errors = completed("-c", f"import json; {asked}")
    assert code == 0, errors
    names = json.loads(output)
    assert not {"RAY_CHDIR_TO_TRIAL_DIR", "RAY_AIR_NEW_OUTPUT"} & set(names)
    assert {name for name in names if name.startswith("TUNE_")} == {"TUNE_WARN_THRESHOLD_S"}
    mine = os.environ  # noqa: TID251 - to see what is set
    before = dict(mine)
    with tune_environment():
        assert mine["TUNE_GLOBAL_CHECKPOINT_S"] == "86400"
        assert mine["TUNE_MAX_PENDING_TRIALS_PG"] == "1000"
    assert dict(mine) == before
