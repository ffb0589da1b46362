"""What is done with a space: sample, mutate, cross, look around; checked on random spaces."""

import math
from collections import Counter
from itertools import islice

import pytest
import strategies
from hypothesis import assume, given
from scipy.stats import chisquare, kstest, norm

from raynas.errors import SpaceError
from raynas.space import Architecture, Choice, Float, Int, Repeat, Space
from raynas.space.nodes import Domain

SHIPPED = strategies.shipped_spaces()
# A chance of one in ten thousand under the hypothesis that is tested; the seeds are fixed.
UNLIKELY = 1e-4


def differing(one, other):
    """The decisions both have made, differently."""
    return {path for path in one if path in other and one[path] != other[path]}


def inherited(child, path, *parents):
    return any(path in parent and parent[path] == child[path] for parent in parents)


@given(strategies.spaces(), strategies.seeds())
def test_samples_are_valid_and_follow_the_generator_only(space, seed):
    architecture = space.sample(strategies.generator(seed))
    assert space.architecture(architecture) == architecture
    assert space.sample(strategies.generator(seed)) == architecture


@given(strategies.spaces(), strategies.seeds())
def test_a_mutation_changes_one_decision_and_draws_what_that_activates(space, seed):
    assume(space.size > 1)
    rng = strategies.generator(seed)
    parent = space.sample(rng)
    child = space.mutate(parent, rng)
    assert space.architecture(child) == child
    (changed,) = differing(parent, child)
    for path in child.keys() - parent.keys():
        assert path.startswith(f"{changed}.")
    for path in parent.keys() - child.keys():
        assert path.startswith(f"{changed}.")


@pytest.mark.parametrize("name", SHIPPED)
def test_mutations_in_shipped_spaces_are_other_networks(name):
    space, rng = SHIPPED[name], strategies.generator(0)
    parent = space.sample(rng)
    for _ in range(100):
        child = space.mutate(parent, rng)
        assert space.architecture(child) == child
        assert space.identity(child) != space.identity(parent)
        assert len(differing(parent, child)) == 1
        parent = child


@given(strategies.spaces(), strategies.seeds())
def test_mutating_where_nothing_can_change_is_refused(space, seed):
    rng = strategies.generator(seed)
    only = space.sample(rng)
    pinned = Space(space.tree, canonical=lambda _: "all the same")
    with pytest.raises(SpaceError, match="lead to no other network of this space"):
        pinned.mutate(only, rng)


