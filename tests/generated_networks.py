"""Spaces and their ``build`` from random parts, for supernets of single and of mixed paths."""

from collections import OrderedDict
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import nn

from raynas.oneshot import choose
from raynas.oneshot.mixture import Zero
from raynas.space import Choice, Repeat, Space

OUTPUTS, CHANNELS, SIDE = 3, 4, 6
IMAGES = torch.randn(6, CHANNELS, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def head(channels):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, OUTPUTS))


# Parts whose tensors differ in size or in presence. Each has decisions (``node``), and makes a
# module for so many channels (``make``); it returns the module and its channels.


@dataclass(frozen=True)
class Conv:
    widths: tuple
    kernels: tuple
    norm: bool

    def node(self):
        return {"width": Choice(self.widths), "kernel": Choice(self.kernels)}

    def make(self, one, path, channels):
        width, kernel = one[f"{path}.width"], one[f"{path}.kernel"]
        layers = OrderedDict(conv=nn.Conv2d(channels, width, kernel, padding=kernel // 2))
        if self.norm:
            layers["norm"] = nn.BatchNorm2d(width)
        return nn.Sequential(layers), width


@dataclass(frozen=True)
class Depthwise:
    kernels: tuple

    def node(self):
        return {"kernel": Choice(self.kernels)}

    def make(self, one, path, channels):
        kernel = one[f"{path}.kernel"]
        return nn.Conv2d(
            channels, channels, kernel, padding=kernel // 2, groups=channels
        ), channels


class Recurrence(nn.Module):
    def __init__(self, channels, kind):
        super().__init__()
        self.before = nn.Conv2d(channels, CHANNELS, 1)
        self.add_module(kind.__name__, kind(CHANNELS, CHANNELS, batch_first=True))
        self.kind = kind.__name__

    def forward(self, x):
        x = self.before(x)
        steps, _ = self.get_submodule(self.kind)(x.flatten(2).transpose(1, 2))
        return steps.transpose(1, 2).reshape(x.shape)


@dataclass(frozen=True)
class Recurrent:
    def node(self):
        return {"cell": Choice(("GRU", "LSTM"))}

    def make(self, one, path, channels):
        return Recurrence(channels, getattr(nn, one[f"{path}.cell"])), CHANNELS


class Constant(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.register_buffer("factor", torch.full((2,), factor), persistent=False)

    def forward(self, x):
        return x * self.factor[0]


@dataclass(frozen=True)
class Scaled:
    factors: tuple

    def node(self):
        return {"factor": Choice(self.factors)}

    def make(self, one, path, channels):
        return Constant(one[f"{path}.factor"]), channels


class Twice(nn.Module):
    """A module and a tensor, both under two names."""

    def __init__(self, channels, kernel):
        super().__init__()
        self.one = self.again = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)
        self.other = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)
        self.other.weight = self.one.weight

    def forward(self, x):
        return self.other(self.again(self.one(x)))


@dataclass(frozen=True)
class Tied:
    kernels: tuple

    def node(self):
        return {"kernel": Choice(self.kernels)}

    def make(self, one, path, channels):
        return Twice(channels, one[f"{path}.kernel"]), channels


@dataclass(frozen=True)
class Branch:
    options: tuple  # pairs of a name and a part, or none

    def node(self):
        return Choice({name: part and part.node() for name, part in self.options})

    def make(self, one, path, channels):
        name = one[path]
        part = dict(self.options)[name]
        if part is None:
            return nn.Identity(), channels
        module, channels = part.make(one, f"{path}.{name}", channels)
        return nn.Sequential(OrderedDict({name: module})), channels


@dataclass(frozen=True)
class Repeated:
    part: object
    low: int
    high: int

    def node(self):
        return Repeat(self.part.node(), self.low, self.high)

    def make(self, one, path, channels):
        layers = nn.Sequential()
        for i in range(one[path]):
            module, channels = self.part.make(one, f"{path}.{i}", channels)
            layers.append(module)
        return layers, channels


def some(*values):
    """Some of the values in any order."""
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True).map(tuple)


def parts():
    kernels = some(1, 3, 5)
    plain = st.one_of(
        st.builds(Conv, some(1, 2, 3, 5, 8), kernels, st.booleans()),
        st.builds(Depthwise, kernels),
        st.builds(Tied, kernels),
        st.builds(Scaled, some(0.5, 1.0, 2.0)),
        st.just(Recurrent()),
    )

    def larger(below):
        named = st.dictionaries(st.sampled_from("abc"), st.none() | below, min_size=2, max_size=3)
        return st.one_of(
            st.builds(Branch, named.map(lambda found: tuple(found.items()))),
            st.builds(Repeated, below, st.integers(0, 1), st.integers(1, 3)),
        )

    return st.recursive(plain, larger, max_leaves=4)


@st.composite
def sized(draw):
    """A space of networks whose tensors differ in size or in presence, and its ``build``."""
    made = draw(st.lists(parts(), min_size=1, max_size=3))
    space = Space({f"part_{i}": part.node() for i, part in enumerate(made)})

    def build(one):
        layers, channels = OrderedDict(), CHANNELS
        for i, part in enumerate(made):
            layers[f"layer_{i}"], channels = part.make(one, f"part_{i}", channels)
        return nn.Sequential(OrderedDict(body=nn.Sequential(layers), head=head(channels)))

    return space, build


# Parts that ask for operations by ``choose``; all keep ``CHANNELS`` channels.


