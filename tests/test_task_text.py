"""Texts and language models as tasks: real files, vocabularies, new texts, what is refused."""

import json
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from raynas.errors import ConfigError, DataError
from raynas.goals import NextToken
from raynas.tasks import Source, topics
from raynas.tasks.language_model import LanguageModel
from raynas.tasks.language_model import encode as encode_text
from raynas.tasks.text import Text, encode
from raynas.training.exported import network_card

BIRDS = ["the owl flies at night", "a wren sings", "The owl, it sings!", "wren and owl"]
BOATS = ["the boat sails at night", "a raft floats", "the boat floats", "raft and boat"]
SOURCE = Source()


def rows():
    pairs = [*((text, "bird") for text in BIRDS), *((text, "boat") for text in BOATS)]
    return pd.DataFrame(sorted(pairs * 5, key=lambda pair: pair[1]), columns=["text", "label"])


def tokenizer(path, words, unknown="[UNK]"):
    vocabulary = {word: number for number, word in enumerate([unknown, *words])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token=unknown))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.save(str(path))
    return path


def card(data):
    return json.loads(json.dumps(network_card(data)))


def same(one, other):
    return all(
        np.array_equal(mine.inputs, theirs.inputs) and np.array_equal(mine.targets, theirs.targets)
        for mine, theirs in zip(one.parts, other.parts, strict=True)
    )


def test_tables_and_folders_of_texts(tmp_path):
    frame = rows()
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.tsv", sep="\t", index=False)
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    one, *others = (
        Text(file=tmp_path / name, length=6).load(SOURCE, 0)
        for name in ("a.csv", "a.tsv", "a.jsonl")
    )
    assert all(same(one, other) for other in others)
    for number, (text, label) in enumerate(frame.itertuples(index=False)):
        (tmp_path / "folders" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "folders" / label / f"{number:02}.txt").write_text(text)
    assert same(Text(file=tmp_path / "folders", length=6).load(SOURCE, 0), one)
    assert one.names == ("bird", "boat")
    assert (one.input_shape, one.told["length"]) == ((6,), 6)


def test_words_come_from_training_texts_and_travel_on_the_card(tmp_path):
    frame = rows()
    frame.loc[0, "text"] = "zebra " * 9
    frame.to_csv(tmp_path / "a.csv", index=False)
    for seed in range(9):
        data = Text(file=tmp_path / "a.csv", length=7).load(SOURCE, seed)
        words = data.encoding["words"]
        (found,) = (
            part
            for part, split in zip(("train", "valid", "test"), data.parts, strict=True)
            if (np.ptp(split.inputs, axis=1) == 0).any()
        )
        assert ("zebra" in words) == (found == "train")
        assert data.told["vocabulary"] == len(words) + 2
        assert max(split.inputs.max() for split in data.parts) < data.told["vocabulary"]
        owl, the = (2 + words.index(word) for word in ("owl", "the"))
        unknown = 1
        (row,) = encode(["The OWL unheard"], card(data))
        assert row.tolist() == [the, owl, unknown, 0, 0, 0, 0]
    few = Text(file=tmp_path / "a.csv", words=3).load(SOURCE, 0)
    assert few.told["vocabulary"] == 5


def test_the_embedded_paragraphs_are_in_one_part_each():
    data = Text().load(SOURCE, 0)
    assert data.names == tuple(sorted(topics.GROUPS))
    texts = [text for some in topics.paragraphs().values() for text in some]
    assert len({*texts}) == len(texts) == sum(map(len, data.parts))
    assert np.bincount(data.test.targets).min() >= 10
    whole = topics.whole_text().split("\n\n")
    assert len({*whole}) == len(whole)


def test_a_tokenizer_file_gives_the_tokens(tmp_path):
    rows().to_csv(tmp_path / "a.csv", index=False)
    file = tokenizer(tmp_path / "t.json", ["owl", "the", "boat", "wren", "raft", "sings", "and"])
    data = Text(file=tmp_path / "a.csv", tokenizer=file, length=4).load(SOURCE, 0)
    assert data.told["vocabulary"] == 9
    assert encode(["the owl unheard"], card(data)).tolist() == [[3, 2, 1, 0]]
    (tmp_path / "a.txt").write_text("the owl sings and boat " * 30)
    model = LanguageModel(file=tmp_path / "a.txt", tokenizer=file, length=5).load(SOURCE, 0)
    assert model.told["vocabulary"] == 8
    assert encode_text("and raft", card(model)).tolist() == [7, 5]


