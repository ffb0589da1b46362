"""Searches under the virtual clock, on tables small enough to know every answer."""

import math
import sys
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raynas.errors import ConfigError, SearcherError, TrialError
from raynas.execution.conductor import Conductor
from raynas.execution.plan import Plan
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.schedulers import SCHEDULERS
from raynas.schedulers.asha import ASHA
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers import SEARCHERS, make
from raynas.space import Architecture, Choice, Space
from raynas.tables import Recorded, Scores, Table
from raynas.trial import Failed, Finished, History, Proposal, Report

SPACE = Space({"size": Choice((1, 2, 3, 4)), "kind": Choice(("a", "b", "c"))})


@dataclass(frozen=True)
class Toy:
    """Accuracy is size over ten, a hundredth more with every draw; an epoch takes size seconds.

    Short trainings, of one epoch, say the opposite; kind c fails.
    """

    space: Space = SPACE
    lengths: tuple = (1, 3)
    best: float = 0.4
    asked: list = field(default_factory=list)

    def answer(self, architecture, epochs, draw):
        self.asked.append((architecture["size"], epochs, draw))
        if architecture["kind"] == "c":
            raise TrialError("kind c does not train")
        size = architecture["size"]
        score = size / 10 if epochs == 3 else (5 - size) / 10
        return [Recorded(epochs, {"val_accuracy": score + draw % 3 / 100}, epochs * size)]

    def scores(self, architecture):
        return Scores(architecture["size"] / 10, architecture["size"] / 10)


@dataclass(frozen=True)
class Curve(Toy):
    """Looks after every epoch of one training."""

    lengths: tuple = (3,)

    def answer(self, architecture, epochs, draw):  # noqa: ARG002 - by contract
        size = architecture["size"]
        return [Recorded(i + 1, {"val_accuracy": size / 10}, size) for i in range(epochs)]


@dataclass(frozen=True)
class Script:
    """Proposes what it is told, one after the other, then nothing."""

    proposals: tuple

    def propose(self, history, rng):  # noqa: ARG002 - by contract
        number = len(history.trials)
        return self.proposals[number] if number < len(self.proposals) else None


def of(size, kind="a", **rest):
    return Proposal(Architecture({"size": size, "kind": kind}), **rest)


def simulation(*proposals, table=None, scheduler=None, workers=1, rungs=(), **budget):
    plan = Plan(SPACE, Script(proposals), scheduler or RunToEnd(), 1000, 3, seed=0)
    return Simulation(plan, Cluster(table or Toy(), workers, rungs), Budget(**budget))


def ends(history):
    """Return number and time of every trial's end."""
    return [(trial.number, trial.outcome.at) for trial in history.finished]


def test_a_table_is_a_short_class():
    assert isinstance(Toy(), Table)


def test_the_clock_is_that_of_workers_who_are_never_idle():
    search = simulation(of(4), of(1), of(2), of(3), workers=2)
    moments = [(moment.since, moment.until, moment.trainings) for moment in search]
    # 12 s beside 3 + 6 + 9 s
    assert ends(search.history) == [(1, 3.0), (2, 9.0), (0, 12.0), (3, 18.0)]
    assert moments == [(0, 3, 0), (3, 9, 1), (9, 12, 2), (12, 18, 3), (18, math.inf, 4)]
    assert [trial.started.at for trial in search.history.trials.values()] == [0, 0, 3, 9]


def test_those_that_end_together_end_in_the_order_of_their_numbers():
    search = simulation(of(2), of(2, "b"), of(1), workers=3)
    assert [moment.trainings for moment in search] == [0, 1, 2, 3]
    assert ends(search.history) == [(2, 3.0), (0, 6.0), (1, 6.0)]


def test_what_is_not_over_when_the_time_is_up_does_not_count():
    search = simulation(of(2), of(4), of(1), seconds=17)
    *_, last = search
    assert ends(search.history) == [(0, 6.0)]
    assert (last.since, last.until, search.exhausted) == (6, 18, False)


def test_what_ends_with_the_time_counts_and_nothing_starts_then():
    search = simulation(of(2), of(1), of(3), seconds=9)
    list(search)
    assert ends(search.history) == [(0, 6.0), (1, 9.0)]
    assert len(search.history.trials) == 2


def test_answers_from_the_history_cost_nothing_and_repeats_do():
    search = simulation(of(2), of(2), of(2, repeat=True), of(3), of(4), trainings=3)
    *_, last = search
    assert ends(search.history) == [(0, 6.0), (1, 6.0), (2, 12.0), (3, 21.0)]
    assert [trial.trained for trial in search.history.finished] == [True, False, True, True]
    assert last.trainings == 3


def test_every_repeat_sees_another_training():
    again = of(2, repeat=True)
    search = simulation(of(2), of(3), again, again, again)
    list(search)
    seen = [
        trial.metrics["val_accuracy"] for trial in search.history.finished if trial.number != 1
    ]
    assert sorted(seen[:3]) == pytest.approx([0.20, 0.21, 0.22])
    assert seen[3] == seen[0]


