"""The layers of a network and their connections, found by ``torch.fx``.

A layer that only follows another one (a normalisation, an activation, a dropout) is a note of it.
If there are too many layers to look at, or a part of the network decides by numbers, such a part
is one layer with the name of its class.
"""

from __future__ import annotations

import logging
import operator
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import get_ident
from typing import Any, Final

import torch
from torch import fx, nn

from raynas.costs.count import evaluating
from raynas.space import Architecture
from raynas.space.graph import Graph, Layer, between_ends

_LOG = logging.getLogger("raynas")

_LAYERS: Final = 200  # layers in a graph, at most
_CROWDED: Final = 1.6  # connections per layer, at most
_SHARE: Final = 0.6  # of the layers; a module with more of them is no group
_FOLLOWERS: Final = re.compile("norm|relu|gelu|silu|elu|tanh|sigmoid|swish|dropout", re.IGNORECASE)
_SILENT: Final = frozenset(
    (
        *("contiguous", "expand", "flatten", "getitem", "identity", "permute", "reshape"),
        *("squeeze", "transpose", "unsqueeze", "view"),
    )
)
_NUMBERS: Final = frozenset(("size", "dim", "numel", "getattr"))  # of tensors, which are no layers
_NAMES: Final[Mapping[Any, str]] = {operator.iadd: "add", operator.imul: "mul"}


@dataclass(slots=True)
class _Found:
    """A layer as it is found: what it reads, and the layers that follow it as notes."""

    layer: Layer
    path: str
    reads: list[int]
    notes: list[str] = field(default_factory=list)


def traced(child: nn.Module) -> Graph | None:
    """Return the layers of a network; none if they cannot be found without numbers.

    The network does not run and is not changed.

    Args:
        child: The network.
    """
    deepest = max(name.count(".") + 1 for name, _ in child.named_modules())
    for depth in range(deepest, 0, -1):
        try:
            with evaluating(child):
                nodes = [*_Tracer(depth).trace(child).nodes]
        except Exception as error:  # noqa: BLE001 - the network's own code runs, and may do anything
            _LOG.debug("torch.fx cannot trace the network at depth %d: %s", depth, error)
            continue
        graph = _graph(child, nodes)
        crowded = len(graph.edges) > _CROWDED * len(graph.layers)
        if depth == 1 or not (crowded or len(graph.layers) > _LAYERS):
            return graph
    return None


def traced_build(
    build: Callable[[Architecture], nn.Module], architecture: Architecture
) -> Graph | None:
    """Return the layers of the network that ``build`` makes, as ``traced`` does.

    It is made on torch's device ``meta``, where weights take no memory and no random numbers.
    """
    with torch.device("meta"):
        return traced(build(architecture))


class _Tracer(fx.Tracer):
    """Looks into modules down to a depth."""

    trace_asserts = True  # else the check of a shape would be a decision by numbers

    def __init__(self, depth: int) -> None:
        super().__init__()
        self._depth = depth
        self._thread = get_ident()

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Call a module; ``torch.fx`` sees the calls of all threads, but only one is traced."""
        if get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module is one layer."""
        deep = module_qualified_name.count(".") + 1 >= self._depth
        return deep or super().is_leaf_module(m, module_qualified_name)


def _graph(child: nn.Module, nodes: Sequence[fx.Node]) -> Graph:
    modules = dict(child.named_modules())
    used = _used(nodes)
    found: list[_Found] = []
    places: dict[fx.Node, list[int]] = {}  # the layers whose output a node holds
    for node in nodes:
        reads = list(dict.fromkeys(at for one in node.all_input_nodes for at in places[one]))
        places[node] = [0] if node.op == "placeholder" else reads
        if node not in used or not reads or node.op == "output":
            continue
        name = _name(node, modules)
        if name in _NUMBERS:
            places[node] = []
        elif name.lower() in _SILENT:
            pass
        elif _FOLLOWERS.search(name) and _follows(node, reads):
            found[reads[0] - 1].notes.append(name)
        else:
            found.append(_Found(_layer(name, node, modules), _path(node), reads))
            places[node] = [len(found)]
    groups = _groups([one.path for one in found])
    layers = [_noted(one, group) for one, group in zip(found, groups, strict=True)]
    edges = [(read, at) for at, one in enumerate(found, start=1) for read in one.reads]
    return between_ends(layers or [Layer("nothing", 0.0)], edges)


