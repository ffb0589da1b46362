"""Mixed precision as on CUDA, for tensors on the CPU. Loads torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from raynas.trees import mapped

# "CUDA Ops that can autocast to float32" of https://docs.pytorch.org/docs/stable/amp.html. On a
# CPU, ``torch.autocast`` leaves most of them in bfloat16. What can autocast to bfloat16 is nearly
# the same on both.
_FLOAT32: Final = frozenset(
    {
        "pow",
        "__pow__",
        "__rpow__",
        "__rdiv__",
        "__rtruediv__",
        "acos",
        "asin",
        "cosh",
        "sinh",
        "tan",
        "erfinv",
        "exp",
        "expm1",
        "log",
        "log10",
        "log1p",
        "log2",
        "reciprocal",
        "rsqrt",
        "cumprod",
        "cumsum",
        "prod",
        "sum",
        "norm",
        "dist",
        "pdist",
        "cdist",
        "renorm",
        "normalize",
        "cosine_similarity",
        "softmax",
        "softmin",
        "log_softmax",
        "softplus",
        "layer_norm",
        "group_norm",
        "binary_cross_entropy_with_logits",
        "cross_entropy",
        "nll_loss",
        "cosine_embedding_loss",
        "hinge_embedding_loss",
        "kl_div",
        "l1_loss",
        "margin_ranking_loss",
        "mse_loss",
        "multilabel_margin_loss",
        "multi_margin_loss",
        "poisson_nll_loss",
        "smooth_l1_loss",
        "soft_margin_loss",
        "triplet_margin_loss",
    }
)


class CUDAAutocast(TorchFunctionMode):
    """Inside this context and ``torch.autocast("cpu")``, tensors have the types as on CUDA.

    A function of torch that is written in Python is looked at as a whole: attention in
    ``torch.nn.functional.multi_head_attention_forward`` takes its softmax in bfloat16.
    """

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function, with inputs in float32 if it computes in float32."""
        given = kwargs or {}
        if getattr(func, "__name__", "") in _FLOAT32:
            args, given = mapped(_float32, tuple(args)), mapped(_float32, given)
        return func(*args, **given)


def _float32(value: Any) -> Any:
    half = isinstance(value, Tensor) and value.dtype == torch.bfloat16
    return value.float() if half else value
