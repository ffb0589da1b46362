"""The file ``model.py`` of an exported network, and the tensors that belong to it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

import torch
from torch import Tensor, nn

from raynas.training.source.expressions import UnwritableError, Writer, literals, plain_text
from raynas.training.source.network import Network
from raynas.trees import leaves, named_leaves

_FEW: Final = 4  # numbers that are written out
TOLERANCE: Final = 1e-6  # of the largest output, or of 1 if that is less
_MODULE: Final = "raynas_written_model"
_HEAD: Final = '''"""{title}

Plain PyTorch, to read, edit and train. The trained network::

    from model import load

    network = load()  # the weights of model.safetensors, in evaluation mode
    predictions = network(inputs)

Inputs have the units of the training data: ``Model`` normalises them. README.md says more.
"""

from __future__ import annotations
'''
_LOAD: Final = '''

def load(folder=Path(__file__).parent):
    """Return the trained network, in evaluation mode."""
    from safetensors.torch import load_file

    model = Model()
    model.load_state_dict(load_file(Path(folder) / "model.safetensors"))
    return model.eval()
'''


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A network as source.

    Attributes:
        source: The text of ``model.py``.
        state: All tensors of its class ``Model``.
        packages: The packages that it imports, beside torch and the standard library.
    """

    source: str
    state: Mapping[str, Tensor]
    packages: Sequence[str]


def model_file(network: Any, inputs: Any, title: str) -> ModelFile:
    """Return a network and its normalisation as source that gives the same predictions.

    Args:
        network: A ``raynas.training.export.Predictions`` in evaluation mode, on the CPU.
        inputs: Inputs of two examples, by which the outputs are compared.
        title: The first line of the file.

    Raises:
        UnwritableError: The network cannot be written, or what is written gives others.
    """
    child, written = network.child, Network()
    with torch.no_grad():
        outputs = child(network.normal(inputs))
        expected = network(inputs)
    made = written.write(child)
    texts = [
        None if default == (value,) else plain_text(value) for _, value, default in literals(made)
    ]
    norms = _Norms.of(network, inputs)
    helpers = written.around.helpers
    constants = [text for name, text in helpers.items() if text.startswith(f"{name} = ")]
    others = [text for name, text in helpers.items() if not text.startswith(f"{name} = ")]
    body = ["\n".join(constants)] if constants else []
    body += [*others, *written.classes]
    text = Writer(texts).write(made, 23)
    answer = _Answer.of(outputs, expected, network.goal)
    body.append(_model(text, norms, answer))
    text = "\n\n\n".join(body)
    source = f"{_HEAD.format(title=title)}{_imports(written, text)}\n\n\n{text}\n{_LOAD}"
    state = {f"network.{name}": part for name, part in _tensors(child).items()}
    state |= {**norms.state, **answer.state}
    _check(source, state, inputs, expected)
    return ModelFile(source, state, _packages(written))


@dataclass(frozen=True, slots=True)
class _Norms:
    """The normalisation, as statements."""

    state: dict[str, Tensor]
    text: str  # how ``inputs`` are normalised

    @classmethod
    def of(cls, network: Any, inputs: Any) -> _Norms:
        state: dict[str, Tensor] = {}
        names = [name for name, _ in named_leaves(inputs)]
        texts = []
        for at, name in enumerate(names):
            end = f"_{name.replace('.', '_')}" if name else ""
            read = "inputs" + "".join(_index(part) for part in name.split(".") if part)
            mean, std = getattr(network, f"mean{at}"), getattr(network, f"std{at}")
            if mean is None:
                texts.append(read)
                continue
            state |= {f"mean{end}": mean, f"std{end}": std}
            texts.append(f"({read} - self.mean{end}) / self.std{end}")
        if not state:
            return cls({}, "inputs")
        return cls(state, _tree_text(inputs, iter(texts)))


def _index(part: str) -> str:
    return f"[{part}]" if part.isdigit() else f'["{part}"]'


