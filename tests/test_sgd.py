"""The optimizer against torch's own."""

import pytest
import torch

from raynas.training.recipe import Recipe
from raynas.training.sgd import SGD


@pytest.mark.parametrize("nesterov", [True, False])
def test_it_takes_the_steps_of_torchs_optimizer(nesterov):
    recipe = Recipe(momentum=0.9, nesterov=nesterov, weight_decay=1e-2)
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(3, 4, generator=generator), torch.randn(5, generator=generator)]
    mine = [tensor.clone().requires_grad_() for tensor in start]
    theirs = [tensor.clone().requires_grad_() for tensor in start]
    own = SGD(zip("ab", mine, strict=True), recipe)
    other = torch.optim.SGD(
        theirs, lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=1e-2, fused=True
    )
    for lr in (0.1, 0.05, 0.2):
        other.param_groups[0]["lr"] = lr
        for one, two in zip(mine, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            two.grad = one.grad.clone()
        own.step(lr)
        other.step()
        for one, two in zip(mine, theirs, strict=True):
            assert torch.equal(one, two)
            assert one.grad is None


def test_what_has_no_gradient_stays():
    idle, busy = (torch.ones(2, requires_grad=True) for _ in range(2))
    optimizer = SGD([("idle", idle), ("busy", busy)], Recipe())
    busy.grad = torch.ones(2)
    optimizer.step(0.1)
    assert idle.tolist() == [1.0, 1.0]
    assert (busy < 1).all()
