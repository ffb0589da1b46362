"""The penalty for skips of ENAS: its gradient, and what it does to a controller."""

from functools import partial

import numpy as np
import pytest

from raynas.errors import SpaceError
from raynas.oneshot.methods.enas import ENAS
from raynas.oneshot.methods.skips import SkipPenalty, density, skips_of
from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.relaxation import plain
from raynas.searchers.controller.learning import Learnt
from raynas.searchers.controller.policy import Policy
from raynas.space import Choice, Space
from search_spaces import nasbench201, textnas

SKIPS = Space(
    {
        "layer_0": {"operation": Choice(("a", "b", "c"))},
        "layer_1": {"operation": Choice(("a", "b")), "skip_0": Choice((True, False))},
        "layer_2": {f"skip_{at}": Choice((False, True), (1, 3)) for at in range(2)},
    }
)


def test_skips_are_known_by_their_names():
    assert skips_of(SKIPS) == ["layer_1.skip_0", "layer_2.skip_0", "layer_2.skip_1"]
    assert len(skips_of(textnas.SPACE)) == 15
    assert not skips_of(nasbench201.SPACE)
    assert not skips_of(Space({"skip_0": Choice((0, 1, 2)), "skipped": Choice((False, True))}))


def test_the_gradient_of_the_penalty_is_that_of_finite_differences():
    """Against the definition: over layers the mean, over a layer's skips the sum of distances."""
    policy = Policy(SKIPS, 8, 1.3, 1.1)
    batch = policy.vocabulary.batch([SKIPS.sample(np.random.default_rng(at)) for at in range(4)])
    parameters = 5 * policy.initial(np.random.default_rng(0))

    def penalty(at):
        probs = policy.forward(at, batch).probs
        total = 0.0
        for path in skips_of(SKIPS):
            (those,) = (
                part
                for span, _, part in batch.alike
                if span.start == policy.vocabulary.spans[path].start
            )
            values = SKIPS.decisions[path].domain.values()
            for pair in probs[those].reshape(-1, 2):
                goal = [0.4 if value else 0.6 for value in values]
                total += sum(p * np.log(p / q) for p, q in zip(pair, goal, strict=True))
        return 0.8 * total / 2 / 4

    passed = policy.forward(parameters, batch)
    more = SkipPenalty(skips_of(SKIPS), 0.8, 0.4).gradient(policy.vocabulary, batch, passed.probs)
    found = policy.gradient(parameters, batch, passed, np.zeros(4), more)
    for at in np.random.default_rng(1).integers(policy.size, size=40):
        one, other = parameters.copy(), parameters.copy()
        one[at] += 1e-5
        other[at] -= 1e-5
        assert found[at] == pytest.approx((penalty(other) - penalty(one)) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("target", [0.2, 0.7])
def test_without_other_rewards_skips_are_as_frequent_as_the_target(target):
    made = ENAS(skip_weight=0.8, skip_target=target, entropy_weight=0.0, aggregate=10)
    made._policy = Policy(SKIPS, 16, 1.0, 1.5)
    made._learnt = Learnt.nothing(made._policy.initial(np.random.default_rng(0)))
    made._rate = 0.05
    rng = np.random.default_rng(1)
    for _ in range(200):
        draw = made._policy.drawer(made._learnt.parameters)
        made.learn([draw(rng) for _ in range(10)], [0.5] * 10)
    draw = made._policy.drawer(made._learnt.parameters)
    drawn = [draw(rng) for _ in range(1000)]
    assert density(skips_of(SKIPS), drawn) == pytest.approx(target, abs=0.05)


def test_a_space_without_skips_is_refused_if_they_have_a_penalty():
    build = partial(nasbench201.build, input_shape=(1, 8, 8), outputs=5, channels=4, cells=1)
    supernet = MixedSupernet(build, nasbench201.SPACE, plain(nasbench201.SPACE))
    ENAS().check(supernet, None)
    with pytest.raises(SpaceError, match=r"skip_weight needs decisions .* the space has none"):
        ENAS(skip_weight=0.8).check(supernet, None)
