"""Files of kinds that people have: other separators, dates, scripts and layouts."""

import gzip
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from raynas.data import Data, Split
from raynas.errors import ConfigError, DataError
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.task_data import loaded
from raynas.tasks import Source
from raynas.tasks.columns import Encoding, guessed, texts
from raynas.tasks.language_model import LanguageModel
from raynas.tasks.ordering import in_order
from raynas.tasks.reading import numbers, read_table
from raynas.tasks.series import Series
from raynas.tasks.standalone.texts import words_of
from raynas.tasks.tabular import Tabular
from raynas.tasks.text import Text


def written(folder, text, name="a.csv"):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_decimal_comma_goes_with_every_separator_but_the_comma(tmp_path, separator):
    lines = [f'"a, in m; x"{separator}b', f"1,5{separator}2", f"-3,25{separator}4"]
    table = read_table(written(tmp_path, "\n".join(lines)))
    assert [*table.columns] == ["a, in m; x", "b"]
    assert table["a, in m; x"].tolist() == [1.5, -3.25]


def test_commas_between_thousands_are_no_decimal_commas(tmp_path):
    table = read_table(written(tmp_path, "people\tyears\n520,774\t47.87\n1,200\t50.5\n"))
    assert table["years"].tolist() == [47.87, 50.5]
    assert table["people"].tolist() == ["520,774", "1,200"]


def test_cells_stay_in_their_columns(tmp_path):
    table = read_table(written(tmp_path, "y,a\nyes,1,\nno,2,\n"))  # rows end with a separator
    assert table.to_dict("list") == {"y": ["yes", "no"], "a": [1, 2]}
    with pytest.raises(DataError, match="as many cells as the first line has names"):
        read_table(written(tmp_path, "text,label\ngood, really,pos\nbad, really,neg\n"))


QUOTED = [('5" is a screen', "good"), ('"so it is', "bad"), ("it is", "good"), ('"or not', "bad")]


def test_a_quotation_mark_does_not_swallow_rows(tmp_path):
    lines = ["text\tlabel", *("\t".join(row) for row in QUOTED)]
    table = read_table(written(tmp_path, "\n".join(lines), "a.tsv"))
    assert [*table.itertuples(index=False, name=None)] == QUOTED
    table = read_table(written(tmp_path, 'a,b\n"she said \\"yes\\",\nthen no",1\nyes,2\n'))
    assert table["a"].tolist() == ['she said "yes",\nthen no', "yes"]
    table = read_table(written(tmp_path, 'a,b\n"on two\nlines, and ""here""",1\nx,2\n'))
    assert table["a"].tolist() == ['on two\nlines, and "here"', "x"]
    assert read_table(written(tmp_path, 'a,b\n"x" ,1\n'))["b"].tolist() == [1]
    with pytest.raises(DataError, match="a quotation mark that opens a cell must close it"):
        read_table(written(tmp_path, 'a,b\n"one, or two,1\nthree,2\n'))


def test_blanks_may_divide_cells(tmp_path, caplog):
    table = read_table(written(tmp_path, "a  bc d\n 1   2  3\n40 50 60\n", "a.data"))
    assert table.to_dict("list") == {"a": [1, 40], "bc": [2, 50], "d": [3, 60]}
    table = read_table(written(tmp_path, "mean level\n3.5\n4.5\n"))
    assert table.to_dict("list") == {"mean level": [3.5, 4.5]}
    assert not caplog.records
    read_table(written(tmp_path, "5.1,3.5,setosa\n4.9,3.0,setosa\n"))
    assert "the names of the columns, and holds the number 5.1" in caplog.text


def test_numbers_may_be_written_for_people(tmp_path):
    lines = ["pay;part;mixed", "$1,250.50;12 %;1,000", "-$3;7.5%;many", ";;"]
    table = read_table(written(tmp_path, "\n".join(lines)))
    np.testing.assert_array_equal(numbers(table, "pay"), [1250.5, -3, np.nan])
    np.testing.assert_array_equal(numbers(table, "part"), [12, 7.5, np.nan])
    with pytest.raises(DataError, match="must hold finite numbers: got '1,000' in row 1"):
        numbers(table, "mixed")
    assert guessed(table) == {"mixed": "texts"}


