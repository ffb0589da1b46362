"""What tasks would tell each shipped space: example briefs, and batches of inputs for them."""

import torch

IMAGES = {"input_shape": (1, 8, 8), "outputs": 10}
LANGUAGE = {"vocabulary": 11, "length": 8}
BRIEFS = {
    "darts": IMAGES,
    "decoder": LANGUAGE,
    "mlp": IMAGES,
    "mobile": IMAGES,
    "mobile.proxyless": IMAGES,
    "nasbench201": IMAGES,
    "recurrent_cells": LANGUAGE,
    "series": {"input_shape": (10, 2), "outputs": 3},
    "tabular": {"input_shape": (12,), "numerical": 5, "categories": (3, 4), "outputs": 2},
    "textnas": {"vocabulary": 11, "length": 8, "outputs": 4},
}

NARROW = {"mobile.proxyless": {"width": 0.1}}
"""Options of ``build`` for spaces whose networks would take long to train in a test."""


def inputs(name, batch, seed=0):
    """Return a batch for the brief of this space; texts end in padding."""
    brief, generator = BRIEFS[name], torch.Generator().manual_seed(seed)
    if "vocabulary" in brief:
        ids = torch.randint(1, brief["vocabulary"], (batch, brief["length"]), generator=generator)
        if "outputs" in brief:
            lengths = torch.randint(1, brief["length"] + 1, (batch, 1), generator=generator)
            ids[torch.arange(brief["length"]) >= lengths] = 0
        return ids
    numbers = torch.randn(batch, *brief["input_shape"], generator=generator)
    start = brief.get("numerical", 0)
    for size in brief.get("categories", ()):
        chosen = torch.randint(size, (batch,), generator=generator)
        numbers[:, start : start + size] = torch.nn.functional.one_hot(chosen, size).float()
        start += size
    return numbers


def outputs(name, batch):
    """Return the shape of what a network of this space must return for such a batch."""
    brief = BRIEFS[name]
    if "outputs" in brief:
        return batch, brief["outputs"]
    return batch, brief["length"], brief["vocabulary"]
