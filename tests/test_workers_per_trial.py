"""Trials that several processes train together, against one process; and what is refused."""

import json
from contextlib import closing
from dataclasses import asdict
from itertools import islice

import pytest
import torch
import worker_cases as cases
from command import called
from ray_runs import run_twice

import raynas
from raynas.errors import ConfigError, ResourceError
from raynas.execution.winner import retrain
from raynas.execution.worker import load, train
from raynas.experiment.experiment import Experiment
from raynas.goals import NextToken
from raynas.goals.tokens import PADDING
from raynas.training.peers import Peers


def told(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder of what two processes have trained together, some of it begun by one."""
    folder = tmp_path_factory.mktemp("two")
    begun = cases.spec(folder, "continued", epochs=4)
    parent = cases.spec(folder, "inherited", checkpoint=str(folder / "parent.pt"))
    for one in (begun, parent):
        with closing(train(cases.context("continued"), one)) as events:
            assert [event.epoch for event in islice(events, 2)] == [1, 2]
    run_twice("two_workers.py", folder)
    return folder


def check_same(both, alone):
    assert "reason" not in both[-1], both[-1]["reason"]
    for one, other in zip(alone, both, strict=True):
        assert other["metrics"] == pytest.approx(one["metrics"], rel=1e-6, abs=1e-6)
        assert other["errors"] == pytest.approx(one["errors"], rel=1e-6, abs=1e-6)


def check_equal(shared, alone):
    if isinstance(alone, torch.Tensor):
        torch.testing.assert_close(shared, alone, rtol=0, atol=1e-8)
    elif isinstance(alone, dict):
        assert shared.keys() == alone.keys()
        for name, part in alone.items():
            check_equal(shared[name], part)


@pytest.mark.slow
@pytest.mark.parametrize("name", cases.CASES)
def test_two_processes_train_as_one_does(name, two, tmp_path):
    alone = [asdict(one) for one in train(cases.context(name), cases.spec(tmp_path, name))]
    check_same(told(two, name), alone)
    if name != "trainings in turn":  # whose state has no weights
        shared, own = (load(cases.spec(folder, name).checkpoint) for folder in (two, tmp_path))
        check_equal(shared["child"], own["child"])
        check_equal(shared.get("optimizer"), own.get("optimizer"))
        check_equal(shared.get("ema"), own.get("ema"))


@pytest.mark.slow
def test_two_processes_continue_what_one_has_begun(two, tmp_path):
    alone = [*train(cases.context("continued"), cases.spec(tmp_path, "continued", epochs=4))]
    check_same(told(two, "continued"), [asdict(one) for one in alone])


@pytest.mark.slow
def test_both_processes_inherit(two, tmp_path):
    (tmp_path / "parent.pt").write_bytes((two / "parent.pt").read_bytes())
    alone = [*train(cases.context("inherited"), cases.with_parent(tmp_path))]
    check_same(told(two, "inherited"), [asdict(one) for one in alone])
    assert alone[0].epoch == 2
    assert alone[0].metrics["inherited"] == 1.0


@pytest.mark.slow
def test_two_processes_train_the_winner(two, tmp_path):
    events = retrain(cases.context("winner"), cases.spec(tmp_path, "winner"))
    alone = [next(events) for _ in range(cases.EPOCHS + 1)]
    *epochs, tested = told(two, "winner")
    assert [one["epoch"] for one in epochs] == [1, 2]
    assert tested["metrics"] == pytest.approx(alone[-1].metrics, abs=1e-6)


@pytest.mark.slow
def test_all_processes_have_the_same_tensors(two):
    """Also where each has normalised its own rows, dropped its own units, and drawn weights."""
    one, other = (torch.load(two / f"normalisation.{rank}.pt") for rank in range(2))
    check_equal(one, other)
    assert not torch.equal(one["network.2.running_mean"], torch.zeros(16))
    first, second = told(two, "other weights")
    assert second["metrics"]["train_loss"] < first["metrics"]["train_loss"]


@pytest.mark.slow
def test_a_trial_is_not_blamed_for_a_process_that_left(two):
    *reports, failed = told(two, "left")
    assert len(reports) == 1
    assert failed["cause"] == "circumstances"
    assert failed["reason"].startswith("another process of its training could not be reached")


@pytest.mark.slow
def test_work_that_is_not_divided_is_refused(two):
    (idle,) = told(two, "an idle loop")
    assert "share its work among the 2 workers of a trial" in idle["reason"]
    (small,) = told(two, "small batches")
    assert small["reason"] == (two / "small batches.1.txt").read_text()
    assert "give workers_per_trial=1, or a training.batch_size of at least 4" in small["reason"]


def test_a_batch_of_which_a_part_does_not_count_is_not_divided():
    tokens = torch.full((4, 6), PADDING)
    tokens[0] = 1
    (part, _), factor = Peers(1, 2).part((tokens, tokens), NextToken(3))
    assert (len(part), factor) == (4, 1)


def test_one_process_may_ask_for_all_that_several_exchange():
    peers, layer = Peers(), torch.nn.Linear(2, 1)
    batch = torch.zeros(5, 2), torch.zeros(5)
    (inputs, _), factor = peers.part(batch)
    layer(inputs).sum().backward()
    before = layer.bias.grad.clone()
    peers.mean_gradients(layer.parameters())
    peers.send(layer)
    peers.check_epoch(3)
    assert (len(inputs), factor, peers.told("a"), peers.total([2.0])) == (5, 1, "a", [2.0])
    assert layer.bias.grad.equal(before)


REFUSED = {
    "no worker": ({"workers_per_trial": 0}, "workers_per_trial must be at least 1, got 0"),
    "more workers than the machine has": (
        {"workers_per_trial": 1000, "training": {"batch_size": 5000}},
        "for each of 1000 processes, and this machine has",
    ),
    "more workers than examples of a batch": (
        {"workers_per_trial": 2, "training": {"batch_size": 3}},
        "each of 2 workers of a trial must get 2 or more examples of a batch, and batch_size is 3",
    ),
    "workers of a supernet, and none": (
        {"workers_per_trial": 2, "supernet_workers": 2},
        "supernet_workers need a supernet: give method",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_workers_that_cannot_be_are_refused_before_anything_starts(case, tmp_path):
    settings, message = REFUSED[case]
    with pytest.raises((ConfigError, ResourceError)) as refused:
        raynas.search(space="mlp", **settings, output=tmp_path / "run")
    assert message in str(refused.value)
    assert not (tmp_path / "run").exists()


GRAPHS = """
import torch
from raynas.data import Data
from raynas.goals import Classification


def graph(nodes):
    return {"nodes": torch.ones(nodes, 4), "edges": torch.zeros(2 * nodes, dtype=torch.int64)}


def joined(examples):
    graphs, targets = zip(*examples, strict=True)
    both = {name: torch.cat([one[name] for one in graphs]) for name in graphs[0]}
    return both, torch.tensor(targets)


class Graphs:
    name = "graphs"

    def load(self, source, seed):
        part = [(graph(3 + at % 2), at % 2) for at in range(20)]
        if BATCHED:
            part = [joined(part[at : at + 10]) for at in (0, 10)]
        collate = None if BATCHED else joined
        goal = Classification(classes=2)
        return Data(part, part, part, goal=goal, collate=collate, batched=BATCHED)
"""


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("more", [("--workers-per-trial", 2), ("--method", "spos")])
def test_data_that_several_workers_cannot_divide_are_refused_before_anything_starts(
    batched, more, tmp_path
):
    (tmp_path / "graphs.py").write_text(GRAPHS.replace("BATCHED", str(batched)))
    if "--method" in more:
        more = (*more, "--supernet-workers", 2)
    status, _, said = called(
        *("search", "--space", "mlp", "--task", f"{tmp_path / 'graphs.py'}:Graphs"),
        *("--output", tmp_path / "run", *more),
    )
    *_, last = said.splitlines()
    assert (status, "Traceback" in said) == (2, False), said
    assert "all tensors of a batch must have a row for each example: there are" in last
    assert "train with one process" in last
    assert not (tmp_path / "run").exists()


def test_a_supernet_has_the_workers_of_a_trial_unless_it_has_its_own():
    assert Experiment(method="spos", workers_per_trial=3).workers_per_supernet == 3
    other = Experiment(method="spos", workers_per_trial=3, supernet_workers=1)
    assert (other.workers_per_trial, other.workers_per_supernet) == (3, 1)
