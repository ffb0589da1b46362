"""Controllers beside autograd, beside sums over all architectures, and beside chance."""

import math
from collections import Counter
from functools import partial

import numpy as np
import pytest
import strategies
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest, rankdata

from raynas.errors import ConfigError
from raynas.searchers import make
from raynas.searchers.controller.learning import Learnt, rewarded
from raynas.searchers.controller.policy import Policy
from raynas.searchers.controller.tokens import tokens
from raynas.searchers.controller.vocabulary import Vocabulary
from raynas.searchers.ppo import clipped
from raynas.space import Choice, Float, Int, Repeat, Space
from raynas.trial import Failed, Finished, History, Report, Started

CONDITIONAL = Space(
    {
        "op": Choice({"conv": {"k": Choice((3, 5, 7)), "g": Int(1, 2)}, "pool": None, "id": {}}),
        "stages": Repeat({"width": Choice((8, 16, 32))}, 1, 3),
        "fixed": Choice((1,)),
    }
)
EVERY = list(CONDITIONAL)  # 312 architectures

# Of a number of copies that stands for several, what follows differs under the same token.
NUMBERS = Space(
    {
        "lr": Float(1e-4, 1, log=True),
        "deep": Repeat(Int(1, 5000), 1, 40),
        "op": Choice((1, 2)),
        "far": Int(2**60, 2**60 + 3, log=True),
        "further": Int(2**61, 2**61 + 99),
    }
)


def rewards(space, seed):
    """Every decision's value adds to the reward; from 0 to 1."""
    rng = strategies.generator(seed)
    effects = {p: {v: rng.random() for v in d.domain.values()} for p, d in space.decisions.items()}
    return {
        one: float(np.mean([effects[path][value] for path, value in one.items()])) for one in space
    }


# Tokens


@given(strategies.spaces() | st.just(NUMBERS), strategies.seeds())
def test_every_value_has_a_token_and_every_token_values(space, seed):
    rng = strategies.generator(seed)
    vocabulary = Vocabulary(space)
    for path, decision in space.decisions.items():
        tokens, span = vocabulary.tokens[path], vocabulary.spans[path]
        count = span.stop - span.start
        assert count <= max(16, getattr(decision.domain, "count", 1))
        for token in range(count):
            value = tokens.draw(token, rng)
            assert decision.domain.contains(value)
            assert tokens.index(value) == token
        for _ in range(5):
            assert 0 <= tokens.index(decision.domain.sample(rng)) < count


@pytest.mark.parametrize(
    "domain",
    [Choice(tuple(range(200))), Choice((3, "3", None)), Int(-5, 10), Int(1, 16, log=True)],
)
def test_options_and_few_numbers_are_tokens_of_their_own(domain):
    made = tokens(domain)
    assert [made.index(value) for value in domain.values()] == list(range(domain.count))
    rng = strategies.generator(0)
    drawn = [made.draw(token, rng) for token in range(domain.count)]
    assert drawn == list(domain.values())
    assert [*map(type, drawn)] == [*map(type, domain.values())]


@pytest.mark.parametrize(
    "domain", [Float(-3, 5), Float(1e-5, 10, log=True), Int(1, 2**40), Int(10**6, 10**9, log=True)]
)
def test_other_numbers_are_cut_into_sixteen_even_stretches_of_their_axis(domain):
    made, rng = tokens(domain), strategies.generator(0)
    for value in (domain.sample(rng) for _ in range(500)):
        assert made.index(value) == int(16 * domain.unit(value))
    within = [[domain.unit(made.draw(token, rng)) for _ in range(200)] for token in range(16)]
    for token, units in enumerate(within):
        assert kstest(16 * np.array(units) - token, "uniform").pvalue > 1e-4, "as the prior draws"


@pytest.mark.parametrize(
    "domain",
    [Int(1, 20), Int(0, 999), Int(1, 99, log=True), Int(1, 9, log=True), Float(0.1, 0.1 + 2e-16)],
)
def test_tokens_are_as_likely_as_the_prior_draws_them(domain):
    made, rng = tokens(domain), strategies.generator(0)
    shares = np.exp(made.log_weights) / np.exp(made.log_weights).sum()
    found = np.bincount(
        [made.index(domain.sample(rng)) for _ in range(5000)], minlength=len(shares)
    )
    if isinstance(domain, Int):  # reals that nearly meet are whole by chance of their rounding
        assert chisquare(found, 5000 * shares).pvalue > 1e-4
    assert (found > 0).all()


