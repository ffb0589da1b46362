"""What others would begin with: scikit-learn's models, an n-gram, naive forecasts."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch


def _hgb_classifier() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=0)


def _hgb_regressor() -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(random_state=0)


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def _ridge() -> Any:
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 3, 11)))


CLASSIFIERS = {"gradient boosting": _hgb_classifier, "logistic regression": _logistic}
REGRESSORS = {"gradient boosting": _hgb_regressor, "ridge regression": _ridge}


def table(make: Callable[[], Any], data: Any) -> Mapping[str, float]:
    known, model = data.merged(), make()
    model.fit(known.inputs, known.targets.ravel())
    if hasattr(model, "predict_proba"):
        shares = model.predict_proba(data.test.inputs)
        return scores(data.goal, np.log(np.maximum(shares, 1e-12)), data.test.targets)
    return scores(data.goal, model.predict(data.test.inputs)[:, None], data.test.targets)


def scores(goal: Any, predictions: Any, targets: Any) -> Mapping[str, float]:
    """Return the metrics of the task's own goal."""
    from raynas.goals.metric import new_metrics, value_of

    found = {}
    for name, metric in new_metrics(goal.metrics()).items():
        metric.update(torch.from_numpy(predictions).double(), torch.from_numpy(targets))
        found[f"test_{name}"] = value_of(name, metric)
    return found


def tf_idf(data: Any) -> Mapping[str, float]:
    """TF-IDF of the words that networks get, and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    known = data.merged()
    words = TfidfVectorizer(analyzer=lambda row: [one for one in row if one], sublinear_tf=True)
    model = make_pipeline(words, LogisticRegression(C=10.0, max_iter=1000))
    model.fit(known.inputs.tolist(), known.targets)
    shares = model.predict_proba(data.test.inputs.tolist())
    return scores(data.goal, np.log(shares), data.test.targets)


def _text(split: Any) -> list[int]:
    """Return the tokens of windows that follow one another."""
    return [*split.inputs.ravel().tolist(), int(split.targets[-1, -1])]


class NGram:
    """An interpolated n-gram (Witten and Bell, 1991): the share of each order by its followers."""

    def __init__(self, ids: list[int], order: int, vocabulary: int) -> None:
        self.order, self.vocabulary = order, vocabulary
        self.counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for at, token in enumerate(ids):
            for length in range(min(order, at + 1)):
                self.counts[tuple(ids[at - length : at])][token] += 1
        self.totals = {context: sum(found.values()) for context, found in self.counts.items()}

    def bits(self, ids: list[int]) -> float:
        """Return the mean bits per token, of all tokens but the first."""
        nats = 0.0
        for at in range(1, len(ids)):
            share = 1.0 / self.vocabulary
            for length in range(min(self.order, at + 1)):
                context = tuple(ids[at - length : at])
                if context not in self.totals:
                    break
                found, total = self.counts[context], self.totals[context]
                share = (found[ids[at]] + len(found) * share) / (total + len(found))
            nats -= math.log(share)
        return nats / (len(ids) - 1) / math.log(2.0)


def n_gram(data: Any) -> Mapping[str, float]:
    """The order is chosen on the validation data; the counts are then those of both parts."""
    vocabulary, train, valid = data.told["vocabulary"], _text(data.train), _text(data.valid)
    order = min(range(2, 9), key=lambda n: NGram(train, n, vocabulary).bits(valid))
    bits = NGram(train + valid, order, vocabulary).bits(_text(data.test))
    return {"test_bits_per_token": bits, "test_perplexity": 2.0**bits, "order": float(order)}


def repeated(period: int, data: Any) -> Mapping[str, float]:
    """Repeat the last ``period`` values of each window."""
    horizon = data.told["horizon"]
    season = data.test.inputs[:, -period:, 0]
    found = np.tile(season, math.ceil(horizon / period))[:, :horizon]
    return scores(data.goal, found, data.test.targets)


def boosted(data: Any) -> Mapping[str, float]:
    """Gradient boosting on the window, a model for each step."""
    from sklearn.multioutput import MultiOutputRegressor

    return _on_lags(MultiOutputRegressor(_hgb_regressor()), data)


def ridge_on_lags(data: Any) -> Mapping[str, float]:
    """Ridge regression on the window."""
    return _on_lags(_ridge(), data)


def _on_lags(model: Any, data: Any) -> Mapping[str, float]:
    """Fit a model to differences from the last value of each window."""
    known = data.merged()

    def columns(split: Any) -> tuple[Any, Any]:
        series = split.inputs[:, :, 0]
        level = series[:, -1:]
        return np.concatenate([series - level, level], 1), level

    past, level = columns(known)
    model.fit(past, known.targets - level)
    past, level = columns(data.test)
    return scores(data.goal, model.predict(past) + level, data.test.targets)
