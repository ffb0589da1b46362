"""The contract every searcher in the table keeps, by being in the table.

It is tried on the shipped spaces, on some written by hand and on random ones; and on mutants,
which break it and must be caught.
"""

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
import strategies
import torch
from contract import CASES, CONTRACT, PLAIN, SHIPPED, SPACES, VARIANTS, accepted, refused, search
from contract import copes_with_whatever_happens as copes
from contract import depends_on_history_and_generator_only as depends
from contract import leaves_everything_alone as leaves
from hypothesis import given, settings

from raynas.errors import ConfigError, SearcherError
from raynas.journal import Journal, read
from raynas.searchers import SEARCHERS, check, make
from raynas.searchers.requirements import Requirements
from raynas.space import Space
from raynas.space.codec import from_data, to_data
from raynas.trial import Proposal

# What auto proposes on one space or another is what gp and ehvi propose there.
NAMES = [name for name in SEARCHERS if name != "auto"]


@pytest.mark.parametrize("check", CONTRACT)
@pytest.mark.parametrize(("name", "space"), CASES)
def test_contract(name, space, check):
    if accepted(name, SPACES[space]):
        check(VARIANTS[name], SPACES[space], seed=2)


@pytest.mark.parametrize("check", CONTRACT)
@pytest.mark.parametrize("space", SHIPPED)
@pytest.mark.parametrize("name", NAMES)
def test_contract_on_shipped_spaces(name, space, check):
    if accepted(name, SHIPPED[space]):
        check(VARIANTS[name], SHIPPED[space], seed=3)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6)
@given(space=strategies.spaces(), seed=strategies.seeds())
def test_contract_on_random_spaces(name, space, seed):
    if accepted(name, space):
        for check in CONTRACT:
            check(VARIANTS[name], space, seed=seed)


@pytest.mark.parametrize("name", SEARCHERS)
def test_every_searcher_takes_a_plain_space(name):
    assert accepted(name, PLAIN)


@pytest.mark.parametrize("space", SPACES | SHIPPED)
@pytest.mark.parametrize("name", ["random", "local_search", "reinforce", "ppo", "bohb"])
def test_some_searchers_take_every_space(name, space):
    assert accepted(name, (SPACES | SHIPPED)[space])


@pytest.mark.parametrize("name", SEARCHERS)
def test_a_searcher_is_frozen_and_begins_with_the_space(name):
    cls, searcher = SEARCHERS[name], make(name, PLAIN)
    assert is_dataclass(cls)
    assert fields(cls)[0].name == "space"
    assert searcher == make(name, PLAIN)
    with pytest.raises(FrozenInstanceError):
        searcher.space = PLAIN


# Several objectives

TAKE_SEVERAL = {"auto", "random", "nsga2", "ehvi", "optuna"}  # all others take one


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "optuna, cmaes"])
def test_several_objectives_are_taken_or_refused_before_anything_starts(name):
    searcher = VARIANTS[name](PLAIN)
    check(searcher, Requirements(strategies.ACCURACY, epochs=4))
    several = Requirements(strategies.ACCURACY_AND_SIZE, epochs=4)
    if name.split(",")[0] in TAKE_SEVERAL:
        check(searcher, several)
    else:
        with pytest.raises(
            ConfigError, match=r"one objective, got 2: .*'auto', 'ehvi' or 'nsga2'"
        ):
            check(searcher, several)


# In another process


def ask(folder):
    """Write down, for every journal in ``folder``, what a fresh searcher proposes after it."""
    answers = {}
    for path in sorted(Path(folder).iterdir()):
        replayed = read(path)
        case = replayed.run["case"]
        searcher = (VARIANTS | MUTANTS)[case["name"]](Space(from_data(case["space"])))
        proposal = searcher.propose(replayed.history, strategies.generator(case["seed"]))
        answers[path.name] = proposal.architecture.to_json()
    return answers


