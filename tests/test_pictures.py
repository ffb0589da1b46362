"""Picture files of every kind, in folders as people have them."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from raynas.errors import DataError
from raynas.tasks import TASKS, Source
from raynas.tasks.pictures import read_picture

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
DEEP = GREY.astype(np.uint16) * 257  # the same in 16 bits
CLEAR = np.zeros((8, 8, 4), np.uint8)  # black that nobody sees


def saved(array, **how):
    return lambda path: Image.fromarray(array).save(path, **how)


def pgm(array, top):
    def write(path):
        path.write_bytes(b"P5\n8 8\n%d\n" % top + array.astype(">u2").tobytes())

    return write


def deep_png(array):
    """Return what writes 16-bit colours, which Pillow only reads."""

    def chunk(kind, content):
        ends = struct.pack(">I", len(content)), struct.pack(">I", zlib.crc32(kind + content))
        return ends[0] + kind + content + ends[1]

    def write(path):
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
        header = struct.pack(">IIBBBBB", *array.shape[1::-1], 16, 2, 0, 0, 0)
        parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)

    return write


def turned(mode):
    exif = Image.Exif()
    exif[0x0112] = mode
    return exif


# What writes a file, and the values that all three channels must have.
KINDS = {
    "grey.png": (saved(GREY), GREY),
    "grey.tiff": (saved(GREY), GREY),
    "palette.gif": (lambda path: Image.fromarray(GREY).convert("P").save(path), GREY),
    "one_bit.png": (saved(GREY > 99), np.where(GREY > 99, 255, 0)),
    "one_bit.tiff": (saved(GREY > 99), np.where(GREY > 99, 255, 0)),
    "alpha.png": (saved(CLEAR), np.full((8, 8), 255)),
    "clear_palette.png": (saved(GREY, transparency=0), np.where(GREY == 0, 255, GREY)),
    "16.png": (saved(DEEP), GREY),
    "16.tiff": (saved(DEEP), GREY),
    "16_big_endian.tiff": (saved(DEEP.astype(">u2")), GREY),
    "16.pgm": (saved(DEEP), GREY),
    "clear_16.png": (saved(DEEP, transparency=0), np.where(GREY == 0, 255, GREY)),
    "12_in_16.png": (saved(DEEP >> 4), (DEEP >> 4) / 257),
    "12_in_16.tiff": (saved(DEEP >> 4), (DEEP >> 4) / 257),
    "12.pgm": (pgm(DEEP >> 4, 4095), (DEEP >> 4) / 4095 * 255),
    "colours_16.png": (deep_png(np.stack([DEEP] * 3, -1)), GREY),
    "32.tiff": (saved(GREY.astype(np.int32) * 99999), GREY * 99999.0),
    "signed.tiff": (saved(GREY.astype(np.int32) - 100), GREY - 100.0),
    "real.tiff": (saved(GREY.astype(np.float32) / 255 - 0.5), GREY / 255 - 0.5),
    "turned.png": (saved(GREY, exif=turned(6)), np.rot90(GREY, -1)),
    "mirrored_16.png": (saved(DEEP, exif=turned(2)), GREY[:, ::-1]),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_picture_keeps_its_values(tmp_path, name):
    write, expected = KINDS[name]
    write(tmp_path / name)
    read = read_picture(tmp_path / name, 8)
    assert read.dtype in (np.uint8, np.float32)
    np.testing.assert_allclose(read, np.stack([expected] * 3), rtol=1e-4, atol=0.003)


def test_a_resized_deep_picture_stays_within_its_values(tmp_path):
    saved(np.where(np.arange(400).reshape(20, 20) % 3, 0, 65535).astype(np.uint16))(
        tmp_path / "deep.png"
    )
    read = read_picture(tmp_path / "deep.png", 7)
    assert (read.shape, read.min() >= 0, read.max() <= 255) == ((3, 7, 7), True, True)


def whole(tmp_path, suffix):
    Image.fromarray(np.stack([GREY] * 3, -1)).resize((64, 64)).save(tmp_path / f"whole.{suffix}")
    return (tmp_path / f"whole.{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "tiff", "webp"])
def test_a_truncated_file_is_refused_by_its_name(tmp_path, suffix):
    content, path = whole(tmp_path, suffix), tmp_path / f"half.{suffix}"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=rf"half\.{suffix} (cannot be read as|is not) a picture"):
        read_picture(path, 8)


def test_what_is_no_number_is_refused(tmp_path):
    saved(np.full((8, 8), np.nan, np.float32))(tmp_path / "nan.tiff")
    with pytest.raises(DataError, match=r"nan\.tiff cannot be read as a picture: .*finite"):
        read_picture(tmp_path / "nan.tiff", 8)


def folder(root, kinds, count=4):
    """Write class folders ``a`` and ``b`` with files of these kinds in turn."""
    for name in "ab":
        (root / name).mkdir(parents=True)
        for i in range(count):
            kind = kinds[i % len(kinds)]
            KINDS[kind][0](root / name / f"{i}{kind}")


def loaded(root, **options):
    return TASKS["image_folder"](size=8, **options).load(Source(root), seed=0)


def test_deep_and_usual_pictures_share_one_scale(tmp_path, caplog):
    caplog.set_level("INFO", "raynas")
    folder(tmp_path / "train", ["grey.png"])
    folder(tmp_path / "test", ["16.png", "colours_16.png", "12.pgm"])
    data = loaded(tmp_path, valid=0.5)
    assert data.train.inputs.dtype == data.test.inputs.dtype == np.float32
    assert data.train.inputs.max() == data.test.inputs[:2].max() == 252
    assert "values 0 to 252" in caplog.text
    assert "files with colours of 16 bits, which are read as 8 bits: 2" in caplog.text


@pytest.mark.parametrize("other", ["real.tiff", "32.tiff"])
def test_pictures_without_a_common_scale_are_refused_by_name(tmp_path, other):
    folder(tmp_path, [other])
    assert loaded(tmp_path, valid=0.25, test=0.25).train.inputs.dtype == np.float32
    saved(GREY)(tmp_path / "b" / "last.png")
    with pytest.raises(DataError, match=rf"one scale, got .*a/0{other} .*b/last\.png \(0 to 255"):
        loaded(tmp_path)


def test_what_is_hidden_is_no_class_and_no_example(tmp_path, caplog):
    caplog.set_level("INFO", "raynas")
    folder(tmp_path, ["grey.png"], count=9)
    for name in (".ipynb_checkpoints", "__MACOSX", ".git", "@eaDir", "a/.thumbs", "a/__MACOSX"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(b"no image")
    for name in ("._0grey.png", "Thumbs.db", ".DS_Store", "desktop.ini"):
        (tmp_path / "a" / name).write_bytes(b"no image")
        (tmp_path / name).write_bytes(b"no image")
    (tmp_path / "labels.csv").write_text("0,a")
    data = loaded(tmp_path)
    assert data.names == ("a", "b")
    assert len(data.train) + len(data.valid) + len(data.test) == 18
    assert "files beside the class folders, which are left out: 1" in caplog.text


def test_files_of_several_pictures_are_said(tmp_path, caplog):
    caplog.set_level("INFO", "raynas")
    folder(tmp_path, ["grey.png"])
    first, *more = (Image.fromarray(GREY + i) for i in range(3))
    first.save(tmp_path / "a" / "scan.tiff", save_all=True, append_images=more)
    loaded(tmp_path)
    assert "files with several pictures, of which the first is taken: 1" in caplog.text


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "Validation", "TEST")])
def test_parts_are_found_by_their_usual_names(tmp_path, names):
    for count, name in enumerate(names, start=1):
        folder(tmp_path / name, ["grey.png"], count)
    data = loaded(tmp_path)
    assert [len(part) for part in (data.train, data.valid, data.test)] == [2, 4, 6]
