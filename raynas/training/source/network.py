"""A network as an expression and classes: its layers, from the innermost outwards."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn

from raynas.training.source.classes import Class, Line, Namer, class_text
from raynas.training.source.copied import Copied, Surroundings, copied
from raynas.training.source.expressions import (
    Argument,
    Call,
    Expression,
    Items,
    Literal,
    Raw,
    UnwritableError,
    call,
)
from raynas.training.source.layers import constructor
from raynas.training.source.paths import path_text
from raynas.training.source.traced import traced

_NOTHING: Final = "pass"


@dataclass(slots=True)
class Network:
    """A network in writing.

    Attributes:
        around: Imports and helpers.
        classes: The text of each class, in an order in which they can be read.
        made: The expression that makes each layer, by its number in memory.
    """

    around: Surroundings = field(default_factory=Surroundings)
    classes: list[str] = field(default_factory=list)
    made: dict[int, Expression] = field(default_factory=dict)
    namer: Namer = field(default_factory=Namer)

    def write(self, root: nn.Module) -> Expression:
        """Write all layers; return the expression that makes the network.

        Raises:
            UnwritableError: A layer cannot be written.
        """
        levels: dict[int, list[nn.Module]] = defaultdict(list)
        _sort(root, levels, {})
        ties = _ties(root)
        for level in sorted(levels):
            own = [layer for layer in levels[level] if not self._simple(layer)]
            groups: dict[Any, list[Class]] = defaultdict(list)
            for layer in own:
                one = self._class(layer, ties.get(id(layer), []))
                groups[one.key].append(one)
            for group in groups.values():
                self._fold(group)
        if root_ties := ties.get(0):
            raise UnwritableError(f"weights are shared outside of a class: {root_ties[0]}")
        return self.made[id(root)]

    def _simple(self, layer: nn.Module) -> bool:
        """Write a layer that needs no class; return whether it is one."""
        found = constructor(layer) or self._container(layer)
        if found is not None:
            self.made[id(layer)] = found
        return found is not None

    def _container(self, layer: nn.Module) -> Expression | None:
        kind = type(layer)
        if isinstance(layer, nn.ParameterDict | nn.ParameterList):
            return self._tensors(layer)
        plain = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
        base = next((one for one in plain if isinstance(layer, one)), None)
        if base is None or (kind.forward is not base.forward) or vars(layer).get("forward"):
            return None
        names = [*layer._modules]  # noqa: SLF001 - the children, with those that are there twice
        parts = [self._child(layer._modules[name]) for name in names]  # noqa: SLF001
        name = f"nn.{base.__name__}"
        numbered = names == [str(at) for at in range(len(names))]
        if base is nn.ModuleDict:
            return call(name, Items(tuple(parts), tuple(names)))
        if base is nn.ModuleList:
            return call(name, Items(tuple(parts)))
        if numbered:
            return call(name, *parts)
        self.around.imports["OrderedDict"] = "from collections import OrderedDict"
        return call(name, call("OrderedDict", Items(tuple(parts), tuple(names))))

    def _tensors(self, layer: Any) -> Expression:
        if isinstance(layer, nn.ParameterList):
            return call("nn.ParameterList", Items(tuple(map(_tensor, layer))))
        pairs = [*layer.items()]
        keys, values = tuple(key for key, _ in pairs), tuple(_tensor(value) for _, value in pairs)
        return call("nn.ParameterDict", Items(values, keys))

    def _child(self, child: nn.Module | None) -> Expression:
        return Literal(None) if child is None else self.made[id(child)]

    def _class(self, layer: nn.Module, ties: Sequence[str]) -> Class:
        """Return the class of a layer that is none of torch's."""
        if torch.nn.utils.parametrize.is_parametrized(layer):
            raise UnwritableError(f"{type(layer).__name__} computes its weights by a rule")
        methods, attributes = self._forward(layer)
        lines = [*self._lines(layer), *attributes]
        said = (inspect.getdoc(type(layer)) or "").splitlines()
        return Class(layer, type(layer).__name__, said[0] if said else "", lines, [*ties], methods)

    def _forward(self, layer: nn.Module) -> tuple[list[str], list[Line]]:
        """Return the methods and the values that they read: copied, traced, or copied in full."""
        try:
            found = self._copied(layer, plain=True)
        except UnwritableError:
            try:
                return [traced(layer)], []
            except UnwritableError as why:
                try:
                    found = self._copied(layer, plain=False)
                except UnwritableError as error:
                    name = type(layer).__name__
                    raise UnwritableError(f"{name}: {error}; nor by tracing: {why}") from error
        lines = [Line(name, _value(one, self.around)) for name, one in found.attributes.items()]
        return found.methods, lines

    def _copied(self, layer: nn.Module, *, plain: bool) -> Copied:
        """Copy a layer's methods; if that fails, nothing is left of the attempt."""
        trial = Surroundings(
            dict(self.around.imports), dict(self.around.helpers), dict(self.around.names)
        )
        found = copied(layer, trial, plain=plain)
        for value in found.attributes.values():
            trial.text_of(value)
        self.around = trial
        return found

    def _lines(self, layer: nn.Module) -> Iterator[Line]:
        for name, child in layer._modules.items():  # noqa: SLF001 - also those that are none
            yield Line(name, self._child(child))
        for name, part in layer._parameters.items():  # noqa: SLF001
            yield Line(name, Literal(None) if part is None else _tensor(part))
        for name, buffer in layer._buffers.items():  # noqa: SLF001
            value = Literal(None) if buffer is None else _zeros(buffer)
            yield Line("", call("self.register_buffer", Raw(f'"{name}"'), value))

    def _fold(self, group: Sequence[Class]) -> None:
        """Write one class for layers that differ only in numbers."""
        name = self.namer.of(group[0].name)
        text, calls = class_text(name, group)
        self.classes.append(text)
        for one, made in zip(group, calls, strict=True):
            self.made[id(one.layer)] = made


