"""One entry of the matrix: how a model is made, and how many attention calls one pass of it holds according to its source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

N_CASE = 3


class Picked(nn.Module):
    """A model as a function to one tensor: `pick` takes that tensor from what the model returns."""

    def __init__(self, model: nn.Module, pick: Callable[[Any], Tensor]):
        super().__init__()
        self.model, self.pick = model, pick
        self.train(model.training)

    def forward(self, *inputs: Any, **kwargs: Any) -> Tensor:
        return self.pick(self.model(*inputs, **kwargs))


@dataclass(frozen=True)
class Example:
    """A model with random weights that returns one tensor, and the arguments of one pass over N_CASE cases.

    plain: the same model and weights, set to the implementation of attention that is the reference; None: the model itself.
    """

    model: nn.Module
    inputs: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    plain: nn.Module | None = None


@dataclass(frozen=True)
class Entry:
    """A row of the matrix.

    build: makes the example; the global generator is seeded before the call.
    n_call: attention calls in one pass; because: how this number follows from the configuration and the source.
    n_other: softmaxes in the same pass that are not attention; other: what they are.
    package: the distribution that the model comes from.
    attention_modules: the classes whose forward calls are counted, for attention that has no softmax operation of its own.
    refused: why a refusal by name is the right answer; empty where the model must be answered.
    refusable: why a refusal by name is as right as n_call answered calls.
    jumps: where the output jumps at a threshold, if it does: a jump happens with a probability that falls as nu^-1/2, and so the spread that it
    makes falls as nu^-1/4.
    further: names of further passes -> their arguments, with the same number of attention calls.
    """

    build: Callable[[], Example]
    n_call: int
    because: str
    n_other: int = 0
    other: str = ""
    package: str = "transformers"
    attention_modules: tuple[str, ...] = ()
    refused: str = ""
    refusable: str = ""
    jumps: str = ""
    further: Callable[[], dict[str, Example]] | None = None


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Return standard normal numbers of this shape."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tokens(n_token: int, n_word: int = 50, *, n_case: int = N_CASE) -> Tensor:
    """Return token ids (case, token). Ids 0 to 3 do not occur, because many models give them a meaning, such as padding."""
    return torch.randint(4, n_word, (n_case, n_token), generator=torch.Generator().manual_seed(0))


def randomise(model: nn.Module, scale: float = 0.05) -> nn.Module:
    """Add normal noise to every parameter of floating point, so that no gate is left at zero; return the model in eval mode."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point():
                parameter.add_(scale * torch.randn(parameter.shape, generator=generator).to(parameter.dtype))
    return model.eval()


def made(make: Callable[[], nn.Module], *inputs: Any, pick: Callable[[Any], Tensor] | None = None) -> Callable[[], Example]:
    """Return a function that builds the example of a module and its positional arguments."""
    return lambda: Example(Picked(randomise(make()), pick or (lambda output: output)), inputs)