# The network


def log_probs_by_torch(policy, parameters, architectures):
    """Written anew on torch's own LSTM cell, one architecture after the other."""
    shapes = [part.shape for part in policy.weights(np.zeros(policy.size))]
    parts = torch.split(parameters, [math.prod(shape) for shape in shapes])
    inputs, recurrent, heads, bias = map(torch.reshape, parts, shapes)
    gates = [torch_order(block, policy.units) for block in (inputs, recurrent)]
    return torch.stack([log_prob(policy, gates, heads, bias, one) for one in architectures])


def torch_order(block, units):
    """Input, forget, output, cell as torch has them: input, forget, cell, output."""
    i, f, o, g = torch.split(block, units, dim=1)
    return torch.cat([i, f, g, o], dim=1).T


def log_prob(policy, gates, heads, bias, architecture):
    state = cell = heads.new_zeros(1, policy.units)
    row, total = 0, heads.new_zeros(())
    for path, value in architecture.items():
        tokens, span = policy.vocabulary.tokens[path], policy.vocabulary.spans[path]
        one_hot = heads.new_zeros(1, gates[0].shape[1])
        one_hot[0, row] = 1.0
        state, cell = torch.lstm_cell(one_hot, (state, cell), *gates)
        logits = (heads[span] @ state[0] + bias[span]) / policy.temperature
        if policy.tanh_constant is not None:
            logits = policy.tanh_constant * torch.tanh(logits)
        logits = logits + torch.tensor(tokens.log_weights)
        token = tokens.index(value)
        total = total + torch.log_softmax(logits, dim=0)[token]
        row = 1 + span.start + token
    return total


@settings(max_examples=25)
@given(
    strategies.spaces() | st.just(NUMBERS),
    strategies.seeds(),
    st.floats(0.5, 5),
    st.none() | st.floats(0.5, 3),
)
def test_log_probabilities_and_their_gradient_are_torchs(space, seed, temperature, bound):
    policy, rng = Policy(space, 5, temperature, bound), strategies.generator(seed)
    parameters = 5 * policy.initial(rng)  # large enough for every curve to be curved
    draw = policy.drawer(parameters)
    batch = [draw(rng) for _ in range(4)]
    credit = rng.normal(size=4)
    expected = torch.tensor(parameters, requires_grad=True)
    log_probs = log_probs_by_torch(policy, expected, batch)
    (log_probs @ torch.tensor(credit)).backward()
    tokens = policy.vocabulary.batch(batch)
    passed = policy.forward(parameters, tokens)
    gradient = policy.gradient(parameters, tokens, passed, credit)
    assert passed.log_probs == pytest.approx(log_probs.detach().numpy(), abs=1e-10)
    assert gradient == pytest.approx(expected.grad.numpy(), abs=1e-10)


def trained(policy, scale=10.0):
    return scale * policy.initial(strategies.generator(1))


def probabilities(policy, parameters, architectures):
    batch = policy.vocabulary.batch(architectures)
    return np.exp(policy.forward(parameters, batch).log_probs)


def test_it_draws_what_it_says_it_draws():
    policy = Policy(CONDITIONAL, 8, tanh_constant=1.0)
    parameters, rng = trained(policy), strategies.generator(0)
    shares = probabilities(policy, parameters, EVERY)
    assert shares.sum() == pytest.approx(1)
    assert shares.max() > 5 * shares.min(), "not uniform, so that there is something to see"
    draw = policy.drawer(parameters)
    drawn = [draw(rng) for _ in range(20_000)]
    counts = np.array([drawn.count(one) for one in EVERY])
    often = shares * len(drawn) > 5
    counts = [*counts[often], counts[~often].sum()]
    shares = [*shares[often], shares[~often].sum()]
    assert chisquare(counts, len(drawn) * np.array(shares)).pvalue > 1e-4