def test_a_target_of_names_is_refused(tmp_path):
    rows = [f"{at},person {at}" for at in range(50)]
    file = written(tmp_path, "\n".join(["a,who", *rows]))
    with pytest.raises(DataError, match=r"must repeat, .* 50 examples have 50 different ones"):
        Tabular(file=file, target="who").load(Source(), 0)


def test_a_number_is_one_category_however_it_was_read(tmp_path):
    cells = read_table(written(tmp_path, "a\n-0.34\n-3.469\n"))["a"]
    assert (
        texts(cells).tolist() == texts(pd.Series([-0.34, -3.469])).tolist() == ["-0.34", "-3.469"]
    )


def test_the_index_of_a_parquet_file_is_a_column_if_it_has_a_name(tmp_path):
    frame = pd.DataFrame({"day": pd.date_range("2024", periods=3), "v": [1.0, 2.0, 3.0]})
    frame.set_index("day").to_parquet(tmp_path / "a.parquet")
    assert [*read_table(tmp_path / "a.parquet").columns] == ["day", "v"]


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_dates_are_days_whatever_they_are_counted_in(unit):
    dates = pd.to_datetime(["2020-01-02 12:00", None]).astype(f"datetime64[{unit}]")
    table = pd.DataFrame({"when": dates, "took": pd.to_timedelta([36, None], "h")})
    np.testing.assert_array_equal(numbers(table, "when"), [18263.5, np.nan])
    np.testing.assert_array_equal(numbers(table, "took"), [1.5, np.nan])
    assert Encoding.fitted(table, ()).plain == 4  # the empty cells are marked


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y"])
def test_the_month_is_found_by_the_order_of_the_rows(form):
    days = pd.date_range("2020-01-01", "2020-12-31", freq="5D")
    days = days[days.day <= 12]  # so that each date could be read in both ways
    table = pd.DataFrame({"t": days.strftime(form), "v": range(len(days))})
    assert in_order(table, "t").v.tolist() == [*range(len(days))]
    assert in_order(table[::-1], "t").v.tolist() == [*range(len(days))]


def test_a_month_that_nobody_knows_is_refused():
    table = pd.DataFrame({"t": ["05/01/2020", "01/02/2020", "03/01/2020", "02/06/2020"], "v": 1})
    with pytest.raises(DataError, match="2020-05-01 or 2020-01-05; write dates as 2020-12-31"):
        in_order(table, "t")


def test_clocks_may_be_set_and_missing_rows_are_said(caplog):
    hours = pd.date_range("2020-03-28", periods=60, freq="h", tz="Europe/Berlin").astype(str)
    table = pd.DataFrame({"t": hours, "v": range(60)})
    assert in_order(table, "t").v.tolist() == [*range(60)]
    assert not caplog.text
    in_order(table.drop(index=[7, 8]), "t")
    assert "not evenly spaced in 't': a step is 0 days 01:00:00" in caplog.text


def test_columns_without_numbers_are_left_out_of_a_series(tmp_path, caplog):
    frame = pd.DataFrame({"v": np.arange(60.0), "empty": np.nan, "word": "x"})
    frame["day"] = pd.date_range("2024", periods=60)
    frame.to_parquet(tmp_path / "a.parquet")
    data = Series(file=tmp_path / "a.parquet", target="v", length=4, horizon=2).load(Source(), 0)
    assert data.input_shape == (4, 1)
    assert "hold no numbers and are left out: empty, word, day" in caplog.text
    with pytest.raises(ConfigError, match="two columns"):
        Series(file=tmp_path / "a.parquet", target="v", time="v")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ein Café, nicht?", ["ein", "café", ",", "nicht", "?"]),
        ("cafe\u0301", ["caf\u00e9"]),
        ("यह फिल्म अच्छी है।", ["यह", "फिल्म", "अच्छी", "है", "।"]),
        ("这部电影2小时", ["这", "部", "电", "影", "2", "小", "时"]),
        ("कि\u0301x_1", ["कि\u0301x_1"]),
    ],
)
def test_words_of_many_scripts(text, words):
    assert words_of(text) == words