def test_trainings_are_numbered_one_after_the_other_whatever_was_answered():
    table = Toy()
    list(simulation(of(2), of(2), of(2), of(2, repeat=True), table=table))
    (_, _, first), (_, _, second) = table.asked
    assert second == first + 1


def test_equal_networks_have_trainings_of_their_own():
    space = Space(SPACE.tree, canonical=lambda architecture: str(architecture["size"]))
    table = Toy(space)
    plan = Plan(space, Script((of(2), of(2, "b", repeat=True))), RunToEnd(), 9, 3, seed=0)
    search = Simulation(plan, Cluster(table), Budget())
    list(search)
    draws = [draw for _, _, draw in table.asked]
    assert draws == [trial.started.seed for trial in search.history.trials.values()]


def test_which_training_is_seen_first_depends_on_the_seed():
    def first(seed):
        plan = Plan(SPACE, Script((of(2),)), RunToEnd(), 9, 3, seed)
        search = Simulation(plan, Cluster(Toy()), Budget())
        list(search)
        return search.history.finished[0].metrics["val_accuracy"]

    seen = [first(seed) for seed in range(60)]
    assert {round(value, 2) for value in seen} == {0.20, 0.21, 0.22}
    assert seen == [first(seed) for seed in range(60)]


def test_failures_are_told_and_counted():
    search = simulation(of(2, "c"), of(2), of(1, "c"), of(3), trainings=3)
    *_, last = search
    assert last.trainings == 3
    assert [trial.outcome.reason for trial in search.history.failed] == [
        "kind c does not train"
    ] * 2
    assert ends(search.history) == [(1, 6.0)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_a_failure_and_costs_its_time(value):
    class Holed(Toy):
        def answer(self, architecture, epochs, draw):
            (look,) = super().answer(architecture, epochs, draw)
            holed = architecture["size"] == 2
            metrics = {"val_accuracy": value if holed else 0.5, "val_loss": math.nan}
            return [replace(look, metrics=metrics)]

    search = simulation(of(2), of(1), of(2), of(3), table=Holed(), trainings=3)
    *_, last = search
    reason = f"the recorded val_accuracy is {value} after epoch 3, but must be finite"
    assert [trial.outcome.reason for trial in search.history.failed] == [reason] * 2
    assert [trial.outcome.at for trial in search.history.failed] == [6.0, 9.0]
    assert ends(search.history) == [(1, 9.0), (3, 18.0)]
    assert last.trainings == 3
    assert search.conductor.recommended.number == 1


def test_a_stopped_training_has_cost_its_rung_and_one_that_goes_on_both():
    search = simulation(of(1), of(4), of(1, "b"), scheduler=ASHA(1, 2), rungs=(1, 3))
    list(search)
    assert [trial.stopped for trial in search.history.finished] == [False, True, False]
    assert [at for _, at in ends(search.history)] == [4.0, 8.0, 12.0]
    assert [report.seconds for report in search.history.trials[0].reports] == [1.0, 3.0]


def test_without_rungs_a_scheduler_sees_the_end_only():
    search = simulation(of(1), of(4), of(3), scheduler=ASHA(1, 2))
    list(search)
    assert [trial.epoch for trial in search.history.finished] == [3, 3, 3]


def test_looks_within_one_training_are_seen_without_training_twice():
    search = simulation(of(4), of(1), table=Curve(), scheduler=ASHA(1, 2), rungs=(3,))
    list(search)
    assert ends(search.history) == [(0, 12.0), (1, 13.0)]
    assert [report.at for report in search.history.trials[0].reports] == [4.0, 8.0, 12.0]


def test_going_on_from_a_short_training_takes_the_time_of_its_epochs_again():
    table = Curve(lengths=(1, 3))
    search = simulation(of(4), table=table, scheduler=ASHA(1, 2), rungs=table.lengths)
    list(search)
    looks = [(report.epoch, report.at) for report in search.history.trials[0].reports]
    assert looks == [(1, 4.0), (2, 12.0), (3, 16.0)]
    assert search.history.trials[0].seconds == 16.0


def test_a_searcher_may_ask_for_a_short_training_and_then_for_a_long_one():
    table = Toy()
    search = simulation(of(4, epochs=1), of(4), table=table)
    list(search)
    assert [asked[:2] for asked in table.asked] == [(4, 1), (4, 3)]
    assert ends(search.history) == [(0, 4.0), (1, 16.0)]
    assert search.conductor.recommended.number == 1


def test_a_length_the_table_does_not_have_is_refused():
    class Short(Toy):
        def answer(self, architecture, epochs, draw):
            return super().answer(architecture, epochs, draw)[:0]

    with pytest.raises(
        ConfigError, match="must be of epoch 3: the last record in Short is of epoch 0"
    ):
        list(simulation(of(1), table=Short()))


def test_a_searcher_with_nothing_new_to_say_ends_the_search():
    plan = Plan(SPACE, make("random", SPACE), RunToEnd(), 10**6, 3, seed=0)
    search = Simulation(plan, Cluster(Toy()), Budget(trainings=1000))
    *_, last = search
    assert search.exhausted
    assert last.trainings == SPACE.size
    assert len(search.history.trials) < 1000


def test_a_searcher_that_repeats_itself_for_a_while_is_waited_for():
    search = simulation(of(1), *[of(1)] * 100, of(2), trainings=2)
    *_, last = search
    assert last.trainings == 2


def test_the_plan_bounds_the_trainings():
    plan = Plan(SPACE, make("random", SPACE), RunToEnd(), 4, 3, seed=0)
    search = Simulation(plan, Cluster(Toy()), Budget())
    *_, last = search
    assert last.trainings == search.history.trained == 4
    assert not search.exhausted


def test_a_searchers_fault_is_raised():
    with pytest.raises(SearcherError, match="could not propose trial 1"):
        list(simulation(of(1), Proposal(Architecture({"size": 9, "kind": "a"}))))


@dataclass(frozen=True)
class Odd:
    """A searcher that leaves the program, or proposes something else."""

    space: Space
    proposal: object = None

    def propose(self, _history, _rng):
        return self.proposal or sys.exit(0)


@pytest.mark.parametrize(
    ("proposal", "message"),
    [
        (
            None,
            r"trial 0: it raised SystemExit: 0 \(.*test_simulate.py, line \d+: return",
        ),
        ({"size": 1}, r"propose trial 0: it must return a raynas.trial.Proposal or None, got {'s"),
    ],
)
def test_a_searcher_cannot_end_the_program_nor_propose_anything_else(proposal, message):
    plan = Plan(SPACE, Odd(SPACE, proposal), RunToEnd(), 4, 3, seed=0)
    with pytest.raises(SearcherError, match=message):
        list(Simulation(plan, Cluster(Toy()), Budget()))


def test_there_is_a_worker():
    with pytest.raises(ConfigError, match="at least one worker, got 0"):
        Cluster(Toy(), workers=0)


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=12),
    workers=st.integers(1, 5),
)
def test_any_number_of_workers_shares_the_work(sizes, workers):
    proposals = [of(size, repeat=True) for size in sizes]
    search = simulation(*proposals, workers=workers)
    *_, last = search
    work = 3 * sum(sizes)
    assert last.trainings == len(sizes)
    assert work / workers <= last.since <= work / workers + 3 * max(sizes)
    ended = [at for _, at in ends(search.history)]
    assert ended == sorted(ended)