def _value(value: Any, around: Surroundings) -> Expression:
    free = Literal(value).free
    return Literal(value) if free else Raw(around.text_of(value))


def _tensor(part: Tensor) -> Expression:
    """Return a parameter, or a tensor that a container holds."""
    if not isinstance(part, nn.Parameter):
        return _zeros(part)
    made: Expression = call("nn.Parameter", _zeros(part))
    if not part.requires_grad:
        frozen = Argument("requires_grad", Literal(value=False), keyword=True)
        made = Call("nn.Parameter", (Argument("", _zeros(part)), frozen))
    return made


def _zeros(part: Tensor) -> Expression:
    shape = Argument("shape", Literal(tuple(part.shape)) if part.ndim else Raw("()"))
    if part.dtype == torch.float32:
        return Call("torch.zeros", (shape,))
    return Call("torch.zeros", (shape, Argument("dtype", Raw(str(part.dtype)), keyword=True)))


def _sort(layer: nn.Module, levels: dict[int, list[nn.Module]], known: dict[int, int]) -> int:
    """Sort layers by how many levels are below them; each is there once."""
    if id(layer) in known:
        return known[id(layer)]
    below = [_sort(child, levels, known) for child in layer.children()]
    known[id(layer)] = level = 0 if constructor(layer) else 1 + max(below, default=0)
    levels[level].append(layer)
    return level


def _ties(root: nn.Module) -> Mapping[int, list[str]]:
    """Return the statements that share layers and weights, by the innermost layer around them.

    The number 0 stands for no layer.
    """
    found: dict[int, list[str]] = defaultdict(list)
    names: dict[int, str] = {}
    shared: list[str] = []
    for name, layer in root.named_modules(remove_duplicate=False):
        first = names.setdefault(id(layer), name)
        within = any(name.startswith(f"{one}.") for one in shared)
        if first != name and not within and layer.state_dict():
            shared.append(name)
            _tie(root, first, name, found)
    weights: dict[int, str] = {}
    for name, part in root.named_parameters(remove_duplicate=False):
        first = weights.setdefault(id(part), name)
        if first != name and not any(name.startswith(f"{one}.") for one in shared):
            _tie(root, first, name, found)
    return found


def _tie(root: nn.Module, first: str, name: str, found: dict[int, list[str]]) -> None:
    one, other = first.split("."), name.split(".")
    common = 0
    while common < min(len(one), len(other)) - 1 and one[common] == other[common]:
        common += 1
    for end in range(common, -1, -1):
        layer = root.get_submodule(".".join(one[:end]))
        simple = isinstance(layer, nn.Sequential | nn.ModuleList | nn.ModuleDict)
        if not simple and constructor(layer) is None:
            paths = (path_text(layer, ".".join(path[end:])) for path in (other, one))
            found[id(layer)].append(" = ".join(paths))
            return
    found[0].append(f"{name} = {first}")
