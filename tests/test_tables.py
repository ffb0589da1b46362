"""NAS-Bench-201 against what is published of it, and its files in every form."""

import bz2
import os
import pickle  # noqa: TID251 - how the benchmark was published
from collections import OrderedDict
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from raynas.errors import ConfigError, DataError, TrialError
from raynas.tables import TABLES, Table
from raynas.tables.official import OPERATIONS, read
from search_spaces.nasbench201 import SPACE, from_string

COMPACT = Path(__file__).resolve().parents[2] / "shared" / "benchdata" / "nb201.npz"
needs_compact = pytest.mark.skipif(not COMPACT.exists(), reason="the published results are absent")

nasbench201 = TABLES["nasbench201"]

FORM = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"
SKIPS = FORM.format(*["skip_connect"] * 6)
FOUND = FORM.format(*["nor_conv_3x3"] * 3, "skip_connect", *["nor_conv_3x3"] * 2)


def cells(count, seed=0):
    rng = np.random.default_rng(seed)
    return [SPACE.sample(rng) for _ in range(count)]


def test_the_files_operations_are_the_spaces():
    assert all(decision.domain.values() == OPERATIONS for decision in SPACE.decisions.values())


@needs_compact
@pytest.mark.parametrize(
    ("dataset", "skips", "drnas", "best"),
    [
        ("cifar10", (39.77, 54.30), (91.55, 94.36), 94.37),
        ("cifar100", (15.03, 15.61), (73.49, 73.51), 73.51),
        ("ImageNet16-120", (16.43, 16.32), (46.37, 46.34), 47.31),
    ],
)
def test_published_rows(dataset, skips, drnas, best):
    """The cell of skips (found by DARTS), that of DrNAS, and the best there is."""
    table = nasbench201(SPACE, COMPACT, dataset)
    assert isinstance(table, Table)
    for text, expected in ((SKIPS, skips), (FOUND, drnas)):
        scores = table.scores(from_string(text))
        assert (100 * scores.valid, 100 * scores.test) == pytest.approx(expected, abs=0.006)
    assert 100 * table.best == pytest.approx(best, abs=0.006)


@needs_compact
@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "imagenet16-120"])
def test_nothing_about_the_test_data_is_told(dataset):
    table = nasbench201(SPACE, COMPACT, dataset)
    for cell in cells(20):
        for epochs in table.lengths:
            for look in table.answer(cell, epochs, draw=1):
                assert set(look.metrics) == {"val_accuracy", "params", "flops"}
                assert look.metrics["val_accuracy"] != table.scores(cell).test


@needs_compact
@pytest.mark.parametrize(
    ("dataset", "images"), [("cifar10", 25_000), ("cifar100", 5_000), ("imagenet16-120", 3_000)]
)
def test_the_error_of_an_accuracy_follows_from_the_validation_images(dataset, images):
    look = nasbench201(SPACE, COMPACT, dataset).answer(cells(1)[0], 200, draw=1)[-1]
    p = look.metrics["val_accuracy"]
    expected = (p * (1 - p) / images) ** 0.5
    assert look.errors["val_accuracy"] == pytest.approx(expected, rel=0.01)


@needs_compact
def test_repeats_see_every_seed_once_and_then_again():
    table = nasbench201(SPACE, COMPACT)
    for cell in cells(30):
        seen = [table.answer(cell, 200, draw)[-1].metrics["val_accuracy"] for draw in range(7, 19)]
        count = len(set(seen))
        assert count in {2, 3}
        assert seen == seen[:count] * (12 // count)
        assert np.mean(seen[:count]) == pytest.approx(table.scores(cell).valid, abs=1e-6)


@needs_compact
def test_the_short_training_is_one_of_its_own():
    """Its validation accuracy, and 12/200 of the time; one pass over the validation data each."""
    table = nasbench201(SPACE, COMPACT)
    with np.load(COMPACT) as file:
        row = file["arch_str"].tolist().index(FOUND.encode())
        accuracy, seconds = file["c10_valid_12"][row], file["c10valid_train_s_200"][row]
    (look,) = table.answer(from_string(FOUND), 12, draw=0)
    assert look.epoch == 12
    assert 100 * look.metrics["val_accuracy"] == pytest.approx(accuracy)
    assert look.seconds == pytest.approx(0.06 * seconds + 3.16)
    (look,) = table.answer(from_string(FOUND), 200, draw=0)
    assert look.seconds == pytest.approx(seconds + 3.16)


@needs_compact
def test_other_lengths_and_data_sets_are_refused():
    with pytest.raises(ConfigError, match="12 or 200 epochs, got 100"):
        nasbench201(SPACE, COMPACT).answer(from_string(FOUND), 100, 0)
    with pytest.raises(ConfigError, match="did you mean 'cifar10'"):
        nasbench201(SPACE, COMPACT, "cifar-10")


def test_what_is_no_such_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="needs its data"):
        nasbench201(SPACE)
    with pytest.raises(DataError, match=r"absent\.npz does not exist"):
        nasbench201(SPACE, tmp_path / "absent.npz")
    for name in ("text.npz", "text.pbz2", "text.pth"):
        (tmp_path / name).write_text("nothing of the kind")
        with pytest.raises(DataError, match=f"{name} is not a"):
            nasbench201(SPACE, tmp_path / name)
    np.savez(tmp_path / "other.npz", other=np.zeros(3))
    with pytest.raises(DataError, match="not a compact file"):
        nasbench201(SPACE, tmp_path / "other.npz")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"meta\.pickle\.pbz2 is not a file of NATS-Bench"):
        nasbench201(SPACE, tmp_path / "folder")


