"""The NAS-Bench-201 cell: against the published table, and by its properties."""

import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from raynas.costs import measure
from raynas.errors import ConfigError, SpaceError
from raynas.space import Architecture
from search_spaces.nasbench201 import SPACE, build, draw, from_string, prune, to_string
from search_spaces.nasbench201.cell import OPERATIONS
from search_spaces.nasbench201.network import Cell

TABLE = Path(__file__).resolve().parents[2] / "shared" / "benchdata" / "nb201.npz"
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
CIFAR = (3, 32, 32)
RESNET = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"

seeds = st.integers(0, 2**32 - 1)


@st.composite
def architectures(draw_from) -> Architecture:
    """Draw a cell that was sampled, mutated or crossed."""
    rng = np.random.default_rng(draw_from(seeds))
    one, other = SPACE.sample(rng), SPACE.sample(rng)
    return draw_from(
        st.sampled_from((one, SPACE.mutate(one, rng), SPACE.crossover(one, other, rng)))
    )


def cell(*operations: str) -> Architecture:
    """Write a cell by its six operations, in the order of the strings."""
    return Architecture(dict(zip(SPACE.decisions, operations, strict=True)))


@pytest.fixture(scope="module")
def table():
    if not TABLE.exists():
        pytest.skip(f"the published table is not at {TABLE}")
    with np.load(TABLE) as stored:
        return {
            name: stored[name] for name in ("arch_str", "iso_rep", "c10_params_m", "c10_flops_m")
        }


@pytest.fixture(scope="module")
def published(table) -> list[Architecture]:
    return [from_string(text.decode()) for text in table["arch_str"]]


def test_the_space_is_the_published_one(published):
    assert SPACE.size == 15_625
    assert set(published) == set(SPACE)


def test_every_published_string_survives_the_round_trip(table, published):
    assert [to_string(one) for one in published] == [text.decode() for text in table["arch_str"]]


def test_identity_divides_the_cells_into_the_published_6466_classes(table, published):
    first: dict[str, int] = {}
    lowest = [first.setdefault(SPACE.identity(one), i) for i, one in enumerate(published)]
    assert len(first) == 6_466
    np.testing.assert_array_equal(lowest, table["iso_rep"])


def test_built_networks_cost_what_is_published(table, published):
    chosen = np.random.default_rng(0).choice(len(published), 100, replace=False).tolist()
    special = [cell(*[operation] * 6) for operation in OPERATIONS] + [from_string(RESNET)]
    for i in {*chosen, *map(published.index, special)}:
        costs = measure(build(published[i], CIFAR, 10), torch.zeros(1, *CIFAR))
        assert np.float32(costs.params / 1e6) == table["c10_params_m"][i]
        assert np.float32(costs.flops / 1e6) == table["c10_flops_m"][i]


def test_all_published_costs_are_what_the_edges_add_up_to(table, published):
    """Measure each operation alone on each edge: every cell must cost the sum of its six."""
    empty = measure(build(cell(*["none"] * 6), CIFAR, 10), torch.zeros(1, *CIFAR))
    alone = {}
    for path, operation in product(SPACE.decisions, OPERATIONS):
        single = Architecture(dict.fromkeys(SPACE.decisions, "none") | {path: operation})
        costs = measure(build(single, CIFAR, 10), torch.zeros(1, *CIFAR))
        alone[path, operation] = costs.params - empty.params, costs.flops - empty.flops
    sums = [np.sum([alone[item] for item in one.items()], axis=0) for one in published]
    params, flops = (np.array([empty.params, empty.flops]) + sums).T
    np.testing.assert_array_equal((params / 1e6).astype(np.float32), table["c10_params_m"])
    np.testing.assert_array_equal((flops / 1e6).astype(np.float32), table["c10_flops_m"])


@settings(max_examples=30, deadline=None)
@given(one=architectures())
def test_any_cell_trains(one):
    child = build(one, (1, 8, 8), 10, channels=4, cells=1)
    logits = child(torch.randn(2, 1, 8, 8))
    assert logits.shape == (2, 10)
    F.cross_entropy(logits, torch.tensor([1, 7])).backward()
    gradients = [weight.grad for weight in child.parameters() if weight.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (2, 7, 5), (1, 1, 1)])
