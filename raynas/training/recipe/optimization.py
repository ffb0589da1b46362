"""How the weights of a network are changed in a step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from raynas.errors import ConfigError, unknown
from raynas.training.recipe.fields import check_ranges

OWN: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "sgd": MappingProxyType({}),
        "adamw": MappingProxyType({"betas": (0.9, 0.999), "eps": 1e-8}),
        "lion": MappingProxyType({"betas": (0.9, 0.99)}),
    }
)
"""The optimizers that need no object of torch: their options with the defaults of their papers."""

USUAL: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "sgd": (0.1, 5e-4),
        "adamw": (1e-3, 0.05),
        "lion": (1e-4, 0.5),
        "ASGD": (1e-2, 0.0),
        "Adadelta": (1.0, 0.0),
        "Adafactor": (1e-2, 0.0),
        "Adagrad": (1e-2, 0.0),
        "Adam": (1e-3, 0.0),
        "AdamW": (1e-3, 1e-2),
        "Adamax": (2e-3, 0.0),
        "Muon": (1e-3, 0.1),
        "NAdam": (2e-3, 0.0),
        "RAdam": (1e-3, 0.0),
        "RMSprop": (1e-2, 0.0),
        "Rprop": (1e-2, 0.0),
        "SGD": (1e-3, 0.0),
    }
)
"""The usual learning rate and weight decay of each optimizer.

The learning rate times the weight decay is equal for ``sgd``, ``adamw`` and ``lion``, because it
is the share of a weight that decays in a step. Those of a class of ``torch.optim`` are torch's
defaults. Classes that are not here need more than a gradient for a step (``LBFGS`` evaluates the
loss again, ``SparseAdam`` takes sparse gradients only).
"""

PRECISIONS: Final = ("auto", "float32", "bfloat16")

_OF_SGD: Final = ("momentum", "nesterov")
_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "batch_size": (2, math.inf),  # batch normalisation needs two examples
        "accumulate": (1, math.inf),
        "momentum": (0.0, 1.0),
        "grad_clip": (0.0, math.inf),
    }
)


@dataclass(frozen=True)
class Optimization:
    """How the weights are changed in a step.

    Attributes:
        optimizer: ``sgd`` (gradient descent with momentum), ``adamw`` (Loshchilov & Hutter, 2019,
            arXiv:1711.05101), ``lion`` (Chen et al., 2023, arXiv:2302.06675), or a class of
            ``torch.optim`` by its name, such as ``RMSprop``. A recipe that changes the optimizer
            gets its usual ``lr`` and ``weight_decay``, unless it sets them: 0.1 and 0.0005 for
            ``sgd``, 0.001 and 0.05 for ``adamw``, 0.0001 and 0.5 for ``lion``, torch's defaults
            for a class.
        optimizer_options: Options of the optimizer: ``betas`` and ``eps`` of ``adamw``, ``betas``
            of ``lion``, the arguments of a class.
        batch_size: The largest number of examples per batch; all batches have equal size.
        accumulate: Batches per step; the gradient of the step is the mean over their examples.
        momentum: The momentum of the gradient; for ``sgd`` only.
        nesterov: Whether to use Nesterov momentum (Sutskever et al., 2013, section 2); for ``sgd``
            only.
        grad_clip: Largest norm of the whole gradient; 0 for none.
        precision: ``auto`` for bfloat16 on a GPU that supports it and float32 elsewhere,
            ``float32``, or ``bfloat16`` (mixed precision: the weights stay float32).
        compile: Whether to train with ``torch.compile``. The first steps of every trial then take
            seconds to minutes, which short trials do not win back.
        cuda_graphs: Whether a GPU records the steps of training and scoring and replays them. A
            network that cannot be recorded trains as usual, and its trial says so.
    """

    optimizer: str = "sgd"
    optimizer_options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    batch_size: int = 128
    accumulate: int = 1
    momentum: float = 0.9
    nesterov: bool = True
    grad_clip: float = 0.0
    precision: str = "auto"
    compile: bool = False
    cuda_graphs: bool = True

    def check_optimization(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: A field is out of its range, or an option is unknown.
        """
        if self.optimizer not in USUAL:
            raise ConfigError(unknown("optimizer", self.optimizer, USUAL))
        if self.precision not in PRECISIONS:
            raise ConfigError(unknown("precision", self.precision, PRECISIONS))
        check_ranges(self, _RANGES)
        if self.optimizer != "sgd":
            self._check_options()
        elif self.nesterov and self.momentum == 0.0:
            raise ConfigError("nesterov needs a momentum above 0: got momentum=0, nesterov=true")
        elif self.optimizer_options:
            raise ConfigError(
                "sgd takes no optimizer_options, but the fields momentum and nesterov: "
                f"got {dict(self.optimizer_options)}"
            )

    def _check_options(self) -> None:
        known = OWN.get(self.optimizer)
        if known is None:  # a class of torch checks its own
            return
        for name, value in self.optimizer_options.items():
            if name not in known:
                raise ConfigError(
                    unknown(f"option of the optimizer {self.optimizer}", name, known)
                )
            if name == "betas":
                _check_betas(value)
            elif not _is_number(value) or value <= 0.0:
                raise ConfigError(f"{name} must be a number above 0: got {value!r}")

    def check_meaning(self, names: Mapping[str, object]) -> None:
        """Check that the optimizer has a use for fields that a user sets.

        Raises:
            ConfigError: It has none.
        """
        for name in _OF_SGD:
            if name in names and self.optimizer != "sgd":
                raise ConfigError(
                    f"{name} is a field of sgd and means nothing for the optimizer "
                    f"{self.optimizer}: leave it out; options of {self.optimizer} are set by "
                    "optimizer_options"
                )

    def options(self) -> dict[str, Any]:
        """Return the options of the optimizer, with defaults."""
        return {**OWN.get(self.optimizer, {}), **self.optimizer_options}


def _check_betas(betas: Any) -> None:
    pair = isinstance(betas, tuple | list) and len(betas) == 2
    if not pair or not all(_is_number(beta) and 0.0 <= beta < 1.0 for beta in betas):
        raise ConfigError(f"betas must be two numbers from 0 to below 1: got {betas!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