def journals(folder, makers):
    """Write journals of searches cut off somewhere."""
    objectives = [{"metric": "val_accuracy", "direction": "max"}]
    for name, maker in makers.items():
        for at, space in enumerate(("plain", "numbers", "conditional")):
            if refused(name, SPACES[space]):
                continue
            events = search(maker, SPACES[space], seed=at).events
            case = {"name": name, "space": to_data(SPACES[space].tree), "seed": at}
            journal = Journal(folder / f"{name}, {space}")
            journal.begin({"objectives": objectives, "case": case})
            for event in events[: len(events) * (at + 2) // 4]:
                journal.append(event)
            journal.close()


def test_another_process_proposes_the_same(tmp_path):
    journals(tmp_path, VARIANTS | {"salted": Salted})
    code = f"import json, test_searchers; print(json.dumps(test_searchers.ask({str(tmp_path)!r})))"
    child = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        check=True,
        capture_output=True,
        text=True,
    )
    there, here = json.loads(child.stdout), ask(tmp_path)
    assert len(here) > 2 * len(VARIANTS)
    differing = {path.split(",")[0] for path in here if here[path] != there[path]}
    assert differing == {"salted"}, "only the mutant depends on the process"


# Mutants


@dataclass(frozen=True)
class Mutant:
    space: Space
    memo: list = field(default_factory=list, compare=False)


class UsesTheGlobalGenerator(Mutant):
    def propose(self, history, rng):  # noqa: ARG002
        seed = np.random.randint(2**31)  # noqa: NPY002 - the mutation
        return Proposal(self.space.sample(strategies.generator(seed)))


class CountsItsCalls(Mutant):
    def propose(self, history, rng):  # noqa: ARG002
        self.memo.append(None)
        return Proposal(self.space.sample(strategies.generator(len(self.memo))))


class RemembersWhatItSaw(Mutant):
    """Keeps a memo that a fresh instance does not rebuild: what was running when it was asked."""

    def propose(self, history, rng):
        self.memo.extend(trial.number for trial in history.running)
        rng.random(len(set(self.memo)))
        return Proposal(self.space.sample(rng))


class DrawsFromTorch(Mutant):
    def propose(self, history, rng):  # noqa: ARG002
        return Proposal(self.space.sample(strategies.generator(int(torch.randint(99, ())))))


class ChangesTheHistory(Mutant):
    def propose(self, history, rng):
        history.finished.sort(key=lambda trial: -trial.loss)
        return Proposal(self.space.sample(rng))


class ForgetsADecision(Mutant):
    def propose(self, history, rng):  # noqa: ARG002
        values = dict(self.space.sample(rng))
        values.popitem()
        return Proposal(type(self.space.sample(rng))(values))


class WaitsForTheOthers(Mutant):
    def propose(self, history, rng):
        return None if history.running else Proposal(self.space.sample(rng))


class CountsOnSuccess(Mutant):
    def propose(self, history, rng):
        if len(history.trials) > 8:
            min(history.finished, key=lambda trial: trial.loss)
        return Proposal(self.space.sample(rng))


class Salted(Mutant):
    def propose(self, history, rng):  # noqa: ARG002
        return Proposal(self.space.sample(strategies.generator(abs(hash("salt")))))


MUTANTS = {"salted": Salted}


@pytest.mark.parametrize(
    ("mutant", "checks"),
    [
        (UsesTheGlobalGenerator, {depends, leaves}),
        (CountsItsCalls, {depends}),
        (RemembersWhatItSaw, {depends}),
        (DrawsFromTorch, {depends, leaves}),
        (ChangesTheHistory, {leaves}),
        (ForgetsADecision, {*CONTRACT}),
        (WaitsForTheOthers, {copes}),
        (CountsOnSuccess, {copes}),
    ],
)
def test_mutants_are_caught(mutant, checks):
    assert checks == {check for check in CONTRACT if not holds(check, mutant)}


def holds(check, maker):
    search.cache_clear()  # a mutant leaves traces in what it saw
    try:
        check(maker, PLAIN, seed=1)
    except (AssertionError, SearcherError):
        return False
    return True
