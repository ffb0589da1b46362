"""Tasks and their data: the loaders on small files of the real formats, splits, plain errors."""

import gzip
import hashlib
import pickle  # noqa: TID251 - the format of CIFAR
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import URLError

import numpy as np
import pytest
import scipy.io
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits, load_wine

from raynas.data import Data, Split
from raynas.data.moments import moments
from raynas.errors import ConfigError, DataError
from raynas.goals import Classification, MultiLabel, Regression
from raynas.rng import split_rng
from raynas.tasks import TASKS, Source
from raynas.tasks.task import name_of, recipe_of
from raynas.training import Recipe

COUNT = 40  # images in each part of the small copies


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (2, COUNT, 3, 32, 32), np.uint8)


@pytest.fixture
def labels():
    return np.arange(2 * COUNT).reshape(2, COUNT) % 10


def write_idx(path, array):
    """Write the format of MNIST: two zeros, a type code, the number of axes, sizes, bytes."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def write_mnist(root, dataset, pixels, labels):
    folder = root / dataset / "raw"
    folder.mkdir(parents=True)
    for part, images, targets in zip(("train", "t10k"), pixels[:, :, 0], labels, strict=True):
        write_idx(folder / f"{part}-images-idx3-ubyte", images[:, :28, :28])
        write_idx(folder / f"{part}-labels-idx1-ubyte", targets)


def write_pickle(path, entry):
    path.write_bytes(pickle.dumps(entry, protocol=2))
    return hashlib.md5(path.read_bytes()).hexdigest()


def write_cifar(monkeypatch, root, loader, pixels, labels):
    """Write the batches of CIFAR; only their checksums differ from the published ones."""
    folder = root / loader.base_folder
    folder.mkdir()
    key = "fine_labels" if loader is torchvision.datasets.CIFAR100 else "labels"
    for part, names in enumerate((loader.train_list, loader.test_list)):
        rows = np.array_split(np.arange(COUNT), len(names))
        written = []
        for (name, _), some in zip(names, rows, strict=True):
            data = pixels[part, some].reshape(len(some), -1)
            entry = {"data": data, key: labels[part, some].tolist()}
            written.append([name, write_pickle(folder / name, entry)])
        monkeypatch.setattr(loader, ("train_list", "test_list")[part], written)
    names = {loader.meta["key"]: [str(i) for i in range(10)]}
    checksum = write_pickle(folder / loader.meta["filename"], names)
    monkeypatch.setattr(loader, "meta", {**loader.meta, "md5": checksum})


def write_svhn(monkeypatch, root, pixels, labels):
    listed = {}
    for part, name in enumerate(("train", "test")):
        url, file, _ = torchvision.datasets.SVHN.split_list[name]
        targets = np.where(labels[part] == 0, 10, labels[part])[:, None].astype(np.uint8)
        scipy.io.savemat(root / file, {"X": pixels[part].transpose(2, 3, 1, 0), "y": targets})
        listed[name] = [url, file, hashlib.md5((root / file).read_bytes()).hexdigest()]
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", listed)


def check_official(data, pixels, labels):
    """The test part is the official one; the other was divided, each example kept once."""
    assert data.classes == 10
    assert data.test.inputs.dtype == np.uint8
    assert data.test.targets.dtype == np.int64
    assert np.array_equal(data.test.inputs, pixels[1])
    assert np.array_equal(data.test.targets, labels[1])
    assert (len(data.train), len(data.valid)) == (32, 8)
    merged = data.merged()
    given = Counter((p.tobytes(), int(y)) for p, y in zip(pixels[0], labels[0], strict=True))
    kept = zip(merged.inputs, merged.targets, strict=True)
    assert Counter((p.tobytes(), int(y)) for p, y in kept) == given
    for split in (data.train, data.valid, data.test):
        assert split.inputs.flags.c_contiguous


@pytest.mark.parametrize(
    ("task", "dataset"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")]
)
def test_mnist_from_idx_files(tmp_path, pixels, labels, task, dataset):
    write_mnist(tmp_path, dataset, pixels, labels)
    data = TASKS[task]().load(Source(tmp_path), seed=0)
    check_official(data, pixels[:, :, :1, :28, :28], labels)


@pytest.mark.parametrize("task", ["cifar10", "cifar100"])
def test_cifar_from_its_batches(tmp_path, monkeypatch, pixels, labels, task):
    loader = getattr(torchvision.datasets, task.upper())
    write_cifar(monkeypatch, tmp_path, loader, pixels, labels)
    check_official(TASKS[task]().load(Source(tmp_path), seed=0), pixels, labels)


def test_svhn_from_mat_files(tmp_path, monkeypatch, pixels, labels):
    write_svhn(monkeypatch, tmp_path, pixels, labels)
    check_official(TASKS["svhn"]().load(Source(tmp_path), seed=0), pixels, labels)


def write_images(folder, count, size):
    for label, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            image = np.full((size, size + 6, 3), 100 * label + i, np.uint8)
            Image.fromarray(image).save(folder / name / f"{i}.png")
    Image.fromarray(np.full((9, 9), 7, np.uint8)).save(folder / "cat" / "grey.png")


def test_image_folder(tmp_path):
    write_images(tmp_path / "train", 8, 20)
    write_images(tmp_path / "test", 2, 33)
    data = TASKS["image_folder"](size=16, valid=0.25).load(Source(tmp_path), seed=0)
    assert data.input_shape == (3, 16, 16)
    assert (len(data.train), len(data.valid), data.classes) == (13, 4, 2)
    assert data.test.inputs[:, 0, 0, 0].tolist() == [0, 1, 7, 100, 101]
    assert data.test.targets.tolist() == [0, 0, 0, 1, 1]

    write_images(tmp_path / "val", 3, 16)
    data = TASKS["image_folder"](size=16).load(Source(tmp_path), seed=0)
    assert (len(data.train), len(data.valid), len(data.test)) == (17, 7, 5)


def test_class_folders_are_divided_by_the_seed_and_what_is_hidden_is_no_class(tmp_path, caplog):
    write_images(tmp_path, 9, 12)
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / "cat" / ".DS_Store").write_bytes(b"no image")
    (tmp_path / "labels.csv").write_text("no folder")
    caplog.set_level("INFO", "raynas")
    data = TASKS["image_folder"](size=8).load(Source(tmp_path), seed=1)
    assert data.names == ("cat", "dog")
    assert [len(part) for part in (data.train, data.valid, data.test)] == [13, 3, 3]
    assert {*data.test.targets} == {*data.valid.targets} == {0, 1}
    assert "2 classes (cat 10, dog 9), 13 training, 3 validation, 3 test" in caplog.text
    assert "validation and test examples were drawn by the seed" in caplog.text
    again = TASKS["image_folder"](size=8).load(Source(tmp_path), seed=1)
    assert again.describe() == data.describe()


@pytest.mark.parametrize(("part", "sizes"), [("val", [9, 7, 2]), ("valid", [9, 7, 2])])
def test_train_and_val_are_a_layout(tmp_path, part, sizes):
    write_images(tmp_path / "train", 5, 12)
    write_images(tmp_path / part, 3, 12)
    data = TASKS["image_folder"](size=8).load(Source(tmp_path), seed=1)
    assert [len(split) for split in (data.train, data.valid, data.test)] == sizes


def test_image_folder_says_what_is_wrong(tmp_path):
    task = TASKS["image_folder"]()
    with pytest.raises(DataError, match=f"CLASS.*looked in {tmp_path}, found no folder"):
        task.load(Source(tmp_path), seed=0)
    write_images(tmp_path / "train", 2, 8)
    (tmp_path / "test" / "cat").mkdir(parents=True)
    with pytest.raises(DataError, match=r"each class of train .cat, dog.: got cat"):
        task.load(Source(tmp_path), seed=0)
    (tmp_path / "test" / "dog").mkdir()
    with pytest.raises(DataError, match="test/cat must hold at least one picture"):
        task.load(Source(tmp_path), seed=0)
    (tmp_path / "test" / "dog" / "notes.txt").write_text("no image")
    (tmp_path / "test" / "cat" / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"test/cat/0\.png is not a picture: move it elsewhere"):
        task.load(Source(tmp_path), seed=0)
    with pytest.raises(ConfigError, match="at least 1 pixel: got 0"):
        TASKS["image_folder"](size=0)


EMBEDDED = {"digits", "tabular", "text", "language_model", "series"}
DOWNLOADED = sorted(set(TASKS) - EMBEDDED - {"image_folder"})


@pytest.mark.parametrize("name", DOWNLOADED)
def test_missing_data_names_the_folder_and_the_command(tmp_path, name):
    command = f"raynas search --task {name} --data-dir {tmp_path} --download"
    with pytest.raises(DataError) as caught:
        TASKS[name]().load(Source(tmp_path), seed=0)
    message = str(caught.value)
    assert f"is missing or damaged in {tmp_path}" in message
    assert command in message
    assert "\n" not in message


@pytest.mark.parametrize("name", DOWNLOADED)
def test_no_network_is_one_sentence(tmp_path, monkeypatch, name):
    def unreachable(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    with pytest.raises(DataError, match=r"not be downloaded .*no route to host") as caught:
        TASKS[name]().load(Source(tmp_path, download=True), seed=0)
    assert "\n" not in str(caught.value)


def test_damaged_files_are_told(tmp_path, monkeypatch, pixels, labels):
    write_mnist(tmp_path, "MNIST", pixels, labels)
    images = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-100])
    with pytest.raises(DataError, match="mnist is missing or damaged in"):
        TASKS["mnist"]().load(Source(tmp_path), seed=0)

    write_cifar(monkeypatch, tmp_path, torchvision.datasets.CIFAR10, pixels, labels)
    batch = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    batch.write_bytes(batch.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="cifar10 is missing or damaged in"):
        TASKS["cifar10"]().load(Source(tmp_path), seed=0)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Give a folder and the address under which a web server on this machine offers it."""
    folder = tmp_path / "server"
    folder.mkdir()
    handler = partial(QuietHandler, directory=str(folder))
    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Keep the tests' output clean."""


