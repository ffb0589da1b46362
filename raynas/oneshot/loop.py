"""A supernet's training as a task's own loop: a trial of it is trained like any other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from raynas.errors import ConfigError, unknown
from raynas.oneshot.candidate import Candidate
from raynas.oneshot.methods import METHODS
from raynas.oneshot.methods.method import Method
from raynas.oneshot.search import METHOD
from raynas.oneshot.supernet import Supernet
from raynas.oneshot.training import CANDIDATES, SHOWN, SupernetTraining
from raynas.options import build
from raynas.training.loop_context import LoopContext
from raynas.trial import Objective

FILE: Final = "candidates.json"


@dataclass(frozen=True, slots=True)
class SupernetLoop:
    """Trains a supernet by the method that its trial names, and scores architectures at the end.

    The recipe of the weights is that of the trial, with what the authors of the method set, and
    with what the user sets. Of its fields, a supernet does not use ``accumulate``, ``ema``,
    ``patience``, ``compile`` and ``cuda_graphs``.

    Attributes:
        objective: The metric by which architectures are scored, without the prefix ``val_``.
        options: The options of each method, by its name.
        recipe: The fields of the training recipe that the user has set.
        count: How many candidates each supernet proposes.
    """

    objective: Objective
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    count: int = 16

    def fit(self, supernet: Supernet, context: LoopContext) -> Iterator[dict[str, float]]:
        """Train for an epoch at a time; yield its metrics.

        With the last report, the candidates are saved: a JSON list, in ``candidates.json``.
        """
        method = self.method(str(context.architecture[METHOD]))
        recipe = context.recipe.with_overrides(method.recipe).with_overrides(self.recipe)
        training = SupernetTraining(supernet, context, recipe, self.objective)
        method.begin(training)
        context.track(method=method)
        for epoch in context.epochs():
            training.scores.forget()
            metrics = dict(method.train(training, epoch))
            shown = method.shown(training, training.rng(epoch, SHOWN))
            scores = [training.scores.score(one) for one in shown]
            metrics[f"shared_{self.objective.metric}"] = sum(scores) / len(scores)
            if epoch + 1 == context.last_epoch:
                rng = training.rng(epoch, CANDIDATES)
                found = method.candidates(training, self.count, rng)
                path = context.directory / FILE
                path.write_text(json.dumps([one.to_data() for one in found]))
                context.save(path)
            yield metrics

    def method(self, name: str) -> Method:
        """Return the method of a name with its options."""
        return method_of(name, self.options.get(name, {}))


def method_of(name: str, options: Mapping[str, Any]) -> Method:
    """Return the method of a name with options.

    Raises:
        ConfigError: There is no such method, or an option is unknown or out of range.
    """
    if name not in METHODS:
        raise ConfigError(unknown("method", name, METHODS))
    return build(f"method {name!r}", METHODS[name], options)


def read_candidates(content: bytes) -> list[Candidate]:
    """Return the candidates that a loop has saved."""
    return [Candidate.from_data(one) for one in json.loads(content)]
