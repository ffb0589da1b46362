"""The options of a decision side by side, and what is computed with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone writes it
from torch import Tensor, nn

from raynas.errors import SpaceError

Route = Callable[..., Tensor]
"""``route(options, *inputs)`` computes the output of a mixture with some of its options."""

_POOLS: Final = (F.max_pool1d, F.max_pool2d, F.max_pool3d)

Routes = dict[str, Route]
"""The route of each mixture, by the path of its decision."""


class Zero(nn.Module):
    """An option that is no connection: its output is zero. A weighted sum leaves it out."""

    def __init__(self, stride: int = 1) -> None:
        """Keep the stride with which other options make ``[batch, channels, ...]`` smaller."""
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros."""
        places = (slice(None, None, self.stride),) * (x.ndim - 2)
        return torch.zeros_like(x if self.stride == 1 else x[:, :, *places])


@dataclass(frozen=True, slots=True)
class Only:
    """One option.

    Attributes:
        at: Its place among the options.
    """

    at: int

    def __call__(self, options: Sequence[nn.Module], *inputs: Any) -> Tensor:
        """Return its output."""
        output: Tensor = options[self.at](*inputs)
        return output


@dataclass(frozen=True, slots=True)
class Weighted:
    """The weighted sum of options.

    Attributes:
        weights: ``[options]``: the weights.
        among: The places of the options that are computed; none for all.
    """

    weights: Tensor
    among: tuple[int, ...] | None = None

    def __call__(self, options: Sequence[nn.Module], *inputs: Any) -> Tensor:
        """Return the sum.

        Raises:
            SpaceError: The options return different shapes, or no tensors.
        """
        asked = range(len(options)) if self.among is None else self.among
        places = [at for at in asked if not isinstance(options[at], Zero)] or [*asked][:1]
        weights = self.weights.unbind()
        total: Tensor | None = None
        for at in places:
            term = _tensor(options[at](*inputs)) * weights[at]
            if total is not None and total.shape != term.shape:
                raise SpaceError(
                    f"options that are mixed must return tensors of one shape: got "
                    f"{tuple(total.shape)} and {tuple(term.shape)}"
                )
            total = term if total is None else total + term
        assert total is not None  # noqa: S101 - a decision has an option
        return total


@dataclass(frozen=True, slots=True)
class Edge:
    """A route on an edge that counts with a weight among those that enter its node.

    The whole output of the mixture is multiplied, also channels that pass it.

    Attributes:
        route: What is computed.
        weight: The weight of the edge, without dimensions.
    """

    route: Route
    weight: Tensor

    def __call__(self, options: Sequence[nn.Module], *inputs: Any) -> Tensor:
        """Return the weighted output."""
        return self.route(options, *inputs) * self.weight


def _tensor(output: Any) -> Tensor:
    if not isinstance(output, Tensor):
        raise SpaceError(f"options that are mixed must return one tensor each, got {output!r:.99}")
    return output


class Mixture(nn.Module):
    """All options of a decision; a route says what is computed with them.

    Attributes:
        path: The path of the decision.
    """

    def __init__(self, path: str, options: Sequence[nn.Module], routes: Routes) -> None:
        """Keep the options.

        Args:
            path: The path of the decision.
            options: In the order of the decision's values.
            routes: The routes of all mixtures of the supernet; they change from step to step.
        """
        super().__init__()
        self.path = path
        self._routes = routes
        for at, option in enumerate(options):
            self.add_module(str(at), option)

    @property
    def options(self) -> list[nn.Module]:
        """The options, in the order of the decision's values."""
        # Not ``children``, which leaves one out if two are one module. A search by name would take
        # longer than some options do.
        return [one for one in self._modules.values() if one is not None]

    def forward(self, *inputs: Any) -> Tensor:
        """Return what the route makes of the inputs.

        Raises:
            SpaceError: Options return different shapes; the decision is named.
        """
        return self._mixed(self.route, *inputs)

    @property
    def route(self) -> Route:
        """The present route."""
        return self._routes[self.path]

    def _mixed(self, route: Route, *inputs: Any) -> Tensor:
        try:
            return route(self.options, *inputs)
        except SpaceError as error:
            raise SpaceError(f"in the decision {self.path!r}, {error}") from error


class PartialMixture(Mixture):
    """A mixture of the first channels only; the others pass (PC-DARTS: Xu et al., 2020).

    arXiv:1907.05737, section 3.2. If the options halve the size, the channels that pass are
    max-pooled, as in the authors' code. The channels are shuffled at the end, so that the next
    mixture gets others.
    """

    def __init__(
        self, path: str, options: Sequence[nn.Module], routes: Routes, channels: int
    ) -> None:
        """Keep the options, which were made for the first ``channels``."""
        super().__init__(path, options, routes)
        self.channels = channels

    def forward(self, *inputs: Any) -> Tensor:
        """Map ``[batch, channels, height, width]`` to the same number of channels."""
        (x,) = inputs
        route = self.route
        if isinstance(route, Edge):
            return self._partly(route.route, x) * route.weight
        return self._partly(route, x)

    def _partly(self, route: Route, x: Tensor) -> Tensor:
        mixed = self._mixed(route, x[:, : self.channels])
        others = x[:, self.channels :]
        if not others.shape[1]:
            return mixed
        if mixed.shape[2:] != others.shape[2:]:
            others = _POOLS[others.ndim - 3](others, 2, 2, ceil_mode=True)
        return shuffled(torch.cat([mixed, others], 1), self.channels)


def shuffled(x: Tensor, part: int) -> Tensor:
    """Return the channels of ``[batch, channels, ...]`` in another order.

    Channel ``i`` of each successive group of ``part`` channels comes before channel ``i + 1``.
    """
    groups, rest = divmod(x.shape[1], part)
    if rest:
        return x.roll(-part, 1)
    groups_first = x.view(len(x), groups, part, *x.shape[2:])
    return groups_first.transpose(1, 2).reshape(x.shape)
