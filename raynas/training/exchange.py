"""Exchange tensors with the other processes of a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from raynas.errors import PeerError


def exchanged(tensors: Sequence[Tensor], exchange: Callable[[Tensor], Any]) -> list[Tensor]:
    """Return what an exchange makes of tensors; it changes them in one piece for each type.

    Raises:
        PeerError: Another process is gone.
    """
    results: dict[int, Tensor] = {}
    for kind in dict.fromkeys(one.dtype for one in tensors):
        places = [at for at, one in enumerate(tensors) if one.dtype == kind]
        flat = torch.cat([tensors[at].reshape(-1) for at in places])
        with reached():
            exchange(torch.view_as_real(flat) if flat.is_complex() else flat)
        parts = torch.split(flat, [tensors[at].numel() for at in places])
        for at, part in zip(places, parts, strict=True):
            results[at] = part.reshape(tensors[at].shape)
    return [results[at] for at in range(len(tensors))]


@contextmanager
def reached() -> Iterator[None]:
    """Say that another process is gone, if it cannot be reached.

    Raises:
        PeerError: It cannot.
        torch.OutOfMemoryError: Memory ran out.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        said = str(error).splitlines()[0]
        raise PeerError(f"another process of its training could not be reached: {said}") from error