def test_a_mutation_leaves_the_class_of_equivalent_networks():
    space = Space(
        {"a": Int(0, 9), "b": Choice(("x", "y"))}, canonical=lambda arc: str(arc["a"] // 9)
    )
    parent, rng = space.architecture({"a": 0, "b": "x"}), strategies.generator(0)
    assert {space.mutate(parent, rng)["a"] for _ in range(20)} == {9}
    assert {child["a"] for child in space.neighbours(parent, rng)} == set()


@given(strategies.spaces(), strategies.seeds())
def test_a_crossover_takes_every_decision_from_a_parent(space, seed):
    rng = strategies.generator(seed)
    one, other = space.sample(rng), space.sample(rng)
    child = space.crossover(one, other, rng)
    assert space.architecture(child) == child
    assert all(inherited(child, path, one, other) for path in child)
    assert space.crossover(one, one, rng) == one


def test_a_crossover_takes_as_much_from_one_as_from_the_other():
    space = Space({name: Choice((1, 2)) for name in "abcdefgh"})
    one, other = (Architecture(dict.fromkeys("abcdefgh", value)) for value in (1, 2))
    rng = strategies.generator(0)
    taken = [value for _ in range(500) for value in space.crossover(one, other, rng).values()]
    assert fits(taken, {1: 1, 2: 1})


@given(strategies.spaces(), strategies.seeds())
def test_neighbours_are_valid_and_one_decision_away(space, seed):
    rng = strategies.generator(seed)
    centre = space.sample(rng)
    found = list(space.neighbours(centre, rng))
    for neighbour in found:
        assert space.architecture(neighbour) == neighbour
        (changed,) = differing(centre, neighbour)
        assert all(path.startswith(changed) for path in neighbour.keys() ^ centre.keys())
    assert len(found) == sum(steps(space.decisions[p].domain, v) for p, v in centre.items())


def steps(domain, value):
    """How many steps lead away from a value."""
    if isinstance(domain, Choice):
        return domain.count - 1
    shares = (0.1,) if isinstance(domain, Int) else (0.1, 0.02)
    moved = {domain.at(domain.unit(value) + sign * share) for share in shares for sign in (-1, 1)}
    if isinstance(domain, Int):
        moved |= {
            one for one in (value - domain.step, value + domain.step) if domain.contains(one)
        }
    return len(moved - {value})


def test_neighbours_of_a_choice_space_are_all_single_exchanges():
    space = Space({name: Choice((1, 2, 3)) for name in "abcd"})
    centre = Architecture(dict.fromkeys("abcd", 1))
    expected = {other for other in space if len(differing(centre, other)) == 1}
    assert set(space.neighbours(centre, strategies.generator(0))) == expected


@given(strategies.spaces(finite=True), strategies.seeds())
def test_identity_tells_architectures_apart_and_nothing_else(space, seed):
    assume(space.size <= 500)
    identities = {space.identity(architecture) for architecture in space}
    assert len(identities) == space.size
    architecture = space.sample(strategies.generator(seed))
    written_anew = space.architecture(dict(sorted(architecture.items(), reverse=True)))
    assert space.identity(written_anew) == space.identity(architecture)
    assert space.identity(space.from_json(architecture.to_json())) == space.identity(architecture)


def test_identity_is_the_same_in_every_version():
    """Journals hold identities: changing them makes finished trials unknown."""
    space = Space({"op": Choice({"conv": Choice((3, 5)), "pool": None}), "lr": Float(0, 1)})
    pool = space.architecture({"op": "pool", "lr": 0.5})
    assert space.identity(pool) == "2ba1124fa0e8375b"
    assert (
        Space(space.tree, canonical=lambda arc: str(arc["op"])).identity(pool)
        == "aa044085610e8364"
    )


@given(strategies.spaces(), strategies.seeds())
def test_json_brings_back_the_same_architecture(space, seed):
    architecture = space.sample(strategies.generator(seed))
    back = space.from_json(architecture.to_json())
    assert back == architecture
    assert list(map(type, back.values())) == list(map(type, architecture.values()))


# Distributions


def draws(node, count=4000):
    space, rng = Space({"x": node}), strategies.generator(7)
    return [space.sample(rng)["x"] for _ in range(count)]


def mutations(node, value, count=4000):
    space, rng = Space({"x": node}), strategies.generator(7)
    parent = space.architecture({"x": value})
    return [space.mutate(parent, rng)["x"] for _ in range(count)]


def fits(drawn, shares):
    """Compare counts with expected shares by a chi-square test."""
    counts = Counter(drawn)
    assert counts.keys() <= shares.keys()
    total = math.fsum(shares.values())
    expected = [len(drawn) * share / total for share in shares.values()]
    return chisquare([counts[value] for value in shares], expected).pvalue > UNLIKELY


def test_options_are_drawn_by_their_weights():
    assert fits(draws(Choice(("a", "b", "c"))), {"a": 1, "b": 1, "c": 1})
    assert fits(draws(Choice(("a", "b", "c"), (1, 2, 5))), {"a": 1, "b": 2, "c": 5})
    branches = Choice({"a": Int(1, 2), "b": None}, (1, 9))
    assert fits(draws(branches), {"a": 1, "b": 9})


def test_mutations_follow_the_weights_of_the_other_options():
    assert fits(mutations(Choice(("a", "b", "c")), "a"), {"b": 1, "c": 1})
    assert fits(
        mutations(Choice(("a", "b", "c", "d"), (1, 2, 5, 3)), "b"), {"a": 1, "c": 5, "d": 3}
    )


def test_whole_numbers_are_drawn_evenly():
    assert fits(draws(Int(-2, 3)), dict.fromkeys(range(-2, 4), 1))
    assert fits(mutations(Int(-2, 3), 0), dict.fromkeys((-2, -1, 1, 2, 3), 1))
    assert fits(draws(Repeat(Choice(("a", "b")), 1, 3)), dict.fromkeys((1, 2, 3), 1))


def test_whole_numbers_with_a_step_are_drawn_evenly():
    domain = Int(8, 39, step=8)
    assert (domain.high, domain.count, [*domain.values()]) == (32, 4, [8, 16, 24, 32])
    assert fits(draws(domain), dict.fromkeys((8, 16, 24, 32), 1))
    assert fits(mutations(domain, 16), dict.fromkeys((8, 24, 32), 1))
    assert {*domain.steps(16)} == {8, 24}
    assert [domain.nearest(number) for number in (-5, 11.9, 12.1, 99)] == [8, 8, 16, 32]


def test_whole_numbers_on_a_log_scale_get_their_share_of_it():
    shares = {n: math.log((n + 0.5) / (n - 0.5)) for n in range(1, 21)}
    assert fits(draws(Int(1, 20, log=True)), shares)
    assert fits(mutations(Int(1, 20, log=True), 4), {n: shares[n] for n in shares if n != 4})


def test_real_numbers_are_drawn_evenly_on_their_scale():
    assert kstest(draws(Float(-2, 3)), lambda x: (x + 2) / 5).pvalue > UNLIKELY
    logs = [math.log10(x) for x in draws(Float(1e-4, 1, log=True))]
    assert kstest(logs, lambda x: (x + 4) / 4).pvalue > UNLIKELY


@pytest.mark.parametrize("centre", [0.0, 0.03, 0.5, 0.9, 1.0])
def test_real_numbers_mutate_by_a_normal_step_reflected_at_the_bounds(centre):
    def folded(x):
        """The normal distribution folded into [0, 1], up to the second reflection."""
        below = norm(centre, 0.2).cdf
        return sum(below(2 * k + x) - below(2 * k - x) for k in range(-2, 3))

    assert kstest(mutations(Float(0, 1), centre), folded).pvalue > UNLIKELY


def test_a_mutation_chooses_evenly_among_active_decisions():
    tree = {
        "a": Choice(("x", "y")),
        "b": Choice({"on": Choice(("x", "y")), "off": None}),
        "c": Choice(("z",)),
    }
    space, rng = Space(tree), strategies.generator(3)
    parent = space.architecture({"a": "x", "b": "on", "b.on": "x", "c": "z"})
    changed = [*(differing(parent, space.mutate(parent, rng)) for _ in range(3000))]
    assert fits([path for paths in changed for path in paths], {"a": 1, "b": 1, "b.on": 1})


@given(strategies.spaces(), strategies.seeds())
def test_numbers_keep_to_their_bounds_whatever_is_done(space, seed):
    rng = strategies.generator(seed)
    architecture = space.sample(rng)
    for path, value in architecture.items():
        domain: Domain = space.decisions[path].domain
        for other in islice(domain.others(value, rng), 20):
            assert other != value
            assert domain.contains(other)
        for near in domain.steps(value):
            assert near != value
            assert domain.contains(near)


@given(strategies.reals(), strategies.seeds())
def test_units_and_numbers_map_to_each_other(domain, seed):
    value = domain.sample(strategies.generator(seed))
    unit = domain.unit(value)
    assert 0 <= unit <= 1
    if domain.low < domain.high:
        assert domain.unit(domain.low) == 0
        assert domain.unit(domain.high) == 1
        assert abs(domain.at(unit) - value) <= 1e-9 * max(abs(domain.low), abs(domain.high))


@given(strategies.integers(), strategies.seeds())
def test_whole_numbers_come_back_from_their_units(domain, seed):
    value = domain.sample(strategies.generator(seed))
    assert domain.at(domain.unit(value)) == value
    assert (domain.at(-1), domain.at(2)) == (domain.low, domain.high)


def test_the_widest_log_scale_there_is():
    domain = Float(5e-324, 1.7e308, log=True)
    values = [domain.sample(strategies.generator(seed)) for seed in range(50)]
    assert min(values) < 1e-100
    assert max(values) > 1e100
    assert all(0 <= domain.unit(value) <= 1 for value in values)


def test_where_no_single_change_makes_another_network_several_do():
    """Two switches that act together only: from both off, one alone changes nothing."""
    switches = Space(
        {"a": Choice(("on", "off")), "b": Choice(("on", "off")), "x": Float(0, 1)},
        canonical=lambda one: str(one["x"]) if one["a"] == one["b"] == "on" else "off",
    )
    off = switches.architecture({"a": "off", "b": "off", "x": 0.5})
    for seed in range(50):
        assert switches.identity(switches.mutate(off, strategies.generator(seed))) != "off"