def test_any_image_size_will_do(shape):
    child = build(from_string(RESNET), shape, 3, channels=4, cells=2).eval()
    assert child(torch.randn(2, *shape)).shape == (2, 3)


@settings(max_examples=30, deadline=None)
@given(one=architectures())
def test_a_cell_computes_the_sum_over_its_edges(one):
    operations = dict(zip(EDGES, one.values(), strict=True))
    lean = Cell(operations, 4).double()
    x = torch.randn(2, 4, 5, 5, dtype=torch.float64, requires_grad=True)

    def edge(source: int, target: int, value: torch.Tensor) -> torch.Tensor:
        match operations[source, target]:
            case "none":
                return torch.zeros_like(value)
            case "skip_connect":
                return value
            case "avg_pool_3x3":
                return F.avg_pool2d(value, 3, 1, 1, count_include_pad=False)
            case _:
                return lean.convs[f"{source}_{target}"](F.relu(value))

    nodes = [x]
    for target in (1, 2, 3):
        nodes.append(sum(edge(source, target, nodes[source]) for source in range(target)))
    weights = torch.randn_like(x)
    torch.testing.assert_close(lean(x), nodes[3])
    # The zero keeps a cell of nothing differentiable.
    expected = torch.autograd.grad((nodes[3] * weights + 0 * x).sum(), x)
    torch.testing.assert_close(torch.autograd.grad((lean(x) * weights + 0 * x).sum(), x), expected)


@settings(max_examples=30, deadline=None)
@given(one=architectures())
def test_pruning_leaves_identity_and_output_alone(one):
    pruned = prune(one)
    assert prune(pruned) == pruned
    full, lean = (
        build(one, CIFAR, 5, channels=4, cells=1, dead_edges=kept) for kept in (True, False)
    )
    lean.load_state_dict({k: v for k, v in full.state_dict().items() if k in lean.state_dict()})
    x = torch.randn(2, *CIFAR)
    # Fresh normalisations have no bias yet, so even a convolution of zero is zero.
    torch.testing.assert_close(lean(x), full(x))
    assert (
        measure(lean, torch.zeros(1, *CIFAR)).flops <= measure(full, torch.zeros(1, *CIFAR)).flops
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # A skip is what it skips from: one convolution, straight or by way of node 1.
        (
            "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
            "|skip_connect~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|",
        ),
        # Sums commute: what is direct and what goes by way of node 1 change places.
        (
            "|nor_conv_1x1~0|+|none~0|none~1|+|avg_pool_3x3~0|skip_connect~1|none~2|",
            "|avg_pool_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|skip_connect~1|none~2|",
        ),
        # What comes out of a zero node is zero, and what nobody reads does not matter.
        (
            "|none~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_3x3~1|none~2|",
            "|none~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|none~2|",
        ),
    ],
)
def test_equivalent_cells_are_one_architecture_and_cost_the_same_once_pruned(one, other):
    cells = from_string(one), from_string(other)
    assert len({SPACE.identity(each) for each in cells}) == 1
    networks = [build(each, CIFAR, 10, cells=1, dead_edges=False) for each in cells]
    assert len({measure(network, torch.zeros(1, *CIFAR)) for network in networks}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        RESNET[:-1],
        RESNET.replace("skip_connect~2", "skip_connect~1"),
        RESNET.replace("skip_connect", "shortcut"),
        RESNET + RESNET,
    ],
)
def test_a_string_that_is_none_is_refused(text):
    with pytest.raises(SpaceError, match="a cell must be written"):
        from_string(text)


@pytest.mark.parametrize(
    ("shape", "options"), [((64,), {}), (CIFAR, {"channels": 0}), (CIFAR, {"cells": 0})]
)
def test_sizes_that_cannot_be_are_refused(shape, options):
    with pytest.raises(ConfigError, match="input_shape="):
        build(from_string(RESNET), shape, 10, **options)


def test_draws_what_the_output_depends_on():
    assert draw(from_string(RESNET)) == (
        "node 1 = conv3x3(input)\nnode 2 = conv3x3(node 1)\noutput = input + node 2"
    )
    assert (
        draw(cell("none", "none", "nor_conv_3x3", "none", "none", "skip_connect")) == "output = 0"
    )


def test_importing_the_space_loads_no_torch():
    code = "import sys, search_spaces.nasbench201; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
