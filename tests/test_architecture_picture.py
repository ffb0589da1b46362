import importlib
import re
import xml.etree.ElementTree as ET
from threading import Thread

import numpy as np
import pytest
import torch
from torch import nn

from raynas.costs.traced import traced
from raynas.insight.figures import png, svg
from raynas.insight.graphs import graphs_of
from raynas.insight.pictures.architecture import picture
from raynas.insight.pictures.flow import page
from raynas.insight.pictures.folding import folds
from raynas.space import Choice, Repeat, Space
from raynas.space.graph import Graph, Layer, between_ends, chain

SPACES = (
    *("darts", "decoder", "mlp", "mobile", "mobile.proxyless", "nasbench201"),
    *("nasbench201.small", "recurrent_cells", "series", "tabular", "textnas"),
)


def shown(graph, marked=()):
    """Return all boxes by the position of their layer."""
    return {box.place: box for block in page(graph, marked).blocks for box in block.boxes}


def overlap(one, other):
    return (
        abs(one.x - other.x) < (one.width + other.width) / 2
        and abs(one.y - other.y) < (one.height + other.height) / 2
    )


@pytest.mark.parametrize("name", SPACES)
def test_the_boxes_of_each_space_are_on_the_page_and_apart(name):
    space = importlib.import_module(f"search_spaces.{name}").SPACE
    for seed in range(12):
        graph = space.graph(space.sample(np.random.default_rng(seed)))
        laid = page(graph)
        boxes = [*shown(graph).values()]
        assert laid.width <= 820
        for number, box in enumerate(boxes):
            assert 0 <= box.x - box.width / 2 <= box.x + box.width / 2 <= laid.width
            assert 0 <= box.y - box.height / 2 <= box.y + box.height / 2 <= laid.height
            assert not any(overlap(box, other) for other in boxes[:number])


def test_a_repeated_layer_is_drawn_once_with_its_number():
    graph = chain([Layer("conv", 1.0, 3)] * 6)
    assert [fold.times for fold in folds(graph)] == [1, 6, 1]
    assert sorted(shown(graph)) == [0, 1, 7]
    assert "x 6" in svg(picture(graph))


def test_repeated_blocks_with_skips_are_folded():
    layers, edges = [], []
    for block in range(4):
        at = 3 * block
        layers += [Layer("conv", 1.0, 3), Layer("conv", 1.0, 1), Layer("add", 0.0)]
        edges += [(at, at + 1), (at + 1, at + 2), (at + 2, at + 3), (at, at + 3)]
    found = folds(between_ends(layers, edges))
    assert [(len(fold.pieces), fold.times) for fold in found] == [(1, 1), (1, 4), (1, 1)]


def test_a_marked_layer_is_not_folded_away():
    graph = chain([Layer("conv", 1.0, 3)] * 6)
    assert 4 in shown(graph, marked=[4])
    assert "#d55e00" in svg(picture(graph, marked=[4]))


def test_a_long_chain_goes_on_in_the_next_row():
    graph = chain([Layer("conv", 1.0, size) for size in range(60)])
    boxes = shown(graph)
    assert len(boxes) == 62
    assert page(graph).width <= 820
    assert boxes[61].y > boxes[0].y
    order = sorted(boxes, key=lambda place: (boxes[place].y, boxes[place].x))
    assert order == list(range(62)), "rows are read like a text"


def test_many_skips_are_arcs_beside_the_layers():
    layers = [Layer("conv", 1.0, size) for size in range(30)]
    edges = [(i, j) for j in range(1, 31) for i in range(j)]
    laid = page(between_ends(layers, edges))
    assert laid.width <= 820
    assert sum(bool(wire.bulge) for block in laid.blocks for wire in block.wires) > 300


