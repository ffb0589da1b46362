"""What an event file can hold: numbers, pictures and texts, with names that harm nothing."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Any, Final

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.text import metadata as text_metadata

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


def plain(text: str) -> str:
    """Return a text without control characters and halves of characters, for names."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def scalars(values: Mapping[str, float]) -> Any:
    """Return numbers by their tags."""
    return Summary(
        value=[Summary.Value(tag=plain(tag), simple_value=value) for tag, value in values.items()]
    )


def image(tag: str, png: bytes) -> Any:
    """Return a picture."""
    width, height = struct.unpack(">II", png[16:24])
    content = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=png)
    return Summary(value=[Summary.Value(tag=plain(tag), image=content)])


def markdown(tag: str, text: str) -> Any:
    """Return a text, which TensorBoard shows as Markdown; ``cell`` makes words safe in it."""
    described = text_metadata.create_summary_metadata(display_name="", description="")
    return tensor(tag, text.encode(), described)


def tensor(tag: str, content: bytes, described: Any) -> Any:
    """Return bytes for one of TensorBoard's plugins, which ``described`` names."""
    held = TensorProto(dtype=DT_STRING, string_val=[content], tensor_shape=TensorShapeProto())
    return Summary(value=[Summary.Value(tag=plain(tag), metadata=described, tensor=held)])


def cell(words: str) -> str:
    """Return words as they are to be read, for the cell of a table in Markdown."""
    return _MARKUP.sub(r"\\\1", plain(" ".join(words.split())))