def test_of_numbers_it_draws_the_stretch_with_the_probability_that_it_says():
    space = Space({"op": Choice(("a", "b")), "lr": Float(1e-4, 1, log=True)})
    policy = Policy(space, 8, tanh_constant=1.0)
    parameters, rng = trained(policy), strategies.generator(0)
    draw, index = policy.drawer(parameters), policy.vocabulary.tokens["lr"].index
    drawn = [draw(rng) for _ in range(20_000)]
    one_of_each = {(one["op"], index(one["lr"])): one for one in drawn}
    shares = probabilities(policy, parameters, [*one_of_each.values()])
    assert shares.sum() == pytest.approx(1), "the probability is that of the stretch"
    assert shares.max() > 2 * shares.min()
    counts = Counter((one["op"], index(one["lr"])) for one in drawn)
    expected = len(drawn) * shares
    assert chisquare([counts[key] for key in one_of_each], expected).pvalue > 1e-4


def test_a_controller_that_knows_nothing_draws_from_the_prior():
    space = Space({"a": Choice((1, 2), (1, 5)), "b": Choice({"x": Int(0, 3), "y": None}, (2, 1))})
    policy = Policy(space, 4)
    found = probabilities(policy, np.zeros(policy.size), list(space))
    expected = [
        (1 / 6 if one["a"] == 1 else 5 / 6) * (2 / 12 if one["b"] == "x" else 1 / 3)
        for one in space
    ]
    assert found == pytest.approx(expected)


# Learning


def test_steps_uphill_are_those_of_adam():
    rng = strategies.generator(0)
    theirs = torch.nn.Parameter(torch.tensor(rng.normal(size=7)))
    adam = torch.optim.Adam([theirs], lr=0.1, betas=(0.0, 0.999), maximize=True)
    ours = Learnt.nothing(theirs.detach().numpy().copy())
    for _ in range(20):
        gradient = rng.normal(size=7)
        theirs.grad = torch.tensor(gradient)
        adam.step()
        ours = ours.uphill(gradient, 0.1)
    assert ours.parameters == pytest.approx(theirs.detach().numpy(), abs=1e-12)


def test_rewards_are_where_a_score_stands_among_all_so_far():
    root, none = 3**0.5, np.zeros(3)
    alone = rewarded([(-1, 0.2), (-1, 0.4), (-1, 0.3)], none, 0.0, ())
    assert alone == pytest.approx([root * 2 / 3, -root * 2 / 3, 0.0])
    longer = rewarded([(-2, 9.0)], none[:1], 0.0, [(-1, 0.1), (-1, 0.2), (-1, 0.3)])
    assert longer == pytest.approx([root * 3 / 4]), "what went on longer is better"
    same = rewarded([(-1, 0.1), (-1, 0.1)], none[:2], 0.0, [(-1, 0.1)])
    assert same.tolist() == [0.0, 0.0]


@given(strategies.seeds())
def test_chance_has_a_reward_of_mean_0_and_deviation_1_on_any_scale(seed):
    rng = strategies.generator(seed)
    losses = rng.normal(size=400) ** 3
    found = rewarded([(-1, loss) for loss in losses], np.zeros(400), 0.0, ())
    assert found.mean() == pytest.approx(0, abs=1e-9)
    assert found.std() == pytest.approx(1, abs=1e-2)
    scaled = rewarded([(-1, 1e6 * loss + 5) for loss in losses], np.zeros(400), 0.0, ())
    assert (scaled == found).all()


def test_what_was_unlikely_is_worth_more():
    found = rewarded([(-1, 0.5)] * 2, np.array([-1.0, -3.0]), 0.1, ())
    assert found == pytest.approx([-0.1, 0.1])


def enumerated(policy, parameters, quality, entropy_weight):
    """The gradient of what is to be expected, by autograd through a sum over everything."""
    inputs = torch.tensor(parameters, requires_grad=True)
    log_probs = log_probs_by_torch(policy, inputs, EVERY)
    reward = torch.tensor([quality[one] for one in EVERY])
    (log_probs.exp() * (reward - entropy_weight * log_probs)).sum().backward()
    return inputs.grad.numpy()


def within_three_errors(samples, expected):
    """Compare the mean of samples (``[samples, parameters]``) along a few random directions."""
    directions = strategies.generator(3).normal(size=(len(expected), 8))
    along, truth = samples @ directions, expected @ directions
    error = along.std(axis=0, ddof=1) / len(along) ** 0.5
    assert (np.abs(truth) > 3 * error).any(), "the samples are too few to tell anything"
    return (np.abs(along.mean(axis=0) - truth) < 3 * error).all()