def operation(name, channels, stride):
    match name:
        case "none":
            return Zero(stride)
        case "skip":
            return nn.Identity() if stride == 1 else nn.AvgPool2d(stride)
        case "pool":
            return nn.MaxPool2d(3, stride, 1)
        case _:
            kernel = int(name.removeprefix("conv"))
            conv = nn.Conv2d(channels, channels, kernel, stride, kernel // 2)
            return nn.Sequential(conv, nn.BatchNorm2d(channels))


OPERATIONS = ("none", "skip", "pool", "conv1", "conv3")


class Cell(nn.Module):
    """Nodes that add up all earlier ones, each through an operation."""

    def __init__(self, one, path, edges, partial, stride):
        super().__init__()
        self.edges = nn.ModuleDict()
        for name, options in edges:
            wide = stride if name.startswith("0") else 1
            makes = {}
            for option in options:
                if partial:
                    makes[option] = lambda n, o=option, s=wide: operation(o, n, s)
                else:
                    makes[option] = lambda o=option, s=wide: operation(o, CHANNELS, s)
            count = CHANNELS if partial else None
            self.edges[name] = choose(one, f"{path}.{name}", makes, count)

    def forward(self, x):
        values = [x]
        while any(name[1] == str(len(values)) for name in self.edges):
            into = str(len(values))
            ends = [(int(name[0]), edge) for name, edge in self.edges.items() if name[1] == into]
            values.append(sum(edge(values[source]) for source, edge in ends))
        return sum(values[1:])


@dataclass(frozen=True)
class Cells:
    edges: tuple  # pairs of a name such as "01" and its options
    count: int
    partial: bool

    def node(self):
        return {name: Choice(options) for name, options in self.edges}

    def make(self, one, path):
        """Return successive cells of the same decisions; the last one halves the size."""
        strides = [1] * (self.count - 1) + [2]
        return nn.Sequential(*(Cell(one, path, self.edges, self.partial, s) for s in strides))


class Pair(nn.Module):
    """Two decisions in one module, one of which is asked for once and used twice."""

    def __init__(self, one, path, kernels):
        super().__init__()
        makes = {k: lambda k=k: nn.Conv2d(CHANNELS, CHANNELS, k, padding=k // 2) for k in kernels}
        self.inner = nn.ModuleDict({"conv": choose(one, f"{path}.kernel", makes)})
        acts = {"relu": nn.ReLU, "tanh": nn.Tanh, "same": nn.Identity}
        self.act = self.again = choose(one, f"{path}.act", acts)

    def forward(self, x):
        return self.again(self.inner["conv"](self.act(x)))


@dataclass(frozen=True)
class Pairs:
    kernels: tuple

    def node(self):
        return {"kernel": Choice(self.kernels), "act": Choice(("relu", "tanh", "same"))}

    def make(self, one, path):
        return Pair(one, path, self.kernels)


@dataclass(frozen=True)
class Nested:
    """A branch whose options have parts of their own."""

    options: tuple

    def node(self):
        return Choice({name: part and part.node() for name, part in self.options})

    def make(self, one, path):
        def made(name, part):
            if part is None:
                return nn.Identity()
            # All are of one shape behind the pooling, however often a part halves the size.
            return nn.Sequential(part.make(one, f"{path}.{name}"), nn.AdaptiveAvgPool2d(SIDE))

        makes = {name: lambda n=name, p=part: made(n, p) for name, part in self.options}
        return nn.Sequential(
            nn.AdaptiveAvgPool2d(SIDE), OrderedDictModule(choice=choose(one, path, makes))
        )


class OrderedDictModule(nn.Sequential):
    """A sequence with a name for its only module."""

    def __init__(self, **modules):
        super().__init__(OrderedDict(modules))


@dataclass(frozen=True)
class Depth:
    """One to so many layers, each with a decision of its own."""

    most: int

    def node(self):
        return Repeat({"op": Choice(("skip", "conv1"))}, 1, self.most)

    def make(self, one, path):
        def layers(count):
            ops = {name: lambda n=name: operation(n, CHANNELS, 1) for name in ("skip", "conv1")}
            return nn.Sequential(*(choose(one, f"{path}.{i}.op", ops) for i in range(count)))

        return choose(one, path, {n: lambda n=n: layers(n) for n in range(1, self.most + 1)})


@st.composite
def cells(draw):
    nodes = draw(st.integers(1, 2))
    names = [f"{source}{into}" for into in range(1, nodes + 1) for source in range(into)]
    # Not zero alone: what comes before would have no gradient.
    options = some(*OPERATIONS).map(
        lambda found: (*found, "skip") if found == ("none",) else found
    )
    edges = tuple((name, draw(options)) for name in names)
    return Cells(edges, draw(st.integers(1, 2)), draw(st.booleans()))


def mixing_parts():
    plain = st.one_of(
        cells(), st.builds(Pairs, some(1, 3, 5)), st.builds(Depth, st.integers(1, 3))
    )

    def larger(below):
        named = st.dictionaries(st.sampled_from("abc"), st.none() | below, min_size=2, max_size=3)
        return st.builds(Nested, named.map(lambda found: tuple(found.items())))

    return st.recursive(plain, larger, max_leaves=4)


@st.composite
def mixing(draw):
    """A space of networks that ask for operations by ``choose``, and its ``build``."""
    made = draw(st.lists(mixing_parts(), min_size=1, max_size=2))
    space = Space({f"part_{i}": part.node() for i, part in enumerate(made)})

    def build(one):
        modules = {f"layer_{i}": part.make(one, f"part_{i}") for i, part in enumerate(made)}
        body = nn.Sequential(OrderedDict(modules))
        return nn.Sequential(OrderedDict(body=body, head=head(CHANNELS)))

    return space, build
