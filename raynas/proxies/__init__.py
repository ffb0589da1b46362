"""Zero-cost proxies: what an untrained network lets one guess of the trained one.

A proxy is a number for a network and a batch of examples; architectures are ranked by it. What a
guess is worth differs by data set and space: ``params`` and ``flops`` are among the proxies
because many others do no better (White et al., 2022, "A Deeper Look at Zero-Cost Proxies for
Lightweight NAS", ICLR blog track).
"""

from raynas.proxies.batch import Batch
from raynas.proxies.score import NAMES, Scores, score, score_all

__all__ = ["NAMES", "Batch", "Scores", "score", "score_all"]
