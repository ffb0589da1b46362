"""Zero-cost proxies: they estimate the quality of a network without training it.

A proxy computes a number from a network and a batch of examples; architectures are ranked by it.
The quality of a proxy depends on the data set and the space. ``params`` and ``flops`` are also
proxies, because many others are no better (White et al., 2022, "A Deeper Look at Zero-Cost Proxies
for Lightweight NAS", ICLR blog track).
"""

from raynas.proxies.batch import Batch
from raynas.proxies.score import NAMES, Scores, score, score_all

__all__ = ["NAMES", "Batch", "Scores", "score", "score_all"]
