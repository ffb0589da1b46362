"""When a worker that does not answer is ended, by a clock that the test sets."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from ray.tune.experiment import Trial

from raynas.errors import ResourceError
from raynas.execution.ray_tune import timeouts
from raynas.execution.ray_tune.timeouts import Timeouts

HOUR = 3600.0


@dataclass
class Stage:
    """A clock, trials that Tune would list, and the actors that were killed."""

    trial: float | None = None
    grace: float = 30.0
    now: float = 0.0
    killed: list = field(default_factory=list)

    def __post_init__(self):
        self.timeouts = Timeouts(self.trial, self.grace, clock=lambda: self.now)

    def at(self, seconds, *names, status=Trial.RUNNING, over=False):
        """Let time pass; return which trials are ended."""
        self.now, before = seconds, len(self.killed)
        trials = [
            SimpleNamespace(
                trial_id=name, status=status, temporary_state=SimpleNamespace(ray_actor=name)
            )
            for name in names
        ]
        self.timeouts.enforce(trials, over=over)
        return self.killed[before:]


@pytest.fixture
def stage(monkeypatch):
    def made(**given):
        made = Stage(**given)
        monkeypatch.setattr(timeouts.ray, "kill", made.killed.append)
        return made

    return made


def test_a_trial_may_be_silent_for_an_hour_or_twenty_of_the_longest_epochs(stage):
    play = stage()
    play.at(0, "a", "b")
    assert play.at(HOUR, "a", "b") == []
    play.timeouts.heard("a")  # an epoch of an hour
    assert play.at(20 * HOUR, "a", "b") == []
    assert play.at(20 * HOUR + 1, "a", "b") == ["b"]
    assert play.at(21 * HOUR, "a", "b") == []  # b is ended once
    assert play.timeouts.ended["b"] == (
        "it reported nothing for 72000 s, which is the limit without --trial-timeout: 20 times "
        "the longest epoch so far, and at least 3600 s"
    )
    assert play.timeouts.ended_after["b"] == 20 * HOUR + 1


def test_a_trial_timeout_counts_from_the_start_and_replaces_the_limit_on_silence(stage):
    play = stage(trial=5 * HOUR)
    play.at(0, "a")
    assert play.at(5 * HOUR, "a") == []
    play.timeouts.heard("a")
    assert play.at(5 * HOUR + 1, "a", "b") == ["a"]
    assert play.at(10 * HOUR + 1, "b") == []


def test_after_a_limit_of_the_run_trials_have_the_grace_time_and_the_winner_all_time(stage):
    play = stage()
    play.at(0, "a")
    assert play.at(10, "a", over=True) == []
    assert play.at(40, "a", over=True) == []
    assert play.at(41, "a", over=True) == ["a"]
    assert play.timeouts.ended["a"] == ""
    play.timeouts.search_over()
    assert play.at(1000, "winner", over=True) == []
    assert play.at(1000 + HOUR + 1, "winner", over=True) == ["winner"]


def test_a_trial_that_went_on_later_has_its_time_anew(stage):
    play = stage(trial=100.0)
    play.at(0, "a")
    play.at(90, "a")
    play.at(91)  # it is paused
    play.at(500, "a")
    assert play.at(600, "a") == []
    assert play.at(601, "a") == ["a"]


def test_a_worker_that_does_not_start_ends_the_run(stage):
    play = stage()
    play.at(0, "a", status=Trial.PENDING)
    play.at(HOUR, "a", status=Trial.PENDING)
    with pytest.raises(ResourceError, match="must start within 3600 s"):
        play.at(HOUR + 1, "a", status=Trial.PENDING)
