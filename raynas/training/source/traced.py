"""The text of a ``forward``, traced by ``torch.fx``: what this one architecture computes."""

from __future__ import annotations

import inspect
import operator
import re
from collections.abc import Callable, Mapping
from keyword import iskeyword
from typing import Any, Final

import torch
from torch import fx, nn

from raynas.training.source.expressions import UnwritableError
from raynas.training.source.paths import path_text

_INFIX: Final[Mapping[Any, str]] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.floordiv: "//",
    operator.mod: "%",
    operator.matmul: "@",
    operator.pow: "**",
    operator.gt: ">",
    operator.lt: "<",
    operator.ge: ">=",
    operator.le: "<=",
    operator.eq: "==",
    operator.ne: "!=",
    operator.and_: "&",
    operator.or_: "|",
}


class _Sized(fx.proxy.ParameterProxy):
    """A parameter or buffer, whose sizes are known."""

    def __len__(self) -> int:
        return int(self.param.shape[0])


class _Tracer(fx.Tracer):
    """Enters only the layer itself: its parts are calls."""

    proxy_buffer_attributes = True

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return that a part is called, not entered."""
        del m, module_qualified_name
        return True

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Return a stand-in for a tensor of the layer."""
        del attr  # the whole path is found by the tensor itself
        if not isinstance(attr_val, torch.Tensor):
            return attr_val
        tensor: Any = attr_val
        named = (*self.root.named_parameters(), *self.root.named_buffers())
        for name, part in named:
            if part is attr_val:
                if name not in parameter_proxy_cache:
                    make = lambda node: _Sized(self, node, name, tensor)  # noqa: E731, B023
                    parameter_proxy_cache[name] = self.create_proxy(
                        "get_attr", name, (), {}, proxy_factory_fn=make
                    )
                return parameter_proxy_cache[name]
        return attr_val


def traced(layer: nn.Module) -> str:
    """Return the text of ``forward`` as a method, traced in both modes.

    Raises:
        UnwritableError: It cannot be traced, because it looks at values or at sizes.
    """
    was = layer.training
    try:
        scoring, training = (_body(layer.train(mode)) for mode in (False, True))
    finally:
        layer.train(was)
    names, body = scoring
    if training != scoring:
        body = [
            "if self.training:",
            *(f"    {line}" for line in training[1]),
            *body,
        ]
    head = f"def forward(self, {', '.join(names)}):" if names else "def forward(self):"
    return "\n".join([head, *_docstring(layer), *(f"    {line}" for line in body)])


def _docstring(layer: nn.Module) -> list[str]:
    said = inspect.getdoc(type(layer).forward) or ""
    return [f'    """{said.splitlines()[0]}"""'] if said else []


def _body(layer: nn.Module) -> tuple[list[str], list[str]]:
    """Return the names of the inputs and the statements."""
    try:
        graph = _Tracer().trace(layer)
    except Exception as error:
        raise UnwritableError(f"{type(error).__name__}: {error}") from error
    for node in reversed(graph.nodes):
        if not node.users and not _has_effect(node):
            graph.erase_node(node)
    writer = _Statements(layer)
    for node in graph.nodes:
        writer.add(node)
    return writer.inputs, writer.lines


def _has_effect(node: fx.Node) -> bool:
    """Return whether a node without users is needed: inputs, layers, and what changes its input.

    Names of methods that change their input end in ``_``.
    """
    if node.op in ("placeholder", "output", "call_module"):
        return True
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return name.endswith("_") and not name.endswith("__")