def test_the_policy_gradient_without_a_baseline_is_that_of_the_expected_reward():
    policy, quality = Policy(CONDITIONAL, 6), rewards(CONDITIONAL, 0)
    parameters, rng = trained(policy, 5), strategies.generator(1)
    draw, samples = policy.drawer(parameters), []
    for _ in range(400):
        drawn = [draw(rng) for _ in range(20)]
        batch = policy.vocabulary.batch(drawn)
        passed = policy.forward(parameters, batch)
        credit = np.array([quality[one] for one in drawn]) / len(drawn)
        samples.append(policy.gradient(parameters, batch, passed, credit))
    assert within_three_errors(np.array(samples), enumerated(policy, parameters, quality, 0.0))


def finished(history, architecture, reward, space=CONDITIONAL):
    number = len(history.trials)
    history.apply(Started(number, architecture, space.identity(architecture), 1, seed=0))
    history.apply(Report(number, 1, {"val_accuracy": reward}))
    history.apply(Finished(number))


def standing(policy, parameters, quality):
    """Where each architecture stands among what the controller draws, by a sum over everything."""
    shares = probabilities(policy, parameters, EVERY)
    values = np.array([quality[one] for one in EVERY])
    worse, alike = values < values[:, None], values == values[:, None]
    return dict(zip(EVERY, 3**0.5 * (2 * (worse + alike / 2) @ shares - 1), strict=True))


@pytest.mark.parametrize("baseline", [0.0, 0.5])
def test_reinforce_climbs_the_gradient_of_the_standing_expected(baseline):
    """With the entropy in the reward, whatever the baseline."""
    options = {"units": 6, "batch_size": 20, "entropy_weight": 0.1, "tanh_constant": None}
    searcher, quality = make("reinforce", CONDITIONAL, options), rewards(CONDITIONAL, 0)
    begun = searcher._begin()._replace(baseline=baseline)
    rng = strategies.generator(1)
    parameters, samples = begun.learnt.parameters, []
    draw = searcher._policy.drawer(parameters)
    for _ in range(400):
        history = History()
        for _ in range(20):
            drawn = draw(rng)
            finished(history, drawn, quality[drawn])
        samples.append(searcher._gradient(begun._replace(waiting=tuple(history.finished)))[0])
    # Each is compared with itself as well, so that only 19 of 20 count.
    worth = standing(searcher._policy, parameters, quality)
    expected = enumerated(searcher._policy, parameters, worth, 0.1) * 19 / 20
    assert within_three_errors(np.array(samples), expected)


def loss(ratio, advantage, clip):
    kept = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    return kept.sum()


@given(strategies.seeds(), st.floats(0.05, 0.5))
def test_the_clipped_gradient_is_that_of_the_clipped_objective(seed, clip):
    rng = strategies.generator(seed)
    log_ratio = torch.tensor(rng.normal(0, 0.5, size=30), requires_grad=True)
    advantage = rng.normal(size=30)
    loss(log_ratio.exp(), torch.tensor(advantage), clip).backward()
    ratio = np.exp(log_ratio.detach().numpy())
    assert clipped(ratio, advantage, clip) == pytest.approx(log_ratio.grad.numpy())


def test_clipping_does_nothing_at_ratio_one_and_stops_what_went_too_far():
    advantage = np.array([2.0, -3.0])
    assert clipped(np.ones(2), advantage, 0.2).tolist() == advantage.tolist()
    assert clipped(np.array([1.3, 0.7]), advantage, 0.2).tolist() == [0.0, 0.0]
    assert (clipped(np.array([0.7, 1.3]), advantage, 0.2) != 0).all(), "the wrong way: come back"


