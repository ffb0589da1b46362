"""What BANANAS and NPENAS share: a predictor of how good a network is."""

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
    """An ensemble that has learnt from some networks how good they are.

    Attributes:
        encoding: How it sees networks.
        ensemble: Predicts the targets of ``training_set``.
        unbiased: What it predicts of the networks it has learnt from, by their identity; each by
            the member from which it was held out.
    """

    encoding: Encoding
    ensemble: Ensemble
    unbiased: Mapping[str, float]

    def predict(self, networks: Sequence[Architecture]) -> NDArray[np.float64]:
        """Return ``[members, networks]``; less is better."""
        return self.ensemble.predict(self.encoding.rows(networks))


def learn(
    space: Space, trials: Sequence[Trial], members: int, kind: Kind | None = None
) -> Surrogate:
    """Return an ensemble that has learnt from these trials, the same whoever asks for it.

    Args:
        space: Where they live.
        trials: Finished and failed ones, at least one of which has a score.
        members: How many perceptrons.
        kind: How they see networks; none for the default of the space.
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
    """Return the network to hand over: high up by its own score and by what its like reached.

    A single score is luck in part. Of the best networks by score, that one is chosen whose places
    by score and by prediction sum up to least; the earlier by score of equals.
    """
    shortlist = [known.trials[row] for row in known.contenders()[:_SHORTLIST]]
    means = surrogate.predict([trial.architecture for trial in shortlist]).mean(0).tolist()
    predicted = [
        surrogate.unbiased.get(trial.identity, mean)
        for trial, mean in zip(shortlist, means, strict=True)
    ]
    places = np.arange(len(shortlist)) + np.argsort(np.argsort(predicted, kind="stable"))
    return shortlist[int(np.argmin(places))]
