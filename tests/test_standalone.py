"""What an export brings for raw inputs gives the same tensors as the tasks do."""

import csv
import io
import json
import math

import numpy as np
import pandas as pd
import pytest

from raynas.tasks import language_model, series, tabular, text
from raynas.tasks.columns import CategoryColumn, Encoding, NumberColumn
from raynas.tasks.standalone import inputs_file, rows, steps, texts
from raynas.tasks.tokens import Characters, Words

TEXTS = ["A good, nice day", "", "good GOOD bad? 日本 cafe\u0301", "day " * 9]


def written(folder, encoding, shape):
    card = {"encoding": encoding, "input": {"shape": shape}}
    (folder / "architecture.json").write_text(json.dumps(card), encoding="utf-8")
    return card


def same(tensor, array):
    assert tensor.numpy().dtype == array.dtype
    np.testing.assert_array_equal(tensor.numpy(), array)


@pytest.mark.parametrize(
    "tokens", [Words(("good", "day", ",", "日", "café")), Characters("adgo y")]
)
def test_texts_are_as_in_the_task(tokens, tmp_path):
    card = written(tmp_path, {**tokens.card(), "length": 6}, [6])
    same(texts.encode(TEXTS, tmp_path), text.encode(TEXTS, card))


def test_the_last_tokens_predict_the_next_one(tmp_path):
    card = written(tmp_path, Characters("adgo y").card(), [4])
    found = texts.encode(["a good day"], tmp_path)
    same(found, language_model.encode("a good day", card)[np.newaxis, -4:])
    with pytest.raises(ValueError, match="4 tokens or more: got 3"):
        texts.encode(["day"], tmp_path)


def test_the_tokens_of_a_tokenizer_are_as_in_the_task(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({"good": 0, "day": 1, "?": 2}, unk_token="?")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    card = written(tmp_path, {"tokens": "tokenizer", "tokenizer": made.to_str(), "length": 6}, [6])
    same(texts.encode(TEXTS, tmp_path), text.encode(TEXTS, card))


def test_rows_are_as_in_the_task(tmp_path):
    columns = Encoding(
        (NumberColumn("size", 2.5, missing=True), NumberColumn("price", 1.0, missing=False)),
        (
            CategoryColumn("floors", ("1", "2.5"), missing=False, other=True),
            CategoryColumn("town", ("Oslo", "Rome"), missing=True, other=True),
            CategoryColumn("new", ("False", "True"), missing=False, other=False),
        ),
    )
    card = written(tmp_path, columns.card(), [9])
    frame = pd.DataFrame(
        {
            "size": ["$1.50", math.nan, "-$3", "1,000,000"],
            "price": [math.nan, 1.0, 2.0, 3.0],
            "floors": [1.0, 2.5, 7.0, math.nan],
            "town": ["Oslo", None, "Bern", "Rome"],
            "new": [True, False, True, False],
            "other": [0, 0, 0, 0],
        }
    )
    expected = tabular.encode(frame, card)
    same(rows.encode(frame.to_dict("records"), tmp_path), expected)
    file = csv.DictReader(io.StringIO(frame.to_csv(index=False)))
    cells, names = [*file], [*frame]
    same(rows.encode(cells, tmp_path), expected)
    with pytest.raises(ValueError, match="must have the column 'town'"):
        rows.encode([{name: 1 for name in names if name != "town"}], tmp_path)
    with pytest.raises(ValueError, match="'size' must hold finite numbers: got 'much'"):
        rows.encode([cells[0] | {"size": "much"}], tmp_path)


def test_steps_are_as_in_the_task(tmp_path):
    card = written(tmp_path, {"columns": ["b", "a"], "length": 2, "horizon": 1}, [2, 2])
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.5, 6.0]})
    same(steps.encode(frame.to_dict("records"), tmp_path), series.encode(frame, card))
    with pytest.raises(ValueError, match="2 steps or more: got 1"):
        steps.encode([{"a": 1, "b": 2}], tmp_path)
    with pytest.raises(ValueError, match="in the column 'b': got None"):
        steps.encode([{"a": 1}, {"a": 2}], tmp_path)


def test_pictures_need_no_such_file():
    assert inputs_file({"input": {"shape": [1, 8, 8]}}) is None
    assert inputs_file({"encoding": None}) is None
    assert b"raynas" not in inputs_file({"encoding": {"tokens": "words", "words": []}})
