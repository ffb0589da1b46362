"""Shares of a cluster: what a trial gets, what fits beside it, and which one starts."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from raynas.data import Data, Split
from raynas.errors import ConfigError, ResourceError
from raynas.execution.admission import Admission
from raynas.execution.gpu_device import GPUDevice
from raynas.execution.memory_prediction import MemoryPredictor, estimator
from raynas.execution.packing import FreeResources, Resources, Shares, read_resources
from raynas.experiment.check.at_once import at_once, running
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.briefs import builder
from raynas.experiment.resolve.resolved import resolve
from raynas.rng import training_seed
from raynas.space import Architecture
from raynas.tasks import Source
from raynas.tasks.digits import Digits
from raynas.training.recipe import Recipe
from raynas.trial import History, Report, Retried, Started, Trial
from search_spaces import mlp, nasbench201

GIB = 2**30
PARTS = [0.0625, 0.1, 0.125, 0.25, 1 / 3, 0.5, 0.7, 1.0, 2.0]

nodes = st.lists(
    st.builds(Resources, st.integers(0, 8).map(float), st.integers(0, 3).map(float)),
    min_size=1,
    max_size=3,
)
shares = st.builds(
    Resources,
    st.sampled_from([0.5, 1.0, 2.0]),
    st.sampled_from([0.0, *PARTS]),
    st.sampled_from([1, 1, 2, 3]),
)


def trial(number, architecture=None, **more):
    started = Started(number, Architecture(architecture or {"n": number}), f"{number:x}", 3, 0)
    return Trial(started, **more)


@given(nodes, st.lists(shares | st.integers(0, 5), max_size=40), st.none() | st.integers(1, 6))
def test_nothing_is_given_twice_and_all_is_given_back(nodes, happenings, most):
    room, empty, running = FreeResources(nodes, most), FreeResources(nodes, most), []
    for number, what in enumerate(happenings):
        if isinstance(what, int):
            if running:
                room.free(running.pop(what % len(running)))
        elif room.fits(what):
            room.take(number, what)
            running.append(number)
        else:
            with pytest.raises(ResourceError, match="not free"):
                room.take(number, what)
        taken = room.trials.values()
        assert len(taken) == len(running) <= (most or len(running))
        for amount in ("cpus", "gpus"):
            total = sum(share.workers * getattr(share, amount) for share in taken)
            assert total <= sum(getattr(node, amount) for node in nodes) + 1e-3
    for number in running:
        room.free(number)
    assert vars(room) == vars(empty)


def test_trials_of_a_node_that_left_get_the_next_room():
    one, two = {"a": Resources(1.0, 0.0)}, {"a": Resources(1.0, 0.0), "b": Resources(2.0, 1.0)}
    room, share = FreeResources(one), Resources(1.0, 0.0)
    room.take(0, share)
    room.resize(two)
    for number in (1, 2):
        room.take(number, share)
    assert room.lacking([share, Resources(1.0, 1.0)]) == [share, Resources(1.0, 1.0)]
    room.resize(one)
    assert room.trials.keys() == {0, 1, 2}  # until they fail, or run on another node
    room.free(0)
    assert not room.fits(share)
    room.free(1)
    assert not room.fits(share)
    room.free(2)
    assert vars(room) == vars(FreeResources(one))


def test_what_the_cluster_lacks_is_what_would_start():
    small, large = Resources(1.0, 0.0), Resources(4.0, 0.0)
    admission = Admission(FreeResources({}, most=4), small)
    assert admission.starved
    assert admission.lacking(3) == [small] * 3
    admission.room.resize({"a": Resources(2.0, 0.0)})
    assert admission.next(lambda: (trial(0), small)).number == 0
    assert admission.next(lambda: (trial(1), large)) is None
    assert admission.lacking(3) == [large, large]
    assert admission.lacking(1) == []


def filled(nodes, share):
    room = FreeResources(nodes)
    for number in range(1000):
        if not room.fits(share):
            return number
        room.take(number, share)
    raise AssertionError("endless")


@pytest.mark.parametrize(
    ("gpus", "count"),
    [(0.0625, 32), (0.1, 20), (1 / 3, 6), (0.4, 4), (0.5, 4), (0.7, 2), (1.0, 2), (2.0, 1)],
)
def test_a_share_lies_on_one_device(gpus, count):
    assert filled([Resources(64.0, 2.0)], Resources(1.0, gpus)) == count


def test_halves_of_halves_leave_whole_devices_free():
    room = FreeResources([Resources(64.0, 2.0)])
    for number, gpus in enumerate((0.25, 0.5, 0.125, 0.125)):
        room.take(number, Resources(1.0, gpus))
    assert room.fits(Resources(1.0, 1.0))


def test_work_without_gpus_goes_where_there_are_none():
    room = FreeResources([Resources(2.0, 1.0), Resources(2.0, 0.0)])
    room.take(0, Resources(2.0, 0.0))
    assert room.fits(Resources(2.0, 1.0))


# Admission


class Line:
    """Trials with their shares, asked for one by one."""

    def __init__(self, *gpus):
        self.left = [(trial(number), Resources(0.0, part)) for number, part in enumerate(gpus)]

    def __call__(self):
        return self.left.pop(0) if self.left else None


def begun(admission, line):
    numbers = []
    while started := admission.next(line):
        numbers.append(started.number)
    return numbers


def admission(usual=1.0, gpus=1.0):
    return Admission(FreeResources([Resources(8.0, gpus)]), Resources(0.0, usual))


def test_with_equal_shares_nobody_is_asked_for_before_there_is_room():
    line, admitted = Line(*[0.5] * 6), admission(0.5)
    assert begun(admitted, line) == [0, 1]
    assert len(line.left) == 4
    admitted.room.free(1)
    assert begun(admitted, line) == [2]
    assert len(line.left) == 3


def test_what_does_not_fit_waits_and_small_ones_go_before_it():
    line, admitted = Line(0.5, 1.0, 0.25, 0.25, 0.25), admission(0.25)
    assert begun(admitted, line) == [0, 2, 3]
    assert admitted.waiting
    for number in (0, 2, 3):
        admitted.room.free(number)
    assert begun(admitted, line) == [1]
    admitted.room.free(1)
    assert begun(admitted, line) == [4]
    assert not admitted.waiting


def test_a_large_one_is_not_overtaken_for_ever():
    line, admitted = Line(0.5, 1.0, *[0.5] * 50), admission(0.5)
    order = begun(admitted, line)
    for _ in range(60):
        running = sorted(admitted.room.trials)
        if not running:
            break
        admitted.room.free(running[0])
        order += begun(admitted, line)
    assert sorted(order) == list(range(52))
    assert order.index(1) == 9


@given(st.lists(st.sampled_from(PARTS[:-1]), max_size=30), st.data())
def test_every_trial_starts_once_and_no_worker_idles_while_one_fits(gpus, data):
    line, admitted, order = Line(*gpus), admission(0.0625, gpus=2.0), []
    while True:
        new = begun(admitted, line)
        order += new
        running = sorted(admitted.room.trials)
        if not running:
            break
        if line.left:  # the next one was asked for, unless nothing fits or two wait already
            known = {share for _, share in admitted._waiting}
            idle = any(admitted.room.fits(share) for share in admitted._known - known)
            assert not idle or len(admitted._waiting) == 2 or admitted._overtaken >= 8
        admitted.room.free(data.draw(st.sampled_from(running)))
    assert sorted(order) == list(range(len(gpus)))


# What a trial gets


def test_what_a_space_leaves_out_comes_from_the_defaults():
    default = Resources(2.0, 0.5)
    assert read_resources({}, default) == default
    assert read_resources({"gpus": 1}, default) == Resources(2.0, 1.0)
    assert read_resources({"cpus": 4, "gpus": 0}, default) == Resources(4.0, 0.0)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (None, r"must return a mapping such as \{'gpus': 0.5\}, got None"),
        ({"gpu": 1}, "no resource 'gpu': did you mean 'gpus'"),
        ({"gpus": "1"}, "gpus of a trial must be a number, got '1'"),
        ({"gpus": True}, "gpus of a trial must be a number, got True"),
        ({"gpus": -1}, "GPUs of a trial must be 0 or at least"),
        ({"cpus": float("nan")}, "CPUs of a trial must be 0 or at least"),
        ({"gpus": 1.5}, "more than one GPU must be a whole number"),
        ({"cpus": 0, "gpus": 0}, "needs CPUs or GPUs"),
    ],
)
def test_nonsense_is_named(said, says):
    with pytest.raises(ConfigError, match=says):
        read_resources(said, Resources(1.0, 0.0))


def test_more_than_any_node_has_is_named():
    two = (Resources(4.0, 1.0), Resources(8.0, 0.0))
    asks = Shares(two[0], two, asked=lambda architecture: {"cpus": 5 + architecture["n"]})
    with pytest.raises(ResourceError, match="5 CPUs and 1 GPUs on one node, but the nodes have 4"):
        asks.of(trial(0), History())
    raises = Shares(two[0], two, asked=lambda architecture: architecture["width"])
    with pytest.raises(
        ResourceError,
        match=r"resources raised KeyError: .*no decision in this architecture 'width'",
    ):
        raises.of(trial(0), History())


def test_a_word_of_the_space_wins_over_a_prediction_and_being_alone_over_both():
    node = (Resources(8.0, 1.0),)
    fraction = lambda architecture, history: 0.25  # noqa: E731, ARG005
    said = {0: {"gpus": 0.5}, 1: {"cpus": 2}}
    given = Shares(Resources(1.0, 1.0), node, lambda one: said[one["n"]], fraction)
    assert given.of(trial(0), History()) == Resources(1.0, 0.5)
    assert given.of(trial(1), History()) == Resources(2.0, 0.25)
    assert given.of(trial(0, retries=(Retried(0, "full"),)), History()) == Resources(1.0, 1.0)


# Prediction


def measured(*peaks, device=80 * GIB):
    """A history of trials by their sizes and peaks, in GiB; no peak: it did not report one."""
    history = History()
    for number, (size, peak) in enumerate(peaks):
        architecture = Architecture({"size": size})
        seed = training_seed(0, number)
        history.apply(Started(number, architecture, f"{number:x}", 3, seed))
        metrics = {"val_accuracy": 0.5}
        if peak is not None:
            metrics |= {"peak_memory": peak * GIB, "device_memory": device}
        history.apply(Report(number, 1, metrics))
    return history


PREDICTOR = MemoryPredictor(lambda architecture: architecture["size"] * GIB)


def part(size, history):
    return PREDICTOR(Architecture({"size": size}), history)


def test_the_first_trials_get_parts_of_a_device_that_is_known():
    architecture = lambda size: Architecture({"size": size})  # noqa: E731
    predictor = MemoryPredictor(PREDICTOR.estimate, GPUDevice(80 * GIB))
    parts = [predictor(architecture(size), History()) for size in (1, 8, 15, 31, 32, 1000)]
    # A quarter more than the estimate, and CUDA's context of 640 MiB, must fit.
    assert parts == [1 / 8, 1 / 4, 1 / 4, 1 / 2, 1.0, 1.0]
    assert predictor(architecture(7), measured((1, 1))) == 1 / 8
    assert predictor(architecture(7), measured((1, 3))) == 1 / 2  # by the only measurement
    assert predictor(architecture(7), measured((1, 1), device=20 * GIB)) == 1 / 2


def test_the_first_trials_get_a_device_that_is_not_known():
    for peaks in ([], [(1, None)] * 9):
        assert part(1, measured(*peaks)) == 1.0
    assert part(1, measured((1, 1))) == 1 / 8


def test_larger_children_get_larger_parts_of_the_grid():
    history = measured((1, 2), (2, 4), (4, 8))
    parts = [part(size, history) for size in (1, 2, 3, 6, 12, 30, 1000)]
    assert parts == [1 / 8, 1 / 8, 1 / 8, 1 / 4, 1 / 2, 1.0, 1.0]
    assert part(3, measured((1, 2), (2, 4), (4, 8), device=40 * GIB)) == 1 / 4


def test_what_took_more_than_thought_makes_all_larger():
    usual = [(1, 1)] * 10
    assert part(10, measured(*usual)) == 0.25
    assert part(10, measured(*usual, (1, 3))) == 0.5
    assert part(float("inf"), measured(*usual)) == 1.0


@pytest.mark.parametrize("space", [mlp, nasbench201])
def test_shipped_children_are_estimated_without_memory_and_grow_with_the_batch(space):
    data, rng = Digits().load(Source(), 0), np.random.default_rng(0)
    resident = sum(part.inputs.nbytes + part.targets.nbytes for part in (data.train, data.valid))
    build = builder(space.build, {}, data.told)
    small, large = (estimator(build, Recipe(batch_size=n), data) for n in (32, 2048))
    for _ in range(3):
        architecture = space.SPACE.sample(rng)
        assert resident < small(architecture) < large(architecture) < 2 * GIB


def rows():
    part = Split.of([[0.0] * 4] * 8, [0, 1] * 4)
    return Data(part, part, part)


def test_a_child_that_is_larger_than_this_machine_is_estimated():
    def build(_):
        sizes = [4, *[2**15] * 17, 2]
        return nn.Sequential(*(nn.Linear(one, other) for one, other in pairwise(sizes)))

    estimated = estimator(build, Recipe(), rows())(Architecture({"n": 1}))
    # Weights, momentum and gradients, and gradients once more in the pool of recordings.
    assert 16 * 4 * 4 * GIB < estimated < 16 * 6 * 4 * GIB


def test_a_build_that_looks_at_numbers_is_done_with_numbers(caplog):
    def child(rate):
        return nn.Sequential(nn.Linear(4, 64), nn.Dropout(rate), nn.Linear(64, 2))

    looking = lambda _: child(torch.linspace(0.1, 0.5, 3)[1].item())  # noqa: E731
    plain = lambda _: child(0.3)  # noqa: E731
    one, other = (
        estimator(one, Recipe(), rows())(Architecture({"n": 1})) for one in (looking, plain)
    )
    assert one == other < 2 * GIB
    assert not caplog.text


def test_weights_from_a_file_and_lazy_layers_are_estimated(tmp_path, caplog):
    torch.save(nn.Linear(4, 64).state_dict(), tmp_path / "weights.pt")

    def build(_):
        first = nn.Linear(4, 64)
        first.load_state_dict(torch.load(tmp_path / "weights.pt"))
        return nn.Sequential(first, nn.LazyLinear(2))

    assert estimator(build, Recipe(), rows())(Architecture({"n": 1})) < 2 * GIB
    assert not caplog.text


def test_precision_optimizer_and_averages_are_in_it():
    def build(_):
        return nn.Sequential(nn.Linear(4, 2**13), nn.Linear(2**13, 2**13), nn.Linear(2**13, 2))

    weights = 4 * 2**26

    def needed(device=None, **recipe):
        return estimator(build, Recipe(**recipe), rows(), device)(Architecture({"n": 1}))

    usual = needed()
    assert needed(optimizer="adamw") - usual >= weights
    assert needed(ema=0.99) - usual >= weights
    assert needed(precision="float32") < usual  # without copies of the weights in bfloat16
    assert needed(GPUDevice(GIB, bfloat16=False)) == needed(precision="float32")


def test_a_child_that_cannot_be_estimated_has_no_bounds(caplog):
    part = Split.of([[0.0]] * 4, [0, 1, 0, 1])
    data = Data(part, part, part)

    def build(*_):
        raise ValueError("no such child")

    assert estimator(build, Recipe(), data)(Architecture({"n": 1})) == float("inf")
    assert "cannot be estimated: the network cannot be built: no such child" in caplog.text


# How many trials run at once


@pytest.mark.parametrize(
    ("gpus", "count"),
    [((0.25,), 4), ((1.0,), 1), ((0.5, 0.25), 3), ((0.125,), 8), ((0.5, 1.0), 1)],
)
def test_as_many_are_forecast_at_once_as_a_search_would_run(gpus, count):
    room = FreeResources((Resources(16.0, 1.0),))
    shares = [Resources(1.0, part) for part in gpus]
    assert running(shares, room, Resources(1.0, 0.125)) == count
    assert not room.trials


def test_two_gpus_and_few_cores_and_a_limit():
    node = (Resources(6.0, 2.0),)
    usual = Resources(1.0, 0.125)
    assert running([Resources(1.0, 0.25)], FreeResources(node), usual) == 6
    assert running([Resources(1.0, 0.25)], FreeResources(node, 5), usual) == 5


def test_a_check_forecasts_the_shares_that_are_predicted():
    resolved = resolve(Experiment(space="mlp", gpus_per_trial="auto", cpus_per_trial=0.01))
    some = [resolved.space.space.sample(np.random.default_rng(n)) for n in range(3)]
    small, large = (at_once(resolved, some, 2, GPUDevice(size * GIB)) for size in (4, 80))
    assert (large.trials, large.gpus) == (16, 2 / 16)
    assert small.trials < 16
    assert small.gpus * small.trials == 2
    halves = resolve(Experiment(space="mlp", gpus_per_trial=0.5, cpus_per_trial=0.01))
    assert at_once(halves, some, 2, None).trials == 4