def _used(nodes: Sequence[fx.Node]) -> set[fx.Node]:
    """Return the nodes that have influence on the output."""
    used: set[fx.Node] = set()
    for node in reversed(nodes):
        if node.op == "output" or node in used:
            used |= {node, *node.all_input_nodes}
    return used


def _follows(node: fx.Node, reads: Sequence[int]) -> bool:
    """Return whether a node is all that reads a layer."""
    if len(reads) > 1 or not reads[0] or len(node.all_input_nodes) > 1:
        return False
    return len(node.all_input_nodes[0].users) == 1


def _noted(found: _Found, group: str) -> Layer:
    one = found.layer
    note = ", ".join(filter(None, [one.note, *found.notes]))
    return Layer(one.kind, one.mass, note or None, note, group)


def _groups(paths: Sequence[str]) -> list[str]:
    """Return for each layer the module that contains it; empty if that contains nearly all."""
    depth = 1
    while True:
        found = [path.rsplit(".", 1)[0] if "." in path else "" for path in paths]
        found = [".".join(group.split(".")[:depth]) for group in found]
        counts = Counter(found)
        if all(
            n <= _SHARE * len(paths) for g, n in counts.items() if g.count(".") == depth - 1 and g
        ):
            return [_short(group) if counts[group] > 1 else "" for group in found]
        depth += 1


def _short(path: str) -> str:
    """Return the last name of a path; of a number, with the name before it."""
    *before, last = path.split(".")
    return f"{before[-1]}.{last}" if before and last.isdigit() else last


def _path(node: fx.Node) -> str:
    """Return the module of a node, or the one that calls it."""
    if node.op == "call_module":
        return str(node.target)
    inside = [*node.meta.get("nn_module_stack", ())]
    return f"{inside[-1]}.{node.name}" if inside else node.name


def _name(node: fx.Node, modules: Mapping[str, nn.Module]) -> str:
    """Return the name of what a node does, such as ``Conv`` or ``add``."""
    if node.op == "call_module":
        name = type(modules[str(node.target)]).__name__
    elif node.op == "call_method":
        name = str(node.target)
    else:
        name = _NAMES.get(node.target) or str(getattr(node.target, "__name__", node.target))
    return _plain(name)


def _plain(name: str) -> str:
    """Return a name without what nobody looks for, such as the ``2d`` of ``Conv2d``."""
    return re.sub(r"[123]d$", "", name).strip("_")


def _layer(name: str, node: fx.Node, modules: Mapping[str, nn.Module]) -> Layer:
    if node.op != "call_module":
        return Layer(name, 0.0)
    path = str(node.target)
    module = modules[path]
    mass = float(sum(parameter.numel() for parameter in module.parameters()))
    kind, note = _described(path, module)
    return Layer(kind, mass, note or None, note)


def _described(path: str, module: nn.Module) -> tuple[str, str]:
    """Return the kind of a module, and what else a picture says of it."""
    match module:
        case nn.modules.conv._ConvNd():  # noqa: SLF001 - the only common class of them
            size = "x".join(map(str, module.kernel_size))
            strided = f" / {module.stride[0]}" if max(module.stride) > 1 else ""
            deep = "depthwise " if module.groups == module.in_channels > 1 else ""
            return "conv", f"{deep}{size}{strided}, {module.out_channels}"
        case nn.Linear():
            return "linear", f"{module.out_features}"
        case nn.MultiheadAttention():
            return "attention", f"{module.num_heads} heads"
        case nn.RNNBase():
            return type(module).__name__, f"{module.hidden_size}"
        case nn.Embedding():
            return "embedding", f"{module.embedding_dim}"
    kinds = Counter(_plain(type(one).__name__) for one in module.children())
    parts = ", ".join(kind if n == 1 else f"{n} {kind}" for kind, n in kinds.items())
    if isinstance(module, nn.Sequential):
        return path.rpartition(".")[2], parts
    kernel: Any = getattr(module, "kernel_size", ())
    said = "x".join(map(str, (kernel, kernel) if isinstance(kernel, int) else kernel))
    return _plain(type(module).__name__), said or parts
