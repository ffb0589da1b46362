"""What keeps a network from learning its training data by heart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from raynas.training.recipe.fields import check_ranges

_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "weight_decay": (0.0, math.inf),
        "label_smoothing": (0.0, 1.0),
        "ema": (0.0, 0.99999),
        "patience": (0, math.inf),
    }
)


@dataclass(frozen=True)
class Regularisation:
    """What keeps a network from learning its training data by heart.

    Attributes:
        weight_decay: The weight decay of the parameters.
        decay_norms: Whether biases, normalisations, embeddings and other parameters with one
            dimension decay too. He et al. (2019, arXiv:1812.01187, section 3.1) leave biases and
            normalisations out. The default is to decay all, as in the recipes of NAS-Bench-201 and
            DARTS, to which the results of the shipped spaces are compared.
        label_smoothing: Share of the target spread over all classes (Szegedy et al., 2016,
            arXiv:1512.00567, section 7).
        ema: Decay per step of a moving average of the weights (Polyak & Juditsky, 1992); 0 for
            none. The average is what is scored, inherited and exported. In early steps the decay
            is smaller, so that the initial weights are soon forgotten.
        patience: The training ends if ``val_loss`` has not improved for so many epochs (Prechelt,
            1998, doi:10.1007/3-540-49430-8_3); 0 for never. The network then has the weights and
            the scores of its best epoch, also for the epochs that are left, which take no time.
            A winner is trained for as many epochs as the best one.
    """

    weight_decay: float = 5e-4
    decay_norms: bool = True
    label_smoothing: float = 0.1
    ema: float = 0.0
    patience: int = 0

    def check_regularisation(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: A field is out of its range.
        """
        check_ranges(self, _RANGES)
