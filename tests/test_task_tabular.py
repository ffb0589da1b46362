"""Tables as tasks: real files, their encoding, new rows, and what is refused."""

import json
from pathlib import Path

import in_process
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

import raynas
from raynas.errors import ConfigError, DataError
from raynas.experiment.run import search as search_module
from raynas.goals import Regression, macro_f1, roc_auc
from raynas.tasks import TASKS, Source
from raynas.tasks.tabular import Tabular, encode
from raynas.training.exported import network_card

ROWS = 120


def table():
    """Return numbers with gaps, texts with rare ones and gaps, few whole numbers, two targets."""
    rng = np.random.default_rng(0)
    size = rng.normal(100.0, 20.0, ROWS)
    town = np.where(np.arange(ROWS) % 2, "Rome", "Oslo").astype(object)
    town[:21] = [None] * 18 + ["Bern", "Graz", "Metz"]
    frame = pd.DataFrame({"size": size, "town": town, "floors": rng.integers(1, 4, ROWS)})
    frame["price"] = 3.0 * size + 50.0 * (town == "Rome") + 0.5
    frame.loc[::7, "size"] = np.nan
    return frame


def write(frame, path):
    match path.name.removesuffix(".gz").rpartition(".")[2]:
        case "parquet":
            frame.to_parquet(path)
        case "jsonl":
            frame.to_json(path, orient="records", lines=True)
        case "tsv":
            frame.to_csv(path, sep="\t", index=False)
        case "csv":
            frame.to_csv(path, index=False)
    return path


def load(path, target, **options):
    return Tabular(file=path, target=target, **options).load(Source(), seed=0)


def test_all_formats_give_the_same_data(tmp_path):
    frame = table()
    names = ("a.csv", "a.csv.gz", "a.tsv", "a.parquet", "a.jsonl")
    one, *others = [load(write(frame, tmp_path / name), "price") for name in names]
    semicolons = tmp_path / "b.csv"
    frame.to_csv(semicolons, sep=";", decimal=",", index=False)
    for other in (*others, load(semicolons, "price")):
        assert other.told == one.told
        for mine, theirs in zip(one.parts, other.parts, strict=True):
            np.testing.assert_allclose(mine.inputs, theirs.inputs, rtol=1e-6)
            np.testing.assert_allclose(mine.targets, theirs.targets, rtol=1e-6)


def test_the_encoding_comes_from_training_rows_alone(tmp_path):
    data = load(write(table(), tmp_path / "a.csv"), "price")
    assert isinstance(data.goal, Regression)
    (size,), (town, floors) = data.encoding["numerical"], data.encoding["categorical"]
    assert (size["column"], size["missing"]) == ("size", True)
    assert town == {
        "column": "town",
        "values": ["Oslo", "Rome"],
        "missing": True,
        "other": True,
    }
    assert (floors["values"], floors["missing"]) == (["1", "2", "3"], False)
    assert data.told["numerical"] == 2
    assert data.told["categories"] == (4, 3)
    found = data.train.inputs
    values, empty = found[:, 0], found[:, 1] == 1
    assert size["median"] == pytest.approx(np.median(values[~empty]), rel=1e-6)
    assert (values[empty] == np.float32(size["median"])).all()
    assert (found[:, 2:6].sum(1) == 1).all()
    assert (found[:, 6:].sum(1) == 1).all()
    assert data.norm.mean[0] == pytest.approx(values.mean(), rel=1e-5)
    assert {*data.norm.mean[1:], *data.norm.std[1:]} == {0.0, 1.0}


def test_other_rows_do_not_change_what_training_rows_become(tmp_path):
    frame = table()
    one = load(write(frame, tmp_path / "a.csv"), "price")
    held = ~frame["price"].astype(np.float32).isin(one.train.targets[:, 0])
    frame.loc[held, "size"] *= 9.0
    frame.loc[held, "town"] = "Paris"
    other = load(write(frame, tmp_path / "b.csv"), "price")
    assert other.encoding == one.encoding
    assert other.norm == one.norm
    assert np.array_equal(other.train.inputs, one.train.inputs)
    assert (other.test.inputs[:, 2:6] == [0, 0, 0, 1]).all()  # Paris is rare


def test_new_rows_are_encoded_as_the_card_says(tmp_path):
    frame = table()
    data = load(write(frame, tmp_path / "a.csv"), "price")
    card = json.loads(json.dumps(network_card(data)))
    tested = frame[frame["price"].astype(np.float32).isin(data.test.targets[:, 0])]
    assert np.array_equal(encode(tested, card), data.test.inputs)
    (row,) = encode([{"floors": 9, "town": "Bern", "size": None}], card)
    assert row[0] == np.float32(data.encoding["numerical"][0]["median"])
    assert row[1:].tolist() == [1, 0, 0, 0, 1, 0, 0, 0]
    with pytest.raises(DataError, match=r"no column 'town'.*floors, size"):
        encode(frame[["size", "floors"]], card)
    with pytest.raises(DataError, match="task 'tabular'"):
        encode(frame, {})


def test_a_winner_predicts_new_rows_after_a_search(tmp_path, monkeypatch):
    monkeypatch.setattr(search_module, "_execute", in_process.execute)
    frame = table()
    frame["dear"] = np.where(frame.pop("price") > 320, "yes", "no")
    options = {"file": write(frame, tmp_path / "a.csv"), "target": "dear"}
    settings = {"trials": 1, "epochs": 2, "output": tmp_path / "run"}
    result = raynas.search(space="mlp", task="tabular", task_options=options, **settings)
    assert {"test_accuracy", "test_roc_auc", "test_macro_f1"} <= {*result.winner.metrics}
    winner = raynas.load_winner(tmp_path / "run")
    assert {*winner.predict(encode(frame, winner.card))} <= {"no", "yes"}