def test_a_tokenizer_that_does_not_fit_is_refused(tmp_path, monkeypatch):
    rows().to_csv(tmp_path / "a.csv", index=False)
    strange = tokenizer(tmp_path / "t.json", ["chat", "chien"])
    with pytest.raises(
        DataError, match="does not fit the texts: 100% of their tokens are unknown"
    ):
        Text(file=tmp_path / "a.csv", tokenizer=strange).load(SOURCE, 0)
    silent = tmp_path / "silent.json"
    Tokenizer(models.BPE({"q": 0}, [])).save(str(silent))  # what it does not know is left out
    with pytest.raises(DataError, match="does not fit the texts"):
        Text(file=tmp_path / "a.csv", tokenizer=silent).load(SOURCE, 0)
    with pytest.raises(DataError, match="must be the file of a tokenizer"):
        Text(file=tmp_path / "a.csv", tokenizer=tmp_path / "a.csv").load(SOURCE, 0)
    with pytest.raises(DataError, match="must be there"):
        Text(file=tmp_path / "a.csv", tokenizer=tmp_path / "none.json").load(SOURCE, 0)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigError, match=r"pip install 'raynas\[text\]'"):
        Text(file=tmp_path / "a.csv", tokenizer=strange).load(SOURCE, 0)


def test_texts_without_classes_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    rows().to_csv(path, index=False)
    with pytest.raises(DataError, match="no column 'class': the known names are label, text"):
        Text(file=path, label="class").load(SOURCE, 0)
    rows().iloc[:4].to_csv(path, index=False)
    with pytest.raises(DataError, match="two classes or more: all 4 examples are 'bird'"):
        Text(file=path).load(SOURCE, 0)
    path.write_text("text,label\nhello,\n")
    with pytest.raises(DataError, match="none has both"):
        Text(file=path).load(SOURCE, 0)
    (tmp_path / "empty" / "bird").mkdir(parents=True)
    (tmp_path / "empty" / "cat").mkdir()
    with pytest.raises(DataError, match=r"at least one .txt file"):
        Text(file=tmp_path / "empty").load(SOURCE, 0)
    (tmp_path / "empty" / "bird" / "a.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match="must be text in UTF-8"):
        Text(file=tmp_path / "empty").load(SOURCE, 0)
    with pytest.raises(DataError, match=r"two class folders \(CLASS/\*.txt\)"):
        Text(file=tmp_path / "empty" / "bird").load(SOURCE, 0)


def test_a_language_model_reads_pieces_in_order(tmp_path):
    text = "".join(chr(97 + number % 26) for number in range(1000))
    (tmp_path / "a.txt").write_text(text)
    data = LanguageModel(file=tmp_path / "a.txt", length=10).load(SOURCE, 0)
    assert isinstance(data.goal, NextToken)
    assert (data.told["vocabulary"], data.told["length"]) == (27, 10)
    known = data.encoding["characters"]
    for split, piece in zip(data.parts, (text[:800], text[800:900], text[900:]), strict=True):
        for row, (past, following) in enumerate(zip(split.inputs, split.targets, strict=True)):
            ids = [*past, following[-1]]
            assert "".join(known[one - 1] for one in ids) == piece[row * 10 : row * 10 + 11]
            assert all(mine == after for mine, after in zip(following, ids[1:], strict=True))
    assert encode_text("ab?", card(data)).tolist() == [1, 2, 0]
    assert not data.exchangeable


def test_several_files_are_one_text(tmp_path):
    for name, text in (("b.txt", "bb" * 40), ("a.txt", "aa" * 40)):
        (tmp_path / name).write_text(text)
    data = LanguageModel(file=tmp_path, length=4, valid=0.3, test=0.3).load(SOURCE, 0)
    assert data.told["vocabulary"] == 2  # only a is in the training piece
    assert (data.test.inputs == 0).all()


def test_rare_characters_of_the_training_piece_are_unknown():
    data = LanguageModel().load(SOURCE, 0)
    ids = np.concatenate([data.train.inputs.ravel(), data.train.targets[-1:].ravel()])
    assert np.bincount(ids, minlength=data.told["vocabulary"])[1:].min() >= 2
    assert (data.train.inputs == 0).any()
    for (_, before), (after, _) in pairwise(
        zip(data.train.inputs[:9], data.train.targets[:9], strict=True)
    ):
        assert before[-1] == after[0]


def test_texts_that_are_too_short_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("short " * 9)
    with pytest.raises(DataError, match="more than length=64 tokens: the training part has 44"):
        LanguageModel(file=tmp_path / "a.txt").load(SOURCE, 0)
    with pytest.raises(DataError, match="the validation part has 5"):
        LanguageModel(file=tmp_path / "a.txt", length=5).load(SOURCE, 0)
    with pytest.raises(ConfigError, match="less than 1 together"):
        LanguageModel(valid=0.5, test=0.5)
    with pytest.raises(ConfigError, match="length must be at least 1"):
        LanguageModel(length=0)
    with pytest.raises(ConfigError, match="words and length"):
        Text(length=0)
