"""Networks that are made in unusual ways, by name; their inputs are ``[1, 8, 8]``."""

import warnings
from collections import UserDict, namedtuple
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils import parametrizations

PIXELS, WIDTH = 64, 8
Both = namedtuple("Both", "logits aux")


class Child(nn.Module):
    """Two linear layers, and what is unusual between them or after them."""

    def __init__(self, classes):
        super().__init__()
        self.first = nn.Linear(PIXELS, WIDTH)
        self.last = nn.Linear(WIDTH, classes)

    def forward(self, inputs):
        return self.answer(self.last(self.middle(self.first(inputs.flatten(1)).relu())))

    def middle(self, features):
        return features

    def answer(self, logits):
        return logits


class UsedTwice(Child):
    def __init__(self, classes):
        super().__init__(classes)
        self.inner = self.again = nn.Linear(WIDTH, WIDTH)

    def middle(self, features):
        return self.again(self.inner(features).relu())


class TiedWeights(Child):
    def __init__(self, classes):
        super().__init__(classes)
        self.inner, self.outer = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.outer.weight = self.inner.weight

    def middle(self, features):
        return self.outer(self.inner(features).relu())


class Buffers(Child):
    """Buffers that share memory, are views, or have numbers of another type."""

    def __init__(self, classes):
        super().__init__(classes)
        table = torch.arange(WIDTH * WIDTH).float().reshape(WIDTH, WIDTH) / 100
        self.register_buffer("table", table)
        self.register_buffer("turned", table.t())
        self.register_buffer("part", table[1:3, ::2])
        self.register_buffer("same", table)
        self.register_buffer("spread", torch.ones(1).expand(WIDTH))
        self.register_buffer("mask", torch.arange(WIDTH) > 1)
        self.register_buffer("steps", torch.tensor(3))
        self.register_buffer("nothing", None)
        self.register_buffer("empty", torch.zeros(0, 3))
        self.register_buffer("short", torch.ones(2, dtype=torch.float16))

    def middle(self, features):
        wider = features @ self.turned + features * self.spread + self.part.sum()
        return torch.where(self.mask, wider, features) / self.steps


class Passing(Child):
    """A buffer that training changes and the ``state_dict`` does not hold."""

    def __init__(self, classes):
        super().__init__(classes)
        self.register_buffer("mean", torch.zeros(WIDTH), persistent=False)

    def middle(self, features):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * features.detach().mean(0)
        return features - self.mean


class ComplexBuffer(Child):
    def __init__(self, classes, dtype=torch.complex64):
        super().__init__(classes)
        self.register_buffer("wave", torch.polar(torch.ones(WIDTH), torch.ones(WIDTH)).to(dtype))

    def middle(self, features):
        return (features * self.wave).abs().float() + features


class ComplexWeights(Child):
    def __init__(self, classes):
        super().__init__(classes)
        self.wave = nn.Parameter(torch.polar(torch.ones(WIDTH), torch.ones(WIDTH)))

    def middle(self, features):
        return (features * self.wave).real


class Half(Child):
    def __init__(self, classes):
        super().__init__(classes)
        self.scale = nn.Parameter(torch.ones(WIDTH, dtype=torch.bfloat16))
        self.inner = nn.Linear(WIDTH, WIDTH).bfloat16()

    def middle(self, features):
        return self.inner(features.bfloat16() * self.scale).float()


class Scalars(Child):
    def __init__(self, classes):
        super().__init__(classes)
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.frozen = nn.Parameter(torch.ones(WIDTH), requires_grad=False)
        self.idle = nn.Parameter(torch.ones(3))

    def middle(self, features):
        return features * self.scale * self.frozen


class Wrapped(Child):
    """One that keeps a layer changed by ``change``."""

    def __init__(self, classes, change):
        super().__init__(classes)
        self.inner = change(nn.Linear(WIDTH, WIDTH))

    def middle(self, features):
        return self.inner(features)


class Lazy(Child):
    def __init__(self, classes):
        super().__init__(classes)
        self.norm = nn.LazyBatchNorm1d()
        self.inner = nn.LazyLinear(WIDTH)

    def middle(self, features):
        return self.inner(self.norm(features))


class LazyInTraining(Lazy):
    """A lazy layer that only training uses."""

    def middle(self, features):
        return self.inner(self.norm(features)) if self.training else features


class ExtraState(Child):
    """A state that is no tensor."""

    def get_extra_state(self):
        return {"version": 3}

    def set_extra_state(self, state):
        assert state == {"version": 3}


class Answer(Child):
    def __init__(self, classes, answer):
        super().__init__(classes)
        self.answer = answer


@dataclass
class Output:
    logits: torch.Tensor
    loss: None = None


def quietly(make):
    """Return what ``make`` returns, without torch's warnings of what is old."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


def scripted(classes):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, WIDTH), nn.ReLU(), nn.Linear(8, classes))
    return quietly(lambda: torch.jit.script(flat))


def convolutions(classes):
    layers = [nn.LazyConv2d(4, 3, padding=1), nn.LazyBatchNorm2d(), nn.ReLU()]
    return nn.Sequential(*layers, nn.Dropout(0.2), nn.Flatten(), nn.LazyLinear(classes))


KINDS = {
    "plain": Child,
    "a layer used twice": UsedTwice,
    "tied weights": TiedWeights,
    "buffers": Buffers,
    "a passing buffer": Passing,
    "a complex buffer": ComplexBuffer,
    "a rare type": lambda classes: ComplexBuffer(classes, torch.complex128),
    "complex weights": ComplexWeights,
    "bfloat16": Half,
    "scalars": Scalars,
    "weight norm": lambda classes: Wrapped(classes, parametrizations.weight_norm),
    "spectral norm": lambda classes: Wrapped(classes, parametrizations.spectral_norm),
    "orthogonal": lambda classes: Wrapped(classes, parametrizations.orthogonal),
    "the old weight norm": lambda classes: quietly(lambda: Wrapped(classes, nn.utils.weight_norm)),
    "lazy layers": Lazy,
    "lazy convolutions": convolutions,
    "an extra state": ExtraState,
    "a compiled script": scripted,
    "a dict of logits": lambda classes: Answer(classes, lambda logits: {"logits": logits}),
    "a mapping": lambda classes: Answer(
        classes, lambda logits: UserDict(logits=logits, loss=None)
    ),
    "an object with logits": lambda classes: Answer(classes, Output),
    "a named tuple": lambda classes: Answer(classes, lambda logits: Both(logits, logits)),
    "a tuple of one": lambda classes: Answer(classes, lambda logits: (logits,)),
}

REFUSED = {
    "a pair": (lambda logits: (logits, logits), r"it returned a tuple of 2 \(a tensor \("),
    "a list": (lambda logits: [logits] * 5, r"it returned a list of 5 .*, \.\.\.\)"),
    "a dict": (lambda logits: {"out": logits}, "it returned a dict with 'out'"),
    "nothing": (lambda _: None, "it returned None"),
    "an object": (lambda _: object(), "it returned a object"),
    "a number": (lambda logits: logits.sum().item(), "it returned a float"),
    "labels": (lambda logits: logits.argmax(1), "it returned a tensor .* of int64"),
    "a scalar": (
        lambda logits: logits.sum(),
        r"one logit per class .*: got \(\)",
    ),
    "one row": (
        lambda logits: logits[0],
        r"one logit per class .*: got \(10,\)",
    ),
}


def build(architecture, input_shape, classes):
    del input_shape
    return KINDS[architecture["kind"]](classes)