def _tree_text(tree: Any, texts: Any) -> str:
    if isinstance(tree, Mapping):
        pairs = (f'"{name}": {_tree_text(part, texts)}' for name, part in tree.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(tree, tuple | list):
        if hasattr(tree, "_fields"):
            raise UnwritableError("its inputs are a named tuple")
        inner = ", ".join(_tree_text(part, texts) for part in tree)
        ends = ("(", ",)") if isinstance(tree, tuple) else ("[", "]")
        return f"{ends[0]}{inner}{ends[1]}"
    return str(next(texts))


@dataclass(frozen=True, slots=True)
class _Answer:
    """How predictions are computed from the outputs of the child."""

    part: str = ""  # the part of the outputs
    state: Mapping[str, Tensor] = field(default_factory=dict)  # of the units of the targets

    @classmethod
    def of(cls, outputs: Any, expected: Any, goal: Any) -> _Answer:
        """Find it by the values.

        Raises:
            UnwritableError: The goal computes something else.
        """
        if _same(outputs, expected):
            return cls()
        for text, part in _parts(outputs):
            if _same(part, expected):
                return cls(text)
            if isinstance(part, Tensor) and getattr(goal, "std", None):
                std, mean = (part.new_tensor(one) for one in (goal.std, goal.mean))
                if torch.equal(part * std + mean, expected):
                    return cls(text, {"target_mean": mean, "target_std": std})
        raise UnwritableError("what its outputs mean is said by the task's own code")

    def text(self, network: str) -> str:
        """Return the expression of the predictions."""
        units = " * self.target_std + self.target_mean" if self.state else ""
        return f"{network}{self.part}{units}"


def _parts(outputs: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of outputs, each with the text that reads it."""
    if isinstance(outputs, Tensor):
        yield "", outputs
    elif isinstance(outputs, Mapping):
        yield from ((f'["{name}"]', part) for name, part in outputs.items())
    elif isinstance(outputs, tuple | list):
        yield from ((f"[{at}]", part) for at, part in enumerate(outputs))
    else:
        yield from ((f".{name}", part) for name, part in vars(outputs).items())


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) != isinstance(other, Tensor):
        return False
    pairs = [*zip([*leaves(one)], [*leaves(other)], strict=False)]
    return len([*leaves(one)]) == len([*leaves(other)]) and all(
        isinstance(a, Tensor) and isinstance(b, Tensor) and torch.equal(a, b) for a, b in pairs
    )


def _model(made: str, norms: _Norms, answer: _Answer) -> str:
    lines = [
        "class Model(nn.Module):",
        '    """The network, for inputs in the units of the data."""',
        "",
        "    def __init__(self):",
        "        super().__init__()",
        *(f"        {line}" for line in f"self.network = {made}".splitlines()),
    ]
    for name, part in {**norms.state, **answer.state}.items():
        lines.append(f'        self.register_buffer("{name}", {_norm_text(name, part)})')
    lines += [
        "",
        "    def forward(self, inputs):",
        '        """Return the predictions for a batch of inputs."""',
        f"        return {answer.text(f'self.network({norms.text})')}",
    ]
    return "\n".join(lines)


def _norm_text(name: str, part: Tensor) -> str:
    """Return what makes a tensor of the normalisation; many numbers come with the weights."""
    shape = ", ".join(map(str, part.shape))
    if part.numel() > _FEW:
        return f"torch.{'ones' if 'std' in name else 'zeros'}({shape})"
    if not part.ndim:
        return f"torch.tensor({part.item()!r})"
    numbers = ", ".join(map(repr, part.flatten().tolist()))
    return f"torch.tensor([{numbers}]).reshape({shape})"


def _tensors(child: nn.Module) -> dict[str, Tensor]:
    """Return all tensors of a network, also the buffers that its ``state_dict`` leaves out.

    Raises:
        UnwritableError: Its state holds something that is no tensor.
    """
    state = dict(child.state_dict())
    for name, buffer in child.named_buffers():
        state.setdefault(name, buffer)
    if any(not isinstance(part, Tensor) for part in state.values()):
        raise UnwritableError("its state holds more than tensors")
    if rare := [part.dtype for part in state.values() if part.dtype == torch.complex128]:
        raise UnwritableError(f"safetensors cannot hold numbers of {rare[0]}")
    return state


def _imports(written: Network, body: str) -> str:
    """Return the imports, those of the standard library first."""
    lines = {*written.around.imports.values(), "from pathlib import Path"}
    lines.add("from torch import nn")
    lines |= {"import torch"} if re.search(r"\btorch\.", body) else set()
    lines |= {"import torch.nn.functional as F"} if re.search(r"\bF\.", body) else set()
    plain = [line for line in lines if line.startswith("import ")]
    taken: dict[str, list[str]] = {}
    for line in sorted(lines - {*plain}):
        _, home, _, name = line.split(maxsplit=3)
        taken.setdefault(home, []).append(name)
    whole = [*sorted(plain), *(f"from {home} import {', '.join(n)}" for home, n in taken.items())]
    roots = {line: line.split()[1].partition(".")[0] for line in whole}
    standard = [line for line in whole if roots[line] in sys.stdlib_module_names]
    others = [line for line in whole if roots[line] not in sys.stdlib_module_names]
    return "\n" + "\n".join([*standard, "", *others])


def _packages(written: Network) -> list[str]:
    roots = {line.split()[1].partition(".")[0] for line in written.around.imports.values()}
    return sorted(root for root in roots if root not in sys.stdlib_module_names | {"torch"})


def _check(source: str, state: Mapping[str, Tensor], inputs: Any, expected: Any) -> None:
    """Check that the written network gives the same predictions.

    Raises:
        UnwritableError: It does not.
    """
    module = ModuleType(_MODULE)
    module.__file__ = "model.py"
    sys.modules[_MODULE] = module  # dataclasses look for it
    try:
        exec(compile(source, "model.py", "exec"), vars(module))
        model = module.Model()
        model.load_state_dict(state)
        with torch.no_grad():
            given = model.eval()(inputs)
    except Exception as error:
        raise UnwritableError(f"its source fails: {type(error).__name__}: {error}") from error
    finally:
        del sys.modules[_MODULE]
    for one, other in zip(leaves(given), leaves(expected), strict=True):
        bound = TOLERANCE * max(1.0, float(other.abs().max()))
        apart = float((one - other).abs().max())
        if not apart <= bound:
            raise UnwritableError(f"its source gives other predictions, by {apart:.2g}")
