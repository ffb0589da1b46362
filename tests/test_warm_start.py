"""What a search begins with: given architectures, another run's best, an expert's priors."""

import json
import logging
import math
import shutil
from collections import Counter

import in_process
import pytest
import strategies
from command import called
from hypothesis import given
from hypothesis import strategies as st
from ray_runs import events

from raynas.errors import ConfigError, SpaceError
from raynas.experiment.resolve.starting_points import starting_points
from raynas.journal import Journal
from raynas.searchers import check, make
from raynas.searchers.requirements import Requirements
from raynas.searchers.warm_start import WarmStart
from raynas.space import Choice, Int, Repeat, Space, with_priors
from raynas.trial import Started
from search_spaces import mlp

SPACE = Space(
    {
        "op": Choice({"conv": {"k": Choice((3, 5))}, "pool": None}),
        "stages": Repeat({"width": Choice((8, 16, 32)), "depth": Int(1, 3)}, 1, 2),
        "act": Choice(("relu", True, None)),
    }
)
LETTERS = Space({name: Choice(("a", "b", "c")) for name in "uvw"})


def drawn(space, count, seed=0):
    return tuple(space.sample(strategies.generator((seed, i))) for i in range(count))


# Given architectures


@given(strategies.seeds(), st.integers(0, 9), st.integers(1, 4))
def test_the_given_come_first_and_then_the_searcher(seed, count, workers):
    given_first = drawn(SPACE, count, seed)
    run = strategies.Search(
        WarmStart(make("random", SPACE), given_first), seed=seed, trials=12, workers=workers
    )
    begun = [event.architecture for event in run.run() if isinstance(event, Started)]
    alone = strategies.Search(make("random", SPACE), seed=seed, trials=12)
    others = [event.architecture for event in alone.run() if isinstance(event, Started)]
    both = min(len(begun), len(others))  # answers come on top, and there are more or fewer
    assert begun[:both] == [*given_first, *others[count:]][:both]


def test_a_searcher_learns_from_the_given():
    """Evolution breeds from them as from trials of its own."""
    evolution = make("evolution", LETTERS, {"population_size": 3, "tournament_size": 1})
    run = strategies.Search(
        WarmStart(evolution, drawn(LETTERS, 3)), trials=8, workers=1, failing=0
    )
    begun = [event for event in run.run() if isinstance(event, Started)]
    assert [event.parent is None for event in begun[:8]] == [True] * 3 + [False] * 5


class Knows:
    """Hands over the first that finished."""

    space = LETTERS

    def propose(self, history, rng):
        raise NotImplementedError

    def recommend(self, history):
        return history.finished[0]


def test_it_refuses_what_its_searcher_refuses():
    several = Requirements(strategies.ACCURACY_AND_SIZE, epochs=4)
    check(WarmStart(make("nsga2", LETTERS), ()), several)
    with pytest.raises(ConfigError, match="RegularizedEvolution optimises one objective"):
        check(WarmStart(make("evolution", LETTERS), ()), several)


def test_it_hands_over_what_its_searcher_hands_over():
    run = strategies.Search(make("random", LETTERS))
    run.run()
    first = run.history.finished[0]
    assert run.history.best is not first
    assert WarmStart(Knows(), ()).recommend(run.history) is first
    assert WarmStart(make("random", LETTERS), ()).recommend(run.history) is run.history.best


# From elsewhere


def a_run(folder, space, trials=30, **options):
    search = strategies.Search(make("random", space), trials=trials, **options)
    search.run()
    journal = Journal(folder)
    journal.begin({"objectives": [{"metric": "val_accuracy", "direction": "max"}]})
    for event in search.events:
        journal.append(event)
    journal.close()
    return search.history


def test_the_ten_best_of_a_run_are_taken_best_first(tmp_path):
    history = a_run(tmp_path, SPACE, scheduler="asha", epochs=4)
    found = starting_points(tmp_path, SPACE)
    best = {one.identity: (-one.epoch, one.loss) for one in reversed(history.finished)}
    expected = sorted(best, key=lambda identity: best[identity])[:10]
    assert [SPACE.identity(one) for one in found] == expected


def test_what_does_not_fit_is_left_out_and_counted(tmp_path, caplog):
    narrow = Space({**SPACE.tree, "act": Choice(("relu", None))})
    history = a_run(tmp_path, SPACE)
    unfit = [one for one in history.finished if one.architecture["act"] is True]
    fit = {one.identity for one in history.finished if one.architecture["act"] is not True}
    with caplog.at_level(logging.WARNING, "raynas"):
        found = starting_points(str(tmp_path), narrow)
    assert len(found) == min(10, len(fit))
    assert f"{len(unfit)} of {len(history.finished)} architectures" in caplog.text
    assert "act must be one of 'relu', None, got True" in caplog.text


