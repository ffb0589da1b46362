"""Networks made by hand, as one begins with such data; ``own_tasks.py`` compares them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


def perceptron(told: Mapping[str, Any]) -> nn.Module:
    """Two hidden layers of 128 units with batch normalisation and a little dropout."""
    features = math.prod(told["input_shape"])
    layers: list[nn.Module] = [nn.Flatten()]
    for width, wider in ((features, 128), (128, 128)):
        layers += [nn.Linear(width, wider), nn.BatchNorm1d(wider), nn.ReLU(), nn.Dropout(0.1)]
    return nn.Sequential(*layers, nn.Linear(128, told["outputs"]))


class TextCNN(nn.Module):
    """Convolutions over 3, 4 and 5 words and their maxima (Kim, 2014, arXiv:1408.5882)."""

    def __init__(self, vocabulary: int, outputs: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 64, padding_idx=0)
        self.convolutions = nn.ModuleList(nn.Conv1d(64, 64, k, padding=k // 2) for k in (3, 4, 5))
        self.dropout = nn.Dropout(0.5)
        self.last = nn.Linear(3 * 64, outputs)

    def forward(self, ids: Tensor) -> Tensor:
        words = self.embedding(ids).transpose(1, 2)
        found = [convolution(words).relu().amax(2) for convolution in self.convolutions]
        return self.last(self.dropout(torch.cat(found, 1)))


def text_cnn(told: Mapping[str, Any]) -> nn.Module:
    return TextCNN(told["vocabulary"], told["outputs"])


class LSTM(nn.Module):
    """An LSTM of 128 units on embeddings of 64 numbers."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 64)
        self.recurrent = nn.LSTM(64, 128, batch_first=True)
        self.last = nn.Linear(128, vocabulary)

    def forward(self, ids: Tensor) -> Tensor:
        states, _ = self.recurrent(self.embedding(ids))
        return self.last(states)


def lstm(told: Mapping[str, Any]) -> nn.Module:
    return LSTM(told["vocabulary"])


class Forecaster(nn.Module):
    """A perceptron on the differences from the last value, which is added again."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Flatten(), nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, outputs)
        )

    def forward(self, series: Tensor) -> Tensor:
        last = series[:, -1:, :1]
        return self.network(series - last) + last[:, 0]


def forecaster(told: Mapping[str, Any]) -> nn.Module:
    return Forecaster(math.prod(told["input_shape"]), told["outputs"])