def by_hand(plan):
    """Lead the same search with nothing but a loop."""
    history, now = History(), [0.0]
    conductor = Conductor(plan, history, history.apply, lambda: now[0])
    while trial := conductor.next():
        earlier = [other for other in history.same(trial.identity) if other.trained]
        draw = earlier[0].started.seed + len(earlier) - 1
        try:
            looks = Toy().answer(trial.architecture, trial.started.epochs, draw)
        except TrialError as error:
            conductor.fail(trial.number, str(error))
            continue
        now[0] += looks[0].seconds
        conductor.report(Report(trial.number, looks[0].epoch, looks[0].metrics, looks[0].seconds))
    return history


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("searcher", SEARCHERS)
def test_with_one_worker_it_is_the_plain_loop(searcher, scheduler):
    plan = Plan(SPACE, make(searcher, SPACE), SCHEDULERS[scheduler](), 14, 3, seed=3)
    search = Simulation(plan, Cluster(Toy()), Budget())
    list(search)
    expected = by_hand(Plan(SPACE, make(searcher, SPACE), SCHEDULERS[scheduler](), 14, 3, seed=3))
    assert search.history.trials == expected.trials
    assert search.history.finished == expected.finished


@pytest.mark.parametrize("searcher", SEARCHERS)
def test_many_workers_end_every_trial_and_do_so_again(searcher):
    def run():
        plan = Plan(SPACE, make(searcher, SPACE), ASHA(1, 2), 14, 3, seed=5)
        search = Simulation(plan, Cluster(Toy(), workers=4, rungs=(1, 3)), Budget())
        list(search)
        return search.history

    history = run()
    assert not history.running
    assert all(isinstance(trial.outcome, Finished | Failed) for trial in history.trials.values())
    assert history.trials == run().trials


def test_evolution_beats_random_where_there_is_something_to_learn():
    space = Space({f"bit{i}": Choice((0, 1)) for i in range(16)})

    class Ones(Toy):
        def answer(self, architecture, epochs, draw):  # noqa: ARG002 - by contract
            return [Recorded(epochs, {"val_accuracy": sum(architecture.values()) / 16}, 1.0)]

    def reached(searcher, seed):
        plan = Plan(space, make(searcher, space), RunToEnd(), 10**4, 3, seed)
        search = Simulation(plan, Cluster(Ones()), Budget(trainings=150))
        list(search)
        return -search.conductor.recommended.loss

    wins = [reached("evolution", seed) > reached("random", seed) for seed in range(10)]
    assert np.mean(wins) >= 0.8
