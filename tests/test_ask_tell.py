"""A search in a loop of one's own: what it learns, what it refuses, and how it goes on."""

import json

import pytest

import raynas
from raynas.errors import ConfigError, SpaceError
from raynas.space import Choice, Float, Space

SPACE = Space({f"x{i}": Choice(range(6)) for i in range(4)})


def search(searcher="evolution", **options):
    return raynas.AskTell(SPACE, searcher, metric="loss", mode="min", **options)


def loss(architecture):
    return float(sum(architecture.values()))


def run(asked, trials):
    for _ in range(trials):
        trial = asked.ask()
        asked.tell(trial.number, {"loss": loss(trial.architecture)})
    return asked


def test_a_searcher_learns_from_what_it_is_told():
    mutated = run(search(population_size=10, seed=1), 80)
    drawn = run(search("random", seed=1), 80)
    assert mutated.best.loss < drawn.best.loss
    assert mutated.best.loss == min(trial.loss for trial in mutated.history.finished)


def test_it_goes_on_from_what_was_written():
    first = run(search(seed=3), 15)
    again = search(seed=3)
    again.replay(json.loads(json.dumps(first.to_data())))
    assert again.history == first.history
    assert again.ask().architecture == first.ask().architecture


def test_known_results_are_learnt_from_and_not_asked_for_again():
    asked = search("local_search")
    best = dict.fromkeys(SPACE.decisions, 1)
    asked.add(best, {"loss": 4.0})
    for _ in range(10):
        trial = asked.ask()
        assert trial.architecture != best
        assert sum(trial.architecture[path] != 1 for path in best) == 1, "no neighbour"
        asked.fail(trial.number)
    with pytest.raises(SpaceError, match="must have a value for 'x1'"):
        asked.add({"x0": 1}, {"loss": 1.0})


def test_trials_may_report_and_be_stopped():
    asked = search(epochs=9)
    stopped, whole = asked.ask(), asked.ask()
    asked.report(stopped.number, {"loss": 3.0}, 3)
    assert asked.tell(stopped.number).stopped
    assert not asked.tell(whole.number, {"loss": 2.0}, 9).stopped
    assert asked.best.number == whole.number


def test_a_space_that_is_used_up_is_said():
    asked = raynas.AskTell(Space({"a": Choice([1, 2, 3])}), "random", metric="m")
    for number in range(3):
        trial = asked.ask()
        asked.tell(trial.number, {"m": number})
    assert asked.ask() is None


def test_what_is_told_must_be_a_score_of_a_running_trial():
    asked = search()
    number = asked.ask().number
    with pytest.raises(ConfigError, match="no metric 'loss': the known names are acc"):
        asked.tell(number, {"acc": 1.0})
    with pytest.raises(ConfigError, match=r"must be finite: call fail\(number, reason\)"):
        asked.tell(number, {"loss": float("nan")})
    with pytest.raises(ConfigError, match="trial 0 has no metrics"):
        asked.tell(number)
    asked.report(number, {"loss": 1.0}, 2)
    with pytest.raises(ConfigError, match="reported epoch 2 already, got 2"):
        asked.report(number, {"loss": 1.0}, 2)
    asked.tell(number)
    for end in (asked.tell, asked.fail):
        with pytest.raises(ConfigError, match="no trial 0 is running: the running ones are none"):
            end(number)
    with pytest.raises(ConfigError, match="every metric needs a mode"):
        raynas.AskTell(SPACE, metric=[])
    with pytest.raises(ConfigError, match="epochs must be at least 1"):
        search(epochs=0)
    with pytest.raises(ConfigError, match="metrics must be numbers by name"):
        asked.add(dict.fromkeys(SPACE.decisions, 1), {"loss": "low"})
    with pytest.raises(ConfigError, match="must be what to_data"):
        asked.replay([{"event": "started"}])
    assert not asked.history.running  # nothing has changed


def test_the_usual_searcher_takes_every_space():
    space = Space({"kind": Choice({"a": {"lr": Float(1e-3, 1.0, log=True)}, "b": {}})})
    asked = raynas.AskTell(space, metric="acc")
    for _ in range(4):
        trial = asked.ask()
        asked.tell(trial.number, {"acc": trial.architecture.get("kind.a.lr", 0.0)})
    assert asked.best.loss <= 0