# The published forms, with three cells and invented numbers, as the published programs write them.


def result(trained, seed, epochs, looked_at, rng):
    """One run, as ``ResultsCount.state_dict`` gives it."""
    keys = [f"{name}@{epoch}" for name in looked_at for epoch in range(epochs)]
    return {
        "name": trained,
        "net_state_dict": None,
        "train_acc1es": {epoch: 100 * rng.random() for epoch in range(epochs)},
        "train_acc5es": None,
        "train_losses": {epoch: rng.random() for epoch in range(epochs)},
        "train_times": OrderedDict((epoch, 7 + rng.random()) for epoch in range(epochs)),
        "arch_config": {"channel": 16, "num_cells": 5, "class_num": 10},
        "params": 0.802426,
        "flop": 113.95137,
        "seed": seed,
        "epochs": epochs,
        "latency": [0.01, 0.02],
        "eval_names": list(looked_at),
        "eval_acc1es": {key: 100 * rng.random() for key in keys},
        "eval_times": {key: 2 + rng.random() for key in keys},
        "eval_losses": {key: rng.random() for key in keys},
    }


def results(index, text, epochs, rng):
    """All runs of one cell, as ``ArchResults.state_dict`` gives them."""
    sets = {
        "cifar10-valid": ("x-valid", "ori-test"),
        "cifar10": ("ori-test",),
        "cifar100": ("x-valid", "x-test", "ori-test"),
        "ImageNet16-120": ("x-valid", "x-test", "ori-test"),
    }
    seeds = [777] if epochs == 12 else [777, 888, 999][: 2 + index % 2]
    return {
        "arch_index": index,
        "arch_str": text,
        "all_results": {
            (trained, seed): result(trained, seed, epochs, looked_at, rng)
            for trained, looked_at in sets.items()
            for seed in seeds
        },
        "dataset_seed": {trained: list(seeds) for trained in sets},
        "clear_net_done": True,
    }


def pickled(path, data):
    with bz2.open(path, "wb") as file:
        pickle.dump(data, file, protocol=4)
    return path


NAMES = (SKIPS, FOUND, SKIPS.replace("skip_connect~2", "none~2"))


@pytest.fixture(scope="module")
def whole():
    rng = np.random.default_rng(0)
    infos = {
        index: {str(epochs): results(index, name, epochs, rng) for epochs in (12, 200)}
        for index, name in enumerate(NAMES)
    }
    return {"meta_archs": list(NAMES), "arch2infos": infos, "evaluated_indexes": [0, 1, 2]}


@pytest.fixture(params=["file", "folder", "pth", "old pth"])
def published(request, whole, tmp_path):
    """The same numbers in each of the published forms."""
    if request.param == "file":
        return pickled(tmp_path / "NATS-tss-v1_0.pickle.pbz2", whole)
    if request.param == "folder":
        pickled(tmp_path / "meta.pickle.pbz2", {**whole, "arch2infos": {}})
        for index, infos in whole["arch2infos"].items():
            pickled(tmp_path / f"{index:06d}.pickle.pbz2", infos)
        return tmp_path
    infos = {
        index: {"less": of_one["12"], "full": of_one["200"]}
        for index, of_one in whole["arch2infos"].items()
    }
    path = tmp_path / "NAS-Bench-201.pth"
    zipped = request.param == "pth"
    torch.save({**whole, "arch2infos": infos}, path, _use_new_zipfile_serialization=zipped)
    return path