@pytest.mark.parametrize(
    ("name", "shape", "goal"),
    [
        ("breast_cancer", (30,), ("benign", "malignant")),
        ("wine", (13,), ("class_0", "class_1", "class_2")),
        ("diabetes", (10,), ()),
    ],
)
def test_embedded_tables(name, shape, goal):
    data = TASKS["tabular"](embedded=name).load(Source(), 0)
    assert (data.input_shape, data.names) == (shape, goal)
    assert data.told["numerical"] == shape[0]


def test_what_a_target_is_can_be_said(tmp_path):
    frame = table()
    path = write(frame, tmp_path / "a.csv")
    assert load(path, "floors").names == ("1", "2", "3")
    assert isinstance(load(path, "floors", kind="regression").goal, Regression)
    assert load(path, "town").classes == 5
    assert len(load(path, "town").train) < len(load(path, "floors").train)
    assert load(path, "price", categorical=("town",)).told["categories"] == (4,)


def test_a_table_of_numbers_with_a_text_needs_an_answer(tmp_path):
    frame = table().astype({"size": object})
    frame.loc[4, "size"] = "big"
    path = write(frame, tmp_path / "a.csv")
    with pytest.raises(DataError, match="'size' must hold finite numbers: got 'big' in row 5"):
        load(path, "price")
    assert load(path, "price", categorical=("town", "size")).told["categories"] == (4,)


@pytest.mark.parametrize(
    ("text", "target", "options", "said"),
    [
        ("a,b\n1,x\n2,y\n", "c", {}, "no column 'c': the known names are a, b"),
        ("a,b\n1,x\n2,x\n3,x\n", "b", {}, "two classes or more: all 3 examples are 'x'"),
        ("a,b\n1,x\n2,y\n", "b", {}, "must leave examples in both parts"),
        ("a,b\n" + "1,x\n2,y\n" * 9, "b", {"test": 0.0}, "must leave examples in both parts"),
        ("a,b\n" + "1,x\n1,y\n" * 9, "b", {}, "a column, beside the target, whose values differ"),
        ("b\n" + "x\ny\n" * 9, "b", {}, "got no other column"),
        ("a,b\n", "b", {}, "at least one row"),
        ("", "b", {}, "cannot be read as a table"),
        ("a,b\n1,2,3\n1,2\n1,2,3,4\n", "b", {}, "cannot be read as a table"),
        ("a,b\n1,2.5\n2,oh\n", "b", {"kind": "regression"}, "got 'oh' in row 2"),
        ("a,b\n1,2.5\ninf,3.5\n", "b", {}, "'a' must hold finite numbers: got 'inf' in row 2"),
        ("a,b\n1,\n2,\n", "b", {}, "a row must have a value of 'b'"),
        ("a,b\n1,x\n2,y\n", "b", {"categorical": ("d",)}, "no column 'd'"),
    ],
)
def test_tables_that_say_nothing_are_refused(tmp_path, text, target, options, said):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        load(path, target, **options)


def test_files_that_are_not_tables_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"none.csv must be there: looked for"):
        load(tmp_path / "none.csv", "a")
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"must be a file .csv"):
        load(tmp_path / "a.xlsx", "a")
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read as a table"):
        load(tmp_path / "a.parquet", "a")
    (tmp_path / "a.csv").write_bytes("Größe,b\n1,2\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"must be text in UTF-8: .*; save it as UTF-8"):
        load(tmp_path / "a.csv", "b")
    with pytest.raises(ConfigError, match="two options, file and target"):
        Tabular(file=tmp_path / "a.csv")
    with pytest.raises(ConfigError, match="no embedded table 'vine': did you mean 'wine'"):
        Tabular(embedded="vine")
    with pytest.raises(DataError, match="--download"):
        Tabular(embedded="california_housing").load(Source(tmp_path), 0)


def test_a_file_is_also_looked_for_in_the_data_folder(tmp_path):
    write(table(), tmp_path / "a.csv")
    data = Tabular(file=Path("a.csv"), target="price").load(Source(tmp_path), 0)
    assert data.input_shape == (9,)


@given(st.integers(2, 4), st.integers(0, 1000), st.booleans())
def test_scores_are_those_of_scikit_learn(classes, seed, ties):
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(size=(40, classes)))
    if ties:
        logits = logits.round()
    labels = torch.from_numpy(rng.permutation(np.arange(40) % classes))
    shares = logits.softmax(1).numpy()
    expected = roc_auc_score(labels, shares[:, 1] if classes == 2 else shares, multi_class="ovr")
    assert roc_auc(logits, labels) == pytest.approx(expected)
    expected = f1_score(labels, logits.argmax(1), average="macro")
    assert macro_f1(logits, labels) == pytest.approx(expected)


def test_scores_of_classes_that_are_not_there():
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert roc_auc(logits, torch.tensor([0, 1])) == 1.0
    assert macro_f1(logits, torch.tensor([0, 1])) == 1.0
    assert roc_auc(logits, torch.tensor([0, 0])) == 0.5
    assert np.isnan(roc_auc(logits / 0.0, torch.tensor([0, 1])))
