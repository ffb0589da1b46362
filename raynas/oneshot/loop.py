"""A supernet's training as a task's own loop: a trial of it is trained like any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from raynas.errors import ConfigError, unknown
from raynas.oneshot.methods import METHODS
from raynas.oneshot.methods.method import Method, check_parallel
from raynas.oneshot.scoring import SharedScores
from raynas.oneshot.search import METHOD, SHARED
from raynas.oneshot.supernet import Supernet
from raynas.oneshot.training import SHOWN, SupernetTraining, shared_scores
from raynas.options import build
from raynas.training.loop_context import LoopContext
from raynas.training.recipe import Recipe
from raynas.trial import Objective


@dataclass(frozen=True, slots=True)
class SupernetLoop:
    """Trains a supernet by the method that its trial names.

    Several processes train the supernet together, and process 0 scores architectures.

    The recipe of the weights is that of the trial, with what the authors of the method set, and
    with what the user sets. Of its fields, a supernet does not use ``accumulate``, ``ema``,
    ``patience``, ``compile`` and ``cuda_graphs``.

    Attributes:
        objective: The metric by which architectures are scored, without the prefix ``val_``.
        options: The options of each method, by its name.
        recipe: The fields of the training recipe that the user has set.
    """

    objective: Objective
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def fit(self, supernet: Supernet, context: LoopContext) -> Iterator[dict[str, float]]:
        """Train for an epoch at a time; yield its metrics."""
        method = self.method(str(context.architecture[METHOD]))
        recipe = self.recipe_of(method, context.recipe)
        peers = context.peers
        if peers.count > 1:
            check_parallel(method)
        training = SupernetTraining(supernet, context, recipe, self.objective)
        method.begin(training)
        context.track(method=method)
        for epoch in context.epochs():
            # Its statistics of normalisations are those of its parts of the batches; no score
            # uses them.
            peers.send(supernet)
            training.scores.forget()
            metrics = dict(method.train(training, epoch))
            metrics["train_loss"] = peers.total([metrics["train_loss"]])[0] / peers.count
            if peers.rank == 0:
                # The same generator in each epoch: the metric shall change by training alone.
                shown = method.shown(training, training.rng(0, SHOWN))
                metrics[SHARED + self.objective.metric] = training.glimpse(shown, epoch)
            yield metrics

    def scores(self, supernet: Supernet, context: LoopContext) -> SharedScores:
        """Return what scores architectures by a trained supernet, as ``fit`` does."""
        method = self.method(str(context.architecture[METHOD]))
        recipe = self.recipe_of(method, context.recipe)
        return shared_scores(supernet, context, recipe, self.objective)

    def method(self, name: str) -> Method:
        """Return the method of a name with its options."""
        return method_of(name, self.options.get(name, {}))

    def recipe_of(self, method: Method, recipe: Recipe) -> Recipe:
        """Return the recipe of the weights, given that of the task."""
        return recipe.with_overrides(method.recipe).with_overrides(self.recipe)


def method_of(name: str, options: Mapping[str, Any]) -> Method:
    """Return the method of a name with options.

    Raises:
        ConfigError: There is no such method, or an option is unknown or out of range.
    """
    if name not in METHODS:
        raise ConfigError(unknown("method", name, METHODS))
    return build(f"method {name!r}", METHODS[name], options)