@pytest.mark.parametrize(("seed", "workers", "batch_size"), [(0, 1, 3), (1, 4, 2), (2, 9, 5)])
def test_ppo_knows_with_which_probability_a_trial_was_drawn(seed, workers, batch_size):
    """However late it finishes; beside a note taken when it was drawn."""
    options = {"units": 4, "batch_size": batch_size}
    run = strategies.Search(
        make("ppo", CONDITIONAL, options), seed=seed, trials=60, workers=workers, scheduler="asha"
    )
    notes, checked, stale = {}, 0, 0
    for i, event in enumerate(run.run()):
        if not isinstance(event, Started):
            continue
        state = make("ppo", CONDITIONAL, options)._state.after(strategies.replay(run.events[:i]))
        found = probabilities(run.searcher._policy, state.learnt.parameters, [event.architecture])
        for number, log_prob in state.log_probs.items():
            assert log_prob == pytest.approx(notes[number][0], abs=1e-9)
            checked += 1
            stale += notes[number][1] < state.learnt.steps - 4
        notes[event.number] = math.log(found[0]), state.learnt.steps
    assert checked or workers == 1
    assert stale or workers < 5, "some were drawn by the controller before the last"


def ppo_by_torch(policy, parameters, trials, options):
    """The update of the first batch, by autograd and torch's Adam."""
    weights = torch.nn.Parameter(torch.tensor(parameters))
    adam = torch.optim.Adam(
        [weights], lr=options["learning_rate"], betas=(0.0, 0.999), maximize=True
    )
    architectures = [trial.architecture for trial in trials]
    log_probs_of = partial(log_probs_by_torch, policy, architectures=architectures)
    drawn = log_probs_of(weights).detach()
    losses = np.array([trial.loss for trial in trials])
    above = 3**0.5 * (1 - 2 * (rankdata(losses) - 0.5) / len(losses))
    above = torch.tensor(above) - options["entropy_weight"] * (drawn - drawn.mean())
    for _ in range(options["passes"]):
        adam.zero_grad()
        ratio = (log_probs_of(weights) - drawn).exp()
        (loss(ratio, above, options["clip"]) / len(above)).backward()
        adam.step()
    return weights.detach().numpy()


def test_ppo_updates_as_autograd_would():
    options = {"learning_rate": 0.05, "entropy_weight": 0.01, "passes": 5, "clip": 0.1}
    searcher = make("ppo", CONDITIONAL, {"units": 5, "batch_size": 8, **options})
    parameters, rng = searcher._begin().learnt.parameters, strategies.generator(0)
    history = History()
    quality = rewards(CONDITIONAL, 0)
    for _ in range(8):
        drawn = searcher._policy.drawer(parameters)(rng)
        finished(history, drawn, quality[drawn])
    expected = ppo_by_torch(searcher._policy, parameters, history.finished, options)
    found = searcher._state.after(history).learnt.parameters
    assert np.abs(found - parameters).max() > 0.05
    assert found == pytest.approx(expected, abs=1e-6)


# Searching


def learn(name, reward_of, trials, seed):
    """Let a controller learn; return the probabilities of all architectures."""
    searcher, history = make(name, CONDITIONAL), History()
    for number in range(trials):
        rng = np.random.default_rng((seed, number))
        drawn = searcher.propose(history, rng).architecture
        finished(history, drawn, reward_of(drawn, rng))
    parameters = searcher._state.after(history).learnt.parameters
    return probabilities(searcher._policy, parameters, EVERY)


@pytest.mark.parametrize("name", ["reinforce", "ppo"])
def test_it_finds_what_adds_up(name):
    for seed in range(6):
        quality = rewards(CONDITIONAL, seed)
        shares = learn(name, lambda one, _, q=quality: q[one], 400, seed)
        expected = shares @ [quality[one] for one in EVERY]
        assert expected >= 0.95 * max(quality.values())


@pytest.mark.parametrize("name", ["reinforce", "ppo"])
def test_from_chance_it_learns_nothing(name):
    """Rewards shuffled among the trials leave it about where it began; real ones do not."""
    entropy = {"shuffled": [], "real": []}
    for seed in range(6):
        quality = rewards(CONDITIONAL, seed)
        values = [*quality.values()]
        given = {
            "shuffled": lambda _, rng, v=values: v[int(rng.integers(len(v)))],
            "real": lambda one, _, q=quality: q[one],
        }
        for kind, reward_of in given.items():
            shares = learn(name, reward_of, 300, seed)
            entropy[kind].append(-shares @ np.log(shares))
    blind = probabilities(Policy(CONDITIONAL, 1), np.zeros(Policy(CONDITIONAL, 1).size), EVERY)
    at_first = -blind @ np.log(blind)
    assert np.mean(entropy["shuffled"]) > 0.8 * at_first  # a single run may drift further
    assert max(entropy["real"]) < 0.6 * at_first