def test_published_files_say_what_is_in_them(published, whole):
    for dataset, trained, tested, test in (
        ("cifar10", "cifar10-valid", "cifar10", "ori-test@199"),
        ("cifar100", "cifar100", "cifar100", "x-test@199"),
        ("imagenet16-120", "ImageNet16-120", "ImageNet16-120", "x-test@199"),
    ):
        table = nasbench201(SPACE, published, dataset)
        for index, name in enumerate(NAMES):
            cell = from_string(name)
            short, full = (whole["arch2infos"][index][hp]["all_results"] for hp in ("12", "200"))
            seeds = whole["arch2infos"][index]["200"]["dataset_seed"][trained]
            runs = [full[trained, seed] for seed in seeds]
            valid = [run["eval_acc1es"]["x-valid@199"] for run in runs]
            seen = [table.answer(cell, 200, draw)[0] for draw in range(len(seeds))]
            assert [100 * look.metrics["val_accuracy"] for look in seen] == pytest.approx(valid)
            assert 100 * table.scores(cell).valid == pytest.approx(np.mean(valid))
            tests = [full[tested, seed]["eval_acc1es"][test] for seed in seeds]
            assert 100 * table.scores(cell).test == pytest.approx(np.mean(tests))
            looks = [(key, time) for run in runs for key, time in run["eval_times"].items()]
            look_s = [time for key, time in looks if key.startswith("x-valid@")]
            train_s = np.mean([sum(run["train_times"].values()) for run in runs])
            assert seen[0].seconds == pytest.approx(train_s + np.mean(look_s))
            (look,) = table.answer(cell, 12, 0)
            accuracy = short[trained, 777]["eval_acc1es"]["x-valid@11"]
            assert 100 * look.metrics["val_accuracy"] == pytest.approx(accuracy)
            assert look.metrics["params"] == pytest.approx(802426)
            assert look.metrics["flops"] == pytest.approx(113951370)


def test_a_cell_that_was_not_published_fails_its_trial(published):
    table = nasbench201(SPACE, published)
    with pytest.raises(TrialError, match="no results of this cell"):
        table.answer(from_string(NAMES[2].replace("none", "nor_conv_1x1")), 12, 0)


def test_what_was_read_once_can_be_kept(published, tmp_path):
    np.savez_compressed(tmp_path / "kept.npz", **read(published))
    kept, direct = nasbench201(SPACE, tmp_path / "kept.npz"), nasbench201(SPACE, published)
    for name in NAMES:
        cell = from_string(name)
        assert kept.scores(cell) == direct.scores(cell)
        for epochs in (12, 200):
            assert kept.answer(cell, epochs, 5) == direct.answer(cell, epochs, 5)


def test_proxies_stand_in_the_order_of_the_cells(published, tmp_path):
    values = {"zc_c10_one": [1.0, np.nan, 3.0], "zc_c10_two": [4, 5, 6], "zc_c100_one": [7, 8, 9]}
    np.savez(tmp_path / "proxies.npz", **values)
    table = nasbench201(SPACE, published, proxies=tmp_path / "proxies.npz")
    for row, name in enumerate(NAMES):
        expected = (values["zc_c10_one"][row], values["zc_c10_two"][row])
        np.testing.assert_equal(table.features(from_string(name)), expected)
    assert nasbench201(SPACE, published).features(from_string(NAMES[0])) == ()
    np.savez(tmp_path / "more.npz", zc_c10_one=np.zeros(4))
    with pytest.raises(DataError, match="proxies of 4 cells, but the table has 3"):
        nasbench201(SPACE, published, proxies=tmp_path / "more.npz")
    with pytest.raises(DataError, match=r"no columns zc_in16_\*"):
        nasbench201(SPACE, published, "imagenet16-120", proxies=tmp_path / "proxies.npz")


def test_where_seeds_disagree_on_costs_the_trusted_one_counts(whole, tmp_path):
    """As the published programs do, for the 150 cells of which wrong costs were recorded."""
    changed = deepcopy(whole)
    changed["arch2infos"][1]["200"]["all_results"]["cifar10-valid", 777]["params"] = 0.7
    path = pickled(tmp_path / "changed.pickle.pbz2", changed)
    assert read(path)["c10_params_m"] == pytest.approx([0.802426] * 3)


def test_a_file_that_would_run_something_is_refused(whole, tmp_path):
    class Harmful:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    path = pickled(tmp_path / "harmful.pickle.pbz2", {**whole, "meta_archs": Harmful()})
    with pytest.raises(DataError, match=r"it holds a posix\.mkdir"):
        read(path)
    torch.save({**whole, "meta_archs": Harmful()}, tmp_path / "harmful.pth")
    with pytest.raises(DataError, match="is not a file of NAS-Bench-201 with plain data"):
        read(tmp_path / "harmful.pth")
    assert not (tmp_path / "harm").exists()


def test_a_file_with_something_missing_names_the_cell(whole, tmp_path):
    changed = deepcopy(whole)
    del changed["arch2infos"][1]["200"]["all_results"]["cifar100", 888]["eval_acc1es"]
    path = pickled(tmp_path / "changed.pickle.pbz2", changed)
    with pytest.raises(DataError, match=r"of the cell .*nor_conv_3x3.* are incomplete"):
        read(path)