def test_fetching_reads_what_it_fetched(tmp_path, monkeypatch, served, pixels, labels):
    folder, address = served
    write_mnist(tmp_path, "MNIST", pixels, labels)
    resources = []
    for file in sorted((tmp_path / "MNIST" / "raw").iterdir()):
        packed = gzip.compress(file.read_bytes())
        (folder / f"{file.name}.gz").write_bytes(packed)
        resources.append((f"{file.name}.gz", hashlib.md5(packed).hexdigest()))
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [address])
    source = Source(tmp_path / "fetched", download=True)
    data = TASKS["mnist"]().load(source, seed=0)
    check_official(data, pixels[:, :, :1, :28, :28], labels)
    again = TASKS["mnist"]().load(Source(source.data_dir), seed=0)
    assert again.describe() == data.describe()


def test_digits_are_all_there_in_every_class():
    data = TASKS["digits"]().load(Source(), seed=3)
    parts = (data.train, data.valid, data.test)
    assert [len(part) for part in parts] == [1079, 359, 359]
    assert data.input_shape == (1, 8, 8)
    assert data.train.inputs.dtype == np.uint8
    digits = load_digits()
    everything = np.concatenate([part.inputs[:, 0] for part in parts])
    assert sorted(map(bytes, everything)) == sorted(map(bytes, digits.images.astype(np.uint8)))
    counts = np.array([np.bincount(part.targets, minlength=10) for part in parts])
    shares = counts / np.bincount(digits.target)
    assert np.abs(shares - np.array([[0.6], [0.2], [0.2]])).max() < 0.02