@pytest.mark.parametrize("name", ["reinforce", "ppo"])
def test_a_score_that_is_no_number_teaches_nothing(name):
    searcher, history = make(name, CONDITIONAL, {"batch_size": 1}), History()
    before = searcher._state.after(history).learnt
    for reward in (math.nan, math.inf):
        finished(history, EVERY[0], reward)
    assert searcher._state.after(history).learnt is before
    searcher.propose(history, strategies.generator(0))


@pytest.mark.parametrize("name", ["reinforce", "ppo"])
def test_from_failed_trials_nothing_is_learnt(name):
    searcher, history = make(name, CONDITIONAL, {"batch_size": 2}), History()
    finished(history, EVERY[0], 0.1)
    before = searcher._state.after(history)
    for number in range(1, 5):
        history.apply(Started(number, EVERY[number], "same", 1, seed=0))
        history.apply(Failed(number, "does not fit"))
    assert searcher._state.after(history) is before
    finished(history, EVERY[9], 0.2)
    assert searcher._state.after(history).learnt.steps > 0


@pytest.mark.parametrize("name", ["reinforce", "ppo"])
def test_what_the_journal_answers_counts_like_any_draw(name):
    """As if it had been trained again, with the same result."""
    trained, answered = History(), History()
    for number, architecture in enumerate([EVERY[0], EVERY[9], EVERY[0], EVERY[9]]):
        finished(trained, architecture, 0.1 * (architecture == EVERY[9]))
        if number < 2:
            finished(answered, architecture, 0.1 * (architecture == EVERY[9]))
        else:
            answered.apply(Started(number, architecture, "same", 1, seed=0))
            answered.apply(Finished(number, answered_by=number - 2))
    found = [
        make(name, CONDITIONAL, {"batch_size": 4})._state.after(history).learnt
        for history in (trained, answered)
    ]
    assert found[0].steps > 0
    assert (found[0].parameters == found[1].parameters).all()


@pytest.mark.parametrize("failing", [0.0, 0.6])
def test_ppo_keeps_no_note_of_what_will_never_finish(failing):
    options = {"units": 4, "batch_size": 3}
    run = strategies.Search(
        make("ppo", CONDITIONAL, options), trials=150, workers=5, failing=failing
    )
    fold, history, most = make("ppo", CONDITIONAL, options)._state, History(), 0
    for event in run.run():
        history.apply(event)
        most = max(most, len(fold.after(history).log_probs))
    assert 0 < most <= 5, "what ran when the controller changed last"


@pytest.mark.parametrize("name", ["reinforce", "ppo"])
def test_numbers_are_learnt(name):
    """A valley on a logarithmic axis: what is drawn in the end lies far deeper than the prior."""
    space = Space(
        {"lr": Float(1e-5, 1, log=True), "width": Int(1, 5000), "op": Choice(("a", "b", "c"))}
    )
    searcher, history, rng = make(name, space), History(), strategies.generator(0)

    def depth(one):
        domains = {path: space.decisions[path].domain for path in ("lr", "width")}
        return -sum(abs(domain.unit(one[path]) - 0.3) for path, domain in domains.items())

    for _ in range(400):
        drawn = searcher.propose(history, rng).architecture
        finished(history, drawn, depth(drawn), space)
    found = [depth(trial.architecture) for trial in history.finished[-50:]]
    assert np.mean(found) > 0.5 * np.mean([depth(space.sample(rng)) for _ in range(500)])


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("reinforce", {"units": 0}, "units >= 1, got 0"),
        ("reinforce", {"learning_rate": 0.0}, "learning_rate > 0"),
        ("ppo", {"batch_size": 0}, "batch_size >= 1"),
        ("reinforce", {"entropy_weight": -1.0}, "entropy_weight >= 0"),
        ("reinforce", {"temperature": 0.0}, "temperature > 0"),
        ("ppo", {"tanh_constant": 0.0}, "tanh_constant > 0"),
        ("ppo", {"passes": 0}, "passes >= 1"),
        ("ppo", {"clip": 0.0}, "clip > 0"),
    ],
)
def test_options_out_of_range_are_refused(name, options, says):
    with pytest.raises(ConfigError, match=says):
        make(name, CONDITIONAL, options)