def test_a_file_holds_one_architecture_a_list_or_a_winner(tmp_path):
    one, other = (dict(each) for each in drawn(SPACE, 2))
    file = tmp_path / "some.json"
    for content, expected in (
        (one, [one]),
        ([one, other, one], [one, other]),
        ({"space": "mine", "architecture": other, "metrics": {}}, [other]),
    ):
        file.write_text(json.dumps(content))
        assert [dict(each) for each in starting_points(file, SPACE)] == expected
    assert [dict(each) for each in starting_points([one, other], SPACE)] == [one, other]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is not valid YAML: line 1, column 2"),
        ("3", "must be a list of decisions by path.*got 3"),
        ('["relu"]', "must be a list of decisions by path"),
        ("[]", "no architecture of .* fits this space .there is none"),
        ('[{"op": "pool"}]', "fits this space .the first: the architecture must have a value for"),
        (None, "neither a run folder nor a file of architectures, cannot be read"),
    ],
)
def test_nothing_to_begin_with_is_an_error(tmp_path, content, says):
    file = tmp_path / "some.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=says):
        starting_points(file, SPACE)


# Priors


def test_weights_are_put_on_the_choices_meant_and_only_there():
    space = with_priors(
        SPACE,
        {"*.width": {16: 3.0}, "op": {"pool": 0.5}, "op.conv.k": {"5": 2}, "act": {None: 4.0}},
    )
    weights = {path: getattr(one.domain, "weights", None) for path, one in space.decisions.items()}
    assert weights == {
        "op": (1.0, 0.5),
        "op.conv.k": (1.0, 2.0),
        "stages": None,
        "stages.0.width": (1.0, 3.0, 1.0),
        "stages.1.width": (1.0, 3.0, 1.0),
        "stages.0.depth": None,
        "stages.1.depth": None,
        "act": (1.0, 1.0, 4.0),
    }
    assert not any(getattr(one.domain, "weights", None) for one in SPACE.decisions.values())


@given(strategies.spaces(), strategies.seeds())
def test_priors_change_nothing_but_chances(space, seed):
    if any(isinstance(one.domain, Choice) for one in space.decisions.values()):
        weighted, one = with_priors(space, {"*": {}}), space.sample(strategies.generator(seed))
        assert list(weighted.decisions) == list(space.decisions)
        assert weighted.architecture(one) == one
        assert weighted.identity(one) == space.identity(one)
        assert with_priors(weighted, {"*": {}}).tree == weighted.tree


def test_the_last_path_that_fits_counts_and_what_it_does_not_name_keeps_its_weight():
    once = with_priors(LETTERS, {"*": {"a": 5.0}, "v": {"b": 3.0}})
    assert once.decisions["u"].domain.weights == (5.0, 1.0, 1.0)
    assert once.decisions["v"].domain.weights == (1.0, 3.0, 1.0)
    twice = with_priors(once, {"u": {"c": 2.0}})
    assert twice.decisions["u"].domain.weights == (5.0, 1.0, 2.0)


def test_equivalent_networks_stay_equivalent():
    space = Space({"a": Choice((1, 2))}, canonical=lambda _: "all the same")
    weighted = with_priors(space, {"a": {1: 2.0}})
    one, other = weighted
    assert weighted.identity(one) == weighted.identity(other)


@pytest.mark.parametrize(
    ("priors", "says"),
    [
        ({"opp": {"pool": 1.0}}, "no choice at the path 'opp': did you mean 'op'"),
        ({"stages.0.width": {8: 2.0}}, r"did you mean 'stages\.\*\.width'"),
        ({"stages.*.depth": {1: 2.0}}, "no choice at the path"),
        ({"op": {"pol": 1.0}}, "no option of op 'pol': did you mean 'pool'"),
        ({"op": {"pool": 0.0}}, "above zero"),
        ({"op": {"pool": math.inf}}, "finite"),
    ],
)
def test_priors_that_mean_nothing_are_refused(priors, says):
    with pytest.raises(SpaceError, match=says):
        with_priors(SPACE, priors)


@pytest.mark.parametrize("name", ["evolution", "reinforce"])
def test_searchers_follow_the_priors(name):
    """Of proposals drawn or mutated under weights 8:1:1, most take the favoured option."""
    space = with_priors(LETTERS, {"*": {"b": 8.0}})
    options = {"population_size": 5} if name == "evolution" else {"learning_rate": 1e-9}
    counts = Counter()
    for seed in range(10):
        run = strategies.Search(make(name, space, options), seed=seed, trials=15, failing=0)
        for event in run.run():
            if isinstance(event, Started):
                counts.update(event.architecture.values())
    assert counts["b"] > 0.5 * counts.total()


# The whole way


def test_a_run_begins_with_what_another_found_and_keeps_it(tmp_path):
    """Even if the other run is deleted before this one is taken up again."""
    old, new = tmp_path / "old", tmp_path / "new"
    history = a_run(old, mlp.SPACE, failing=0)
    best = [dict(one) for one in starting_points(old, mlp.SPACE)]
    assert best[0] == dict(history.best.architecture)
    search = ("search", "--space", "mlp", "--start-from", old, "--trials", 1, "--output", new)
    more = ("--scheduler", "none", "--epochs", 1, "--set", "prior.activation={Tanh: 3}")
    with in_process.without_ray():
        status, _, errors = called(*search, *more)
        assert status == 0, errors
        shutil.rmtree(old)
        status, _, errors = called("resume", new, "--trials", 3)
    assert status == 0, errors
    begun = [one["architecture"] for one in events(new) if one["event"] == "started"]
    assert begun == best[:3]
