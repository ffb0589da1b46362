import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from raynas.errors import ConfigError
from search_spaces.recurrent_cells import PUBLISHED, SPACE, build, draw
from search_spaces.recurrent_cells.bounds import MOST, unbounded
from search_spaces.recurrent_cells.cell import LAST, NODES, layout
from search_spaces.recurrent_cells.network import Cell, pointwise

WIDTH = 8
# The linear nodes that compute the parts of torch's weights, in torch's order.
GATES = {
    "LSTM": ("node_0", "node_2", "node_4", "node_6"),  # input, forget, cell, output
    "GRU": ("node_3", "node_5", None),  # reset, update; the third reads x and h apart
}


def seeded(seed):
    return SPACE.sample(np.random.default_rng(seed))


@pytest.mark.parametrize(("name", "kind"), [("LSTM", nn.LSTM), ("GRU", nn.GRU)])
@torch.no_grad()
def test_known_cells_are_those_of_torch(name, kind):
    reference = kind(WIDTH, WIDTH, batch_first=True)
    cell = Cell(layout(PUBLISHED[name]), WIDTH)
    for part, node in enumerate(GATES[name]):
        places = (f"{node}_first", f"{node}_second") if node else ("node_9_first", "node_7_first")
        for place, suffix in zip(places, ("ih_l0", "hh_l0"), strict=True):
            for what in ("weight", "bias"):
                theirs = getattr(reference, f"{what}_{suffix}").chunk(len(GATES[name]))[part]
                cell.linear[place].get_parameter(what).copy_(theirs)
    for first in cell.first.values():
        first.zero_()
    x = 3 * torch.randn(5, 12, WIDTH)
    assert torch.allclose(cell(x), reference(x)[0], atol=1e-5)
    own = sum(p.numel() for p in cell.linear.parameters())
    assert own == sum(p.numel() for p in reference.parameters())


def by_hand(cell, x):
    """The outputs of a cell, one place and one node after the other as the decisions say."""
    states = {name: first.expand(len(x), -1) for name, first in cell.first.items()}
    outputs = []
    for now in x.unbind(1):
        values = {"x": now, **states}
        for step in cell.steps:
            if step.operation == "linear":
                layers = [
                    cell.linear[f"{step.name}_{one}"]
                    for one in ("first", "second")[: len(step.reads)]
                ]
                value = sum(
                    layer(values[one]) for layer, one in zip(layers, step.reads, strict=True)
                )
            else:
                value = pointwise(step.operation, [values[one] for one in step.reads])
            kept = step.operation == "product" or step.name in (LAST, cell.memory)
            values[step.name] = value.clamp(-MOST, MOST) if kept else value
        outputs.append(values[LAST])
        states = {"h": values[LAST], "c": values.get(cell.memory)}
    return torch.stack(outputs, 1)


@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_joined_and_left_uncut_changes_nothing(seed):
    cell = Cell(layout(seeded(seed)), WIDTH).double()  # some cells are chaotic
    x = 4 * torch.randn(3, 5, WIDTH, generator=torch.Generator().manual_seed(seed)).double()
    assert torch.allclose(cell(x), by_hand(cell, x), atol=1e-6)


@pytest.mark.parametrize("seed", range(40))
def test_no_cell_overflows_on_a_long_text(seed):
    network = build(seeded(seed), vocabulary=9, length=300, width=16, layers=2).eval()
    with torch.no_grad():
        for parameter in network.cells.parameters():
            parameter.mul_(4)  # as far as training may lead
        assert network(torch.randint(9, (2, 300))).isfinite().all()


def test_products_of_bounded_values_are_not_cut():
    """So that an LSTM has one operation more than torch's: what keeps its memory finite."""
    assert unbounded(layout(PUBLISHED["LSTM"])) == {"node_10"}
    assert unbounded(layout(PUBLISHED["GRU"])) == {"node_8", "node_12"}


def test_what_has_no_influence_is_not_built():
    gru = PUBLISHED["GRU"]
    other = SPACE.architecture({**gru, "node_1.tanh.of": "c", "memory": "node_5"})
    assert SPACE.identity(other) == SPACE.identity(gru)
    names = {name for name, _ in build(gru, vocabulary=5, length=4).named_parameters()}
    assert {name for name, _ in build(other, vocabulary=5, length=4).named_parameters()} == names
    assert "cells.0.first.c" not in names
    assert not any("node_1_" in name for name in names)


def test_only_the_order_of_terms_makes_no_difference():
    lstm = PUBLISHED["LSTM"]

    def changed(**values):
        return SPACE.identity(
            SPACE.architecture(
                {**lstm, **{key.replace("__", "."): v for key, v in values.items()}}
            )
        )

    own = SPACE.identity(lstm)
    assert changed(node_10__sum__first="node_9", node_10__sum__second="node_8") == own
    assert changed(node_0__linear__first="h", node_0__linear__second="x") == own
    assert changed(memory="node_9") != own
    assert changed(node_8__product__first="node_1") != own  # a gate that two products share


@given(seed=st.integers(0, 2**32 - 1))
def test_equal_identities_compute_the_same(seed):
    rng = np.random.default_rng(seed)
    one = SPACE.sample(rng)
    found = layout(one)
    # Change decisions without influence, by the layout alone.
    live = {step.name for step in found.steps}
    other = SPACE.architecture(
        {
            **one,
            **{
                path: str(rng.choice(["x", "h", "c"]))
                for path in one
                if path.split(".")[0] not in live | {"memory"} and path.count(".") == 2
            },
        }
    )
    assert SPACE.identity(other) == SPACE.identity(one)
    two, three = (Cell(layout(each), WIDTH) for each in (one, other))
    three.load_state_dict(two.state_dict())
    x = torch.randn(2, 4, WIDTH)
    assert torch.equal(two(x), three(x))


def test_layers_and_widths_are_options():
    network = build(PUBLISHED["GRU"], vocabulary=9, length=5, width=16, layers=2, dropout=0.0)
    assert network(torch.randint(9, (2, 7))).shape == (2, 7, 9)  # another length
    assert len(network.cells) == 2
    assert network.logits.weight is network.tokens.weight


def test_half_precision():
    for seed in range(12):
        network = build(seeded(seed), vocabulary=9, length=5, width=16)
        with torch.autocast("cpu", torch.bfloat16):
            assert network(torch.randint(9, (2, 5))).isfinite().all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"width": 0}, "sizes must be at least 1: .*width=0"),
        ({"dropout": 1.0}, "0 <= dropout < 1 must hold, got 1.0"),
    ],
)
def test_unusable_options_are_refused(options, says):
    with pytest.raises(ConfigError, match=says):
        build(PUBLISHED["GRU"], vocabulary=9, length=5, **options)


def test_drawing():
    lines = draw(PUBLISHED["LSTM"]).splitlines()
    assert lines[0] == "node_0  = linear(x, h)"
    assert lines[8] == "node_8  = product(node_3, c)"
    assert lines[-1] == "next h = node_12, next c = node_10"
    assert len(lines) == NODES + 1
    assert len(draw(PUBLISHED["GRU"]).splitlines()) == 11