def test_the_split_follows_the_seed_and_nothing_else():
    first, again, other = (TASKS["digits"]().load(Source(), seed) for seed in (1, 1, 2))
    assert first.describe() == again.describe()
    assert first.describe() != other.describe()


def test_a_description_tells_one_changed_pixel_and_one_moved_example():
    data = TASKS["digits"]().load(Source(), seed=0)
    pixels = data.valid.inputs.copy()
    pixels[5, 0, 3, 3] ^= 1
    swapped = data.valid.take(np.roll(np.arange(len(data.valid)), 1))
    digests = {split.digest for split in (data.valid, Split(pixels, data.valid.targets), swapped)}
    assert len(digests) == 3


@given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=200),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
def test_dividing_keeps_every_example_once_and_every_class_to_its_share(labels, fraction, seed):
    rows = np.arange(len(labels), dtype=np.float32)[:, None]
    whole = Split.of(rows, labels)
    if not 1 <= np.floor(len(labels) * fraction) < len(labels):
        with pytest.raises(DataError, match="leave examples in both parts"):
            whole.divide(fraction, split_rng(seed))
        return
    rest, taken = whole.divide(fraction, split_rng(seed))
    assert len(taken) == np.floor(len(labels) * fraction)
    assert sorted([*rest.inputs[:, 0], *taken.inputs[:, 0]]) == rows[:, 0].tolist()
    for part in (rest, taken):
        assert np.array_equal(whole.targets[part.inputs[:, 0].astype(int)], part.targets)
    for label in set(labels):
        share = fraction * labels.count(label)
        assert share - 1 < np.count_nonzero(taken.targets == label) < share + 1


