"""Series as tasks: real files, windows, new values, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from raynas.errors import ConfigError, DataError
from raynas.goals import Regression
from raynas.goals.metric import value_of
from raynas.tasks import Source, series
from raynas.tasks.series import Series, encode
from raynas.training.examples import Examples
from raynas.training.exported import network_card

STEPS = 100
SMALL = {"length": 5, "horizon": 3}


def table():
    """Return days, a target that counts them, another column of numbers, and a text."""
    days = pd.date_range("2024-01-01", periods=STEPS).strftime("%Y-%m-%d")
    steps = np.arange(float(STEPS))
    return pd.DataFrame({"day": days, "heat": -steps, "sold": steps, "note": "x"})


def load(path, **options):
    return Series(file=path, target="sold", **SMALL, **options).load(Source(), 0)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "a.csv"
    table().sample(frac=1.0, random_state=0).to_csv(file, index=False)
    return file


def test_what_is_predicted_stays_in_its_piece_and_in_order(path):
    data = load(path, time="day")
    assert data.input_shape == (5, 2)
    assert {"outputs", "length", "horizon"} <= {*data.told}
    assert not data.exchangeable
    ends = (0, 60, 80, 100)
    for split, begin, end in zip(data.parts, ends, ends[1:], strict=False):
        start = max(0, begin - 5)  # the past may lie in the piece before
        assert len(split) == end - start - 7
        first = np.arange(start, end - 7)[:, None]
        np.testing.assert_array_equal(split.inputs[:, :, 0], first + np.arange(5))
        np.testing.assert_array_equal(split.inputs[:, :, 1], -(first + np.arange(5)))
        np.testing.assert_array_equal(split.targets, first + 5 + np.arange(3))


def test_past_and_future_are_normalised_alike(path):
    """A network that repeats the last value it gets does so in the units of the series."""
    data = load(path, time="day")
    examples = Examples.of(data.test, data, torch.device("cpu"))
    last = examples.normalised(examples.inputs)[:, -1:, 0].expand(-1, 3)
    expected = data.test.inputs[:, -1:, 0].repeat(3, axis=1)
    np.testing.assert_allclose(data.goal.predictions(last), expected, rtol=1e-5)


def test_new_values_are_encoded_as_the_card_says(path):
    data = load(path, time="day")
    card = json.loads(json.dumps(network_card(data)))
    known = table().iloc[:5]
    assert np.array_equal(encode(known, card), data.train.inputs[:1])
    longer = table().iloc[:12]
    assert np.array_equal(encode(longer, card), data.train.inputs[7:8])
    with pytest.raises(DataError, match="5 rows or more: got 4"):
        encode(known.iloc[:4], card)
    with pytest.raises(DataError, match="no column 'heat'"):
        encode(known[["sold"]], card)
    with pytest.raises(DataError, match="task 'series'"):
        encode(known, {})


def test_gaps_are_filled_on_a_straight_line(tmp_path):
    frame = table()
    frame.loc[[3, 4, 50], "sold"] = np.nan
    frame.to_csv(tmp_path / "a.csv", index=False)
    filled = load(tmp_path / "a.csv", time="day")
    table().to_csv(tmp_path / "b.csv", index=False)
    whole = load(tmp_path / "b.csv", time="day")
    np.testing.assert_allclose(filled.train.inputs, whole.train.inputs, rtol=1e-6)


@pytest.mark.parametrize(("season", "error"), [(None, 1.0), (7, 7.0)])
def test_mase_is_in_units_of_the_repeated_value(path, season, error):
    data = load(path, time="day", season=season)
    assert isinstance(data.goal, Regression)
    metric = data.goal.metrics()["mase"]
    targets = torch.from_numpy(data.test.targets)
    metric.update(targets + 3.5, targets)
    assert value_of("mase", metric) == pytest.approx(3.5 / error)


@pytest.mark.parametrize(
    ("name", "steps", "season"), [("sunspots", 309, 11), ("co2", 2284, 52), ("elnino", 732, 12)]
)
def test_embedded_series(name, steps, season):
    sm = pytest.importorskip("statsmodels.datasets")
    data = Series(embedded=name).load(Source(), 0)
    assert sum(len(part) + 5 for part in data.parts) == steps - 24
    if name == "sunspots":
        values = sm.sunspots.load_pandas().data["SUNACTIVITY"].to_numpy()
        assert np.array_equal(data.train.inputs[0, :, 0], values[:24].astype(np.float32))
    assert Series(embedded=name).periods == season


def test_embedded_series_need_statsmodels(monkeypatch):
    monkeypatch.setattr(series, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'raynas\[series\]'"):
        Series().load(Source(), 0)


def changed(**cells):
    frame = table().astype(object)
    for name, (row, value) in cells.items():
        frame.loc[row, name] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "options", "said"),
    [
        (
            table().drop(columns="sold"),
            {},
            "no column 'sold': the known names are day, heat, note",
        ),
        (table(), {"time": "when"}, "no column 'when'"),
        (changed(sold=(8, "many")), {"time": "day"}, "'sold' must hold finite .* 'many' in row 9"),
        (changed(heat=(8, "hot")), {"time": "day"}, "'heat' must hold finite .* 'hot' in row 9"),
        (changed(day=(8, "soon")), {"time": "day"}, "a date or a number in each row: .* row 9"),
        (changed(day=(8, "2024-01-01")), {"time": "day"}, "another value in each row: .* row 9"),
        (table().assign(sold=np.nan), {"time": "day"}, "all its cells are empty"),
        (table().assign(sold=4.0), {"time": "day"}, "the target must change"),
        (
            table().iloc[:10],
            {"time": "day"},
            "length . horizon = 8 .*: the training piece has 6",
        ),
        (table(), {"season": 60}, "longer than a season of 60 steps: it has 60"),
    ],
)
def test_series_that_say_nothing_are_refused(tmp_path, frame, options, said):
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=said):
        load(tmp_path / "a.csv", **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"file": "a.csv"}, "two options, file and target"),
        ({"embedded": "sunspot"}, "did you mean 'sunspots'"),
        ({"length": 0}, "length, horizon and season must be at least 1"),
        ({"season": 0}, "length, horizon and season must be at least 1"),
        ({"valid": 0.6, "test": 0.4}, "less than 1 together"),
    ],
)
def test_options_that_cannot_be_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        Series(**options)
