"""Supernets that several processes train together, against one process."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oneshot_cases import CASES, spec, together
from ray_runs import run_twice

import raynas
from raynas.errors import ConfigError, DataError
from raynas.execution.worker import load, train
from raynas.goals import Classification, NextToken
from raynas.goals.tokens import PADDING
from raynas.oneshot.methods import METHODS
from raynas.oneshot.training import SupernetTraining
from raynas.rng import seed_weights
from raynas.training.mixing import Mixed
from raynas.training.peers import Peers


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder of what two processes have trained together."""
    folder = tmp_path_factory.mktemp("two")
    run_twice("two_peers.py", folder)
    return folder


def in_parts(training, inputs, targets, lr):
    """Train on a batch as two processes do, but in turn."""
    losses = 0.0
    for rank in range(2):
        part, factor = Peers(rank, 2).part((inputs, targets), training.goal)
        losses = losses + factor / 2 * training.add(part, factor / 2)
    training.change(lr)
    return losses


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_as_one_does(name, two, tmp_path, monkeypatch):
    if name == "batch normalisation":  # each part has statistics of its own
        monkeypatch.setattr(SupernetTraining, "step", in_parts)
    told = [asdict(one) for one in train(together(name), spec(tmp_path, name))]
    both = json.loads((two / f"{name}.json").read_text())
    assert "reason" not in both[-1], both[-1]["reason"]
    for one, other in zip(told, both, strict=True):
        assert other["metrics"] == pytest.approx(one["metrics"], abs=1e-5)
    alone, shared = (load(spec(folder, name).checkpoint) for folder in (tmp_path, two))
    for key, tensor in alone["child"].items():
        if "running" not in key and "tracked" not in key:  # those of the parts that were seen
            torch.testing.assert_close(shared["child"][key], tensor, rtol=0, atol=1e-5, msg=key)
    method, other = (one["loop"]["tracked"]["method"] for one in (alone, shared))
    for key, strength in method.get("strengths", {}).items():
        torch.testing.assert_close(other["strengths"][key], strength, rtol=0, atol=1e-5, msg=key)


@pytest.mark.slow
def test_a_trial_is_not_blamed_for_a_process_that_left(two):
    *reports, failed = json.loads((two / "left.json").read_text())
    assert len(reports) == 1
    assert failed["cause"] == "circumstances"
    assert failed["reason"].startswith("another process of its training could not be reached")


@pytest.mark.slow
def test_processes_that_have_not_the_same_checkpoint_do_not_train(two):
    failed = json.loads((two / "elsewhere.json").read_text())[-1]
    assert failed["cause"] == "circumstances"
    assert "they are after the epochs 2, 0: the folder of a run must be" in failed["reason"]


CLASSES = Classification(classes=3)


@given(st.integers(1, 40), st.integers(2, 5))
def test_the_parts_of_a_batch_are_the_batch(rows, count):
    batch = {"x": torch.arange(rows)}, torch.arange(rows) % 3
    parts = [Peers(rank, count).part(batch, CLASSES) for rank in range(count)]
    if rows < 2 * count:
        assert all(part is batch and factor == 1 for part, factor in parts)
        return
    assert torch.cat([inputs["x"] for (inputs, _), _ in parts]).tolist() == [*range(rows)]
    assert torch.cat([targets for (_, targets), _ in parts]).equal(batch[1])
    assert min(len(targets) for (_, targets), _ in parts) >= 2
    losses = [factor * inputs["x"].double().mean() for (inputs, _), factor in parts]
    assert sum(losses) / count == pytest.approx(batch[0]["x"].double().mean())


def test_tokens_count_where_the_loss_is_their_mean():
    tokens = torch.full((4, 6), PADDING)
    tokens[:, 0] = 1
    tokens[0] = 1
    factors = [Peers(rank, 2).part((tokens, tokens), NextToken(3))[1] for rank in range(2)]
    assert [float(one) for one in factors] == pytest.approx([2 * 7 / 9, 2 * 2 / 9])


def test_both_targets_of_mixed_images_are_divided():
    targets = Mixed(torch.arange(4), torch.arange(4).roll(1), torch.tensor(0.3))
    (_, part), factor = Peers(1, 2).part((torch.zeros(4, 1), targets), CLASSES)
    assert (part.targets.tolist(), part.others.tolist()) == ([2, 3], [1, 2])
    assert (part.share, factor) == (targets.share, 1)


def test_a_batch_without_rows_is_refused():
    graph = {"nodes": torch.zeros(9, 2), "edges": torch.zeros(2, 12)}
    with pytest.raises(DataError, match="there are 4 targets and a tensor of length 2"):
        Peers(0, 2).part((graph, torch.zeros(4)), CLASSES)


def test_the_noise_of_layers_differs_and_that_of_routes_does_not():
    drawn = []
    for rank in range(2):
        seed_weights(0)
        with Peers(rank, 2).noise(np.random.default_rng(1)):
            noise = torch.rand(3 + rank)[:3].tolist()
        drawn.append((noise, torch.rand(3).tolist()))
    (one, route), (other, same) = drawn
    assert one != other
    assert route == same


def test_a_method_that_does_not_say_so_is_refused_by_its_name(monkeypatch, tmp_path):
    assert all(kind.parallel for kind in METHODS.values())
    monkeypatch.setattr(METHODS["gdas"], "parallel", False)
    with pytest.raises(ConfigError, match="'gdas' cannot be trained by several processes"):
        raynas.search(method="gdas", supernet_workers=2, output=tmp_path / "run")