class _Statements:
    """Writes the nodes of a graph, one statement for each."""

    def __init__(self, layer: nn.Module) -> None:
        self.inputs: list[str] = []
        self.lines: list[str] = []
        self._layer = layer
        self._texts: dict[fx.Node, str] = {}

    def add(self, node: fx.Node) -> None:
        """Write a node."""
        match node.op:
            case "placeholder":
                default = f"={self._value(node.args[0])}" if node.args else ""
                self.inputs.append(f"{node.target}{default}")
                self._texts[node] = str(node.target)
            case "get_attr" if str(node.target).startswith("_tensor_constant"):
                delattr(self._layer, str(node.target))  # fx has put it there
                raise UnwritableError("it computes with a tensor that is no part of it")
            case "get_attr":
                self._texts[node] = path_text(self._layer, str(node.target))
            case "output":
                self._return(self._value(node.args[0]))
            case _:
                self._compute(node)

    def _compute(self, node: fx.Node) -> None:
        text = self._called(node)
        if node.target in (getattr, operator.getitem) and len(node.users) <= 1:
            self._texts[node] = text  # what looks into a value needs no line of its own
            return
        name = self._texts[node] = self._new_name(node.name)
        self.lines.append(f"{name} = {text}" if node.users else text)

    def _return(self, text: str) -> None:
        last = self.lines[-1] if self.lines else ""
        if last.startswith(f"{text} = "):
            self.lines[-1] = f"return {last.removeprefix(f'{text} = ')}"
        else:
            self.lines.append(f"return {text}")

    def _new_name(self, given: str) -> str:
        """Return a name for a value: that of fx, without the underscore of methods."""
        base = re.sub(r"_(_\d+)?$", "", given) or "value"
        base = base if base.isidentifier() and not iskeyword(base) else "value"
        name, number, taken = base, 0, {*self._texts.values()}
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        return name

    def _called(self, node: fx.Node) -> str:
        target, args, kwargs = node.target, node.args, dict(node.kwargs)
        if node.op == "call_module":
            return f"{path_text(self._layer, str(target))}({self._arguments(args, kwargs)})"
        if node.op == "call_method":
            first, *others = args
            return f"{self._bound(first)}.{target}({self._arguments(others, kwargs)})"
        if target is getattr:
            return f"{self._bound(args[0])}.{args[1]}"
        if target is operator.getitem:
            return f"{self._bound(args[0])}[{self._index(args[1])}]"
        if target in _INFIX and len(args) == 2:
            return f"{self._operand(args[0])} {_INFIX[target]} {self._operand(args[1])}"
        if target is operator.neg:
            return f"-{self._operand(args[0])}"
        function: Any = target
        return f"{_function(function)}({self._arguments(args, _unusual(function, kwargs))})"

    def _arguments(self, args: Any, kwargs: Mapping[str, Any]) -> str:
        named = (f"{name}={self._value(value)}" for name, value in kwargs.items())
        return ", ".join([*map(self._value, args), *named])

    def _bound(self, value: Any) -> str:
        text = self._value(value)
        return text if isinstance(value, fx.Node) else f"({text})"

    def _operand(self, value: Any) -> str:
        return self._value(value)

    def _index(self, value: Any) -> str:
        if isinstance(value, tuple):
            return ", ".join(map(self._index, value))
        if isinstance(value, slice):
            ends = [value.start, value.stop, value.step]
            texts = ["" if one is None else self._value(one) for one in ends]
            return ":".join(texts if texts[2] else texts[:2])
        return self._value(value)

    def _value(self, value: Any) -> str:
        match value:
            case fx.Node():
                return self._texts[value]
            case tuple():
                inner = ", ".join(map(self._value, value))
                return f"({inner},)" if len(value) == 1 else f"({inner})"
            case list():
                return f"[{', '.join(map(self._value, value))}]"
            case dict():
                return "{" + ", ".join(f"{k!r}: {self._value(v)}" for k, v in value.items()) + "}"
            case slice():
                return f"slice({self._value(value.start)}, {self._value(value.stop)})"
            case float() if value in (float("inf"), float("-inf")):
                return f'float("{value}")'
            case bool() | int() | float() | str() | None | torch.dtype():
                return repr(value)
            case torch.device():
                return f'"{value}"'
            case _:
                raise UnwritableError(f"a {type(value).__name__} is no plain value")


def _function(function: Callable[..., Any]) -> str:
    """Return how a function of torch is called."""
    name = getattr(function, "__name__", "")
    for module, prefix in ((torch.nn.functional, "F"), (torch, "torch")):
        if getattr(module, name, None) is function:
            return f"{prefix}.{name}"
    if function.__module__ == "torch._C._nn" and hasattr(torch.nn.functional, name):
        return f"F.{name}"
    raise UnwritableError(f"the function {name or function!r} is not one of torch")


def _unusual(function: Callable[..., Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that differ from their defaults."""
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return kwargs
    return {
        name: value
        for name, value in kwargs.items()
        if name not in known or known[name].default is not value
    }
