"""The predictor of network quality that BANANAS and NPENAS share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.rng import fit_rng
from raynas.searchers.predictor.encoding import Encoding, Kind, chosen
from raynas.searchers.predictor.ensemble import Ensemble, train
from raynas.searchers.training_set import TrainingSet, training_set
from raynas.space import Architecture, Space
from raynas.trial import Trial

_SHORTLIST: Final = 20  # networks among which the recommended one is chosen


@dataclass(frozen=True, slots=True, eq=False)
class Surrogate:
    """An ensemble fitted to the scores of networks.

    Attributes:
        encoding: Turns networks into inputs.
        ensemble: Predicts the targets of ``training_set``.
        unbiased: The predictions for the training networks, by identity; each by the member from
            which the network was held out.
    """

    encoding: Encoding
    ensemble: Ensemble
    unbiased: Mapping[str, float]

    def predict(self, networks: Sequence[Architecture]) -> NDArray[np.float64]:
        """Return predictions ``[members, networks]``; lower is better."""
        return self.ensemble.predict(self.encoding.rows(networks))


def learn(
    space: Space, trials: Sequence[Trial], members: int, kind: Kind | None = None
) -> Surrogate:
    """Return an ensemble fitted to these trials; equal arguments give equal ensembles.

    Args:
        space: The search space.
        trials: Finished and failed trials; at least one of them has a score.
        members: How many perceptrons.
        kind: The encoding of networks; none for the default of the space.
    """
    known = training_set(trials)
    networks = [trial.architecture for trial in known.trials]
    encoding = Encoding(space, networks, chosen(space, kind))
    rows = encoding.rows(networks)
    ensemble = train(rows, known.targets, fit_rng(len(trials)), members)
    opinions = ensemble.predict(rows)[ensemble.strangers, np.arange(len(rows))]
    identities = (trial.identity for trial in known.trials)
    unbiased = dict(zip(identities, opinions.tolist(), strict=True))
    return Surrogate(encoding, ensemble, unbiased)


def most_convincing(known: TrainingSet, surrogate: Surrogate) -> Trial:
    """Return the trial to hand over: good by its own score and by the scores of similar networks.

    A single score is partly luck. Among the best networks by score, the one with the smallest sum
    of its ranks by score and by prediction is chosen; if sums are equal, the better score decides.
    """
    shortlist = [known.trials[row] for row in known.contenders()[:_SHORTLIST]]
    means = surrogate.predict([trial.architecture for trial in shortlist]).mean(0).tolist()
    predicted = [
        surrogate.unbiased.get(trial.identity, mean)
        for trial, mean in zip(shortlist, means, strict=True)
    ]
    places = np.arange(len(shortlist)) + np.argsort(np.argsort(predicted, kind="stable"))
    return shortlist[int(np.argmin(places))]