@pytest.mark.parametrize("shape", [(3000, 3, 4, 5), (1500, 7), (1500, 9, 4)])
def test_moments_are_those_of_numpy(shape):
    values = np.random.default_rng(0).normal(100, 30, shape).astype(np.float32)
    axis = 2 if len(shape) == 3 else 1  # of the features of a series, or of the channels
    np.moveaxis(values, axis, 1)[:, 1] = 5.0
    found = moments(Split(values, np.zeros(len(values), np.int64)))
    mean, std = found.mean, found.std
    axes = tuple(at for at in range(len(shape)) if at != axis)
    expected = values.std(axes, dtype=np.float64)
    expected[1] = 1.0  # what does not vary is left alone, not divided by zero
    np.testing.assert_allclose(mean, values.mean(axes, dtype=np.float64), rtol=1e-9)
    np.testing.assert_allclose(std, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (np.zeros((3, 2)), [0, 1], "one target for each example"),
        (np.zeros((0, 2)), np.zeros(0, int), "at least one"),
        (np.zeros(3), [0, 1, 1], r"got \(3,\)"),
        (np.zeros((2, 0)), [0, 1], r"got \(2, 0\)"),
        ([[0, 1], [np.nan, 0]], [0, 1], "NaN or infinity in 1 of 2 rows, first in row 1"),
        ([[0, 1], [1e99, 0]], [0, 1], "too large for float32 in 1 of 2 rows, first in row 1"),
        ([[1.7e9], [1.7e9 + 1]], [0, 1], r"feature 0 .* all equal in float32"),
        ([[0, 1], [2]], [0, 1], r"row 1 has the shape \(1,\) and row 0 has the shape \(2,\)"),
        (np.array([[0, 1], [2, "x"]], object), [0, 1], "must be numbers: row 1 is"),
        (np.zeros((2, 2), complex), [0, 1], "must be numbers: got ndarray of complex128"),
        (np.zeros((2, 9, 8, 3)), [0, 1], r"channels last.*np.transpose\(inputs, \(0, 3, 1, 2\)"),
        (np.zeros((2, 9, 8, 1), np.uint8), [0, 1], "channels last"),
        (np.zeros((2, 2)), [1, -1], "counted from 0: got -1 in row 1"),
        (np.zeros((2, 2)), ["a", "b"], "targets must be numbers.*return_inverse"),
    ],
)
def test_what_is_no_data_is_refused(inputs, labels, message):
    with pytest.raises(DataError, match=message):
        Split.of(inputs, labels)


def test_splits_of_different_kinds_are_refused():
    small, large = Split.of(np.zeros((4, 2)), [0, 1, 0, 1]), Split.of(np.zeros((4, 3)), [0] * 4)
    with pytest.raises(DataError, match=r"one shape: got \(2,\) and \(3,\)"):
        Data.split(small, seed=0, valid=0.5, test=large)
    with pytest.raises(DataError, match="below classes=1: got 1"):
        Data(small, small, small, goal=Classification(classes=1))


@pytest.mark.parametrize(
    ("targets", "hint"),
    [([[0], [1]], r"give targets\[:, 0\]"), ([[0, 1], [1, 0]], r"give targets.argmax\(1\)")],
)
def test_targets_that_could_mean_several_things_need_a_goal(targets, hint):
    split = Split.of(np.zeros((2, 2)), targets)
    undecided = Data(split, split, split)
    with pytest.raises(DataError, match=f"must name its goal.*{hint}"):
        undecided.goal.loss(None, None)
    assert undecided.with_goal(MultiLabel()).goal.labels == len(targets[0])