def test_texts_of_which_nothing_is_known_are_refused(tmp_path, caplog):
    rows = [f"w{i},{'ab'[i % 2]}" for i in range(40)]
    task = Text(file=written(tmp_path, "\n".join(["text,label", *rows])))
    with pytest.raises(DataError, match="a word twice or more: each of their 24 different words"):
        task.load(Source(), 0)
    rows = [f"it w{i} v{i},{'ab'[i % 2]}" for i in range(40)]
    Text(file=written(tmp_path, "\n".join(["text,label", *rows]))).load(Source(), 0)
    assert "67 % of the words in the training texts are unknown" in caplog.text
    every = written(tmp_path, "".join(map(chr, range(0x4E00, 0x5E00))), "a.txt")
    with pytest.raises(DataError, match="a character three times or more"):
        LanguageModel(file=every).load(Source(), 0)
    with pytest.raises(ConfigError, match="two columns"):
        Text(file=every, text="label")


def test_text_folders_may_be_divided_already(tmp_path):
    for part, count in (("train", 10), ("test", 4)):
        for kind in ("pos", "neg"):
            for i in range(count):
                written(tmp_path, f"a text of {part} {i % 2}", f"{part}/{kind}/{i}.TXT")
        (tmp_path / part / "pos" / "._0.txt").write_bytes(b"\xff\x00")
    data = Text(file=tmp_path).load(Source(), 0)
    assert data.names == ("neg", "pos")
    assert [*map(len, data.parts)] == [16, 4, 8]
    (tmp_path / "test" / "odd").mkdir()
    with pytest.raises(DataError, match="must hold a folder for each class of train"):
        Text(file=tmp_path).load(Source(), 0)


def test_a_text_may_be_compressed(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"hello world " * 200))
    assert len(LanguageModel(file=tmp_path / "a.txt.gz", length=8).load(Source(), 0).train) > 100
    (tmp_path / "b.txt.gz").write_bytes(b"hello")
    with pytest.raises(DataError, match="cannot be read"):
        LanguageModel(file=tmp_path / "b.txt.gz").load(Source(), 0)


def test_arrays_that_numpy_would_misread_are_refused():
    labels = np.arange(4) % 2
    with pytest.raises(DataError, match="must not be masked"):
        Split.of(np.ma.masked_greater(np.arange(8.0).reshape(4, 2), 5), labels)
    with pytest.raises(DataError, match="toarray"):
        Split.of(csr_matrix(np.eye(4)), labels)
    with pytest.raises(DataError, match="return_inverse"):
        Split.of(np.eye(4), pd.Series([*"abab"]))


def test_targets_with_one_value_teach_nothing(tmp_path):
    rows = np.random.default_rng(0).random((20, 2))
    with pytest.raises(DataError, match="two classes or more"):
        Data.split(Split.of(rows, np.zeros(20, int)), seed=0)
    with pytest.raises(DataError, match=r"must differ: all training examples have \[1.5\]"):
        Data.split(Split.of(rows, np.full(20, 1.5)), seed=0)
    file = written(tmp_path, "a,y\n" + "1,u\n2,v\n" * 20)
    with pytest.raises(DataError, match="no column 'y': the known names are a"):
        Tabular(file=file, target="y", categorical=("y",)).load(Source(), 0)


def test_a_goal_must_be_one():
    task = SimpleNamespace(goal=print, load=lambda *_: None)
    with pytest.raises(
        ConfigError, match=r"must be a raynas\.goals\.Goal, such as Classification"
    ):
        loaded(Experiment(task=task), task)
