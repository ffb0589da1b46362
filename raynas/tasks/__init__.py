"""Tasks: the data on which architectures are scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from raynas.tasks.digits import Digits
from raynas.tasks.folder import ImageFolder
from raynas.tasks.language_model import LanguageModel
from raynas.tasks.series import Series
from raynas.tasks.tabular import Tabular
from raynas.tasks.task import Source, Task
from raynas.tasks.text import Text
from raynas.tasks.vision import CIFAR10, CIFAR100, MNIST, SVHN, FashionMNIST

__all__ = ["TASKS", "Source", "Task"]

TASKS: Mapping[str, Callable[..., Task]] = MappingProxyType(
    {
        "digits": Digits,
        "mnist": MNIST,
        "fashion_mnist": FashionMNIST,
        "cifar10": CIFAR10,
        "cifar100": CIFAR100,
        "svhn": SVHN,
        "image_folder": ImageFolder,
        "tabular": Tabular,
        "text": Text,
        "language_model": LanguageModel,
        "series": Series,
    }
)
"""Every task by name: a function of its options (all have defaults) that returns a ``Task``."""