def test_real_targets_are_for_regression_and_whole_ones_too_if_the_task_says_so(caplog):
    caplog.set_level("INFO", "raynas")
    real = Split.of(np.zeros((40, 2)), np.linspace(0.0, 9.0, 40))
    assert isinstance(Data.split(real, seed=0).goal, Regression)
    assert "so the goal is regression" in caplog.text
    whole = Data.split(Split.of(np.zeros((40, 2)), np.arange(40) * 5), seed=0)
    assert whole.classes == 40
    assert whole.with_goal(Regression()).train.targets.max() > 100  # not the number of a class


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float64, bool])
def test_images_of_wide_numbers_keep_their_values(dtype):
    top = 1 if dtype in (np.float64, bool) else np.iinfo(dtype).max
    images = (np.linspace(0, 1, 40 * 16).reshape(40, 4, 4) * top).astype(dtype)
    data = Data.split(Split.of(images, np.arange(40) % 2), seed=0)
    assert data.train.inputs.dtype == np.float32
    parts = (data.train, data.valid, data.test)
    values = {*np.concatenate([part.inputs.ravel() for part in parts])}
    assert values == {*images.astype(np.float32).ravel()}


def test_labels_with_gaps_are_numbered_and_classes_keep_their_names(caplog):
    caplog.set_level("INFO", "raynas")
    labels = np.array([1, 2, 5_000_000, 40] * 10)
    known = Split.of(np.arange(40.0)[:, None], labels)
    data = Data.split(known, seed=0, test=Split.of([[7.0], [8.0]], [40, 7]))
    assert (data.classes, data.names) == (5, ("1", "2", "7", "40", "5000000"))
    assert data.test.targets.tolist() == [3, 2]
    for part in (data.train, data.valid):
        assert [int(data.names[label]) for label in part.targets] == [
            labels[int(row)] for row in part.inputs[:, 0]
        ]
    (said,) = [record.getMessage() for record in caplog.records]
    assert "(they are 1, 2, 7, 40, 5000000): the classes are numbered from 0 in this order" in said
    plain = Data.split(Split.of(np.zeros((40, 1)), np.arange(40) % 4), seed=0)
    assert (plain.classes, plain.names, len(caplog.records)) == (4, (), 1)
    with pytest.raises(DataError, match="4 names for 5000001 classes"):
        Data.split(known, seed=0, names="abcd")


def test_parts_are_fractions_of_any_number_type_or_splits():
    known = Split.of(np.arange(40.0)[:, None], [0, 1] * 20)
    data = Data.split(known, seed=0, valid=np.float32(0.25), test=np.float64(0.25))
    assert (len(data.valid), len(data.test)) == (10, 10)
    with pytest.raises(DataError, match="valid must be a fraction or a Split: got str"):
        Data.split(known, seed=0, valid="0.2")
    with pytest.raises(DataError, match=r"known must be a Split: got ndarray .*shape \(40, 1\)"):
        Data.split(known.inputs, seed=0)


def test_a_split_is_shown_without_its_contents_and_refuses_other_arrays():
    split = Split.of(np.zeros((3, 2)), [0, 1, 1])
    shown = "ndarray of float32 and shape (3, 2), ndarray of int64 and shape (3,)"
    assert repr(split) == f"Split({shown})"
    for inputs, labels in [
        (split.inputs.astype(float), split.targets),
        (split.inputs, split.targets.astype(np.int32)),
        (split.inputs[:, 0], split.targets),
        ([[0.0]], [0]),
    ]:
        with pytest.raises(DataError, match=r"Split.of\(inputs, targets\) converts them"):
            Split(inputs, labels)


def test_a_task_of_your_own_is_short():
    class Wine:
        recipe = {"batch_size": 32, "lr": 0.05}  # noqa: RUF012 - as the docstring of Task shows it

        def load(self, source, seed):  # noqa: ARG002 - the data is embedded
            wine = load_wine()
            return Data.split(Split.of(wine.data, wine.target), seed=seed)

    assert name_of(Wine()) == "wine"
    assert recipe_of(Wine()) == Wine.recipe
    data = Wine().load(Source(), seed=0)
    assert data.input_shape == (13,)
    assert data.train.inputs.dtype == np.float32
    assert (len(data.train), len(data.valid), len(data.test)) == (108, 35, 35)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_name_and_a_usable_recipe(name):
    task = TASKS[name]()
    assert name_of(task) == name
    assert task == TASKS[name]()
    Recipe().with_overrides(recipe_of(task))


def test_naming_tasks_loads_neither_torch_nor_sklearn():
    code = (
        "import sys, raynas.tasks; print({'torch', 'torchvision', 'sklearn'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "set()\n"