def test_any_graph_is_drawn_in_time():
    many = range(150)
    dense = Graph(
        tuple(Layer("conv", 1.0, size) for size in many),
        tuple((i, j) for j in many for i in range(j)),
    )
    alone = Graph((Layer("conv", 1.0, group="a"), Layer("pool", 1.0, group="b")))
    cells = tuple(Layer(f"{place}", 1.0, group="ab"[place // 20]) for place in range(40))
    ways = [(i, i + 1) for i in range(39) if i != 19]
    long = between_ends(cells, [(s + 1, t + 1) for s, t in ways])
    for graph in (dense, alone, long):
        assert page(graph).width <= 820
        assert sorted(shown(graph)) == [*range(len(graph.layers))]


@pytest.mark.parametrize("text", ["$x^2$ & <b>", "bell\a", "\u4f60\u597d", "x" * 300])
def test_words_of_users_are_drawn_as_they_are(text):
    figure = picture(chain([Layer(text, 1.0, text)]), title=text[:40])
    assert png(figure).startswith(b"\x89PNG")
    ET.fromstring(svg(figure))


def test_an_svg_drawing_fits_into_a_page():
    drawn = svg(picture(chain([Layer("conv", 1.0)]), title="trial 7"))
    root = ET.fromstring(drawn)
    assert root.get("role") == "img"
    assert root.find("{*}title").text == "trial 7"
    assert "<style" not in drawn, "it would apply to the page"
    assert "#000000" not in drawn
    assert not re.search(r'<g id="', drawn)


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3)
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ReLU()

    def forward(self, x):
        return x + self.act(self.norm(self.conv(x)))


class Deciding(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_a_network_is_traced_with_its_skips():
    graph = traced(nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), Residual(8), Residual(8)))
    said = [(layer.kind, layer.note) for layer in graph.layers[1:-1]]
    block = [("conv", "3x3, 8, BatchNorm, ReLU"), ("add", "")]
    assert said == [("conv", "3x3 / 2, 8"), *block, *block]
    assert (1, 3) in graph.edges
    assert [fold.times for fold in folds(graph)] == [1, 1, 2, 1]


def test_a_part_that_decides_by_numbers_is_one_layer():
    graph = traced(nn.Sequential(nn.Linear(2, 3), Deciding()))
    assert [layer.kind for layer in graph.layers[1:-1]] == ["linear", "Deciding"]
    assert traced(Deciding()) is None


class Meanwhile(nn.Module):
    """While it is traced, another thread runs another network."""

    def __init__(self, other):
        super().__init__()
        self.layer, self.seen = nn.Linear(2, 3), []
        self.run = lambda: self.seen.append(other(torch.zeros(1, 2)).shape)

    def forward(self, x):
        thread = Thread(target=self.run)
        thread.start()
        thread.join()
        return self.layer(x)


def test_a_network_that_runs_in_another_thread_is_not_traced():
    child = Meanwhile(nn.Sequential(nn.Linear(2, 5), nn.ReLU()))
    graph = traced(child)
    assert [layer.kind for layer in graph.layers[1:-1]] == ["linear"]
    assert {*child.seen} == {(1, 5)}


def space(**more):
    return Space(
        {"layers": Repeat({"width": Choice((16, 32))}, 1, 2), "act": Choice((None,))}, **more
    )


def failing(*_):
    raise ValueError("no")


def test_graphs_come_from_the_space_or_the_network_or_the_decisions():
    architecture = space().sample(np.random.default_rng(0))
    own = Graph((Layer("own", 1.0),))
    build = lambda _: nn.Linear(2, 2)  # noqa: E731
    assert graphs_of(space(graph=lambda _: own), build)(architecture) is own
    for graph in (None, failing):
        found = graphs_of(space(graph=graph), build)(architecture)
        assert [layer.kind for layer in found.layers] == ["input", "linear", "output"]
    for build in (None, failing, lambda _: Deciding()):
        found = graphs_of(space(), build)(architecture)
        assert [layer.kind for layer in found.layers[1:-1]] == [*architecture]


def test_tracing_draws_no_random_numbers():
    state = torch.random.get_rng_state()
    graphs_of(space(), lambda _: nn.Linear(2, 2))(space().sample(np.random.default_rng(0)))
    assert torch.equal(state, torch.random.get_rng_state())
