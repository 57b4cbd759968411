"""One hand-written form of attention, and the model in which it stands beside one ordinary attention layer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

N_CASE, N_TOKEN, WIDTH, N_HEAD = 3, 16, 8, 2


@dataclass(frozen=True)
class Form:
    """make: returns the module, which maps (case, token, width) to (case, *any, width).

    calls: the answered calls that one pass adds, by module name.   is_linear: is the output linear in the attention rows, with one row
    per term?   close: the tolerance of the output at a concentration of 10^9, relative to its largest value.
    reference: (module, x) -> what the module must return, computed in another way.
    may_be_plain: is it a matter of definition whether this is attention? It then may stay plain, but may not be refused.
    inputs: what the module takes besides the tokens.
    """

    make: Callable[[], nn.Module]
    calls: Mapping[str, int] = field(default_factory=lambda: {"by_hand": 1})
    is_linear: bool = True
    close: float = 2e-4
    reference: Callable[[nn.Module, Tensor], Tensor] | None = None
    may_be_plain: bool = False
    inputs: tuple[Tensor, ...] = ()


class Projected(nn.Module):
    """Queries, keys and values by one linear map, given to a plain function."""

    def __init__(self, attend: Callable[..., Tensor]):
        super().__init__()
        self.project, self.attend = nn.Linear(WIDTH, 3 * WIDTH), attend

    def forward(self, x):
        return self.attend(*self.project(x).chunk(3, -1))


def of(attend: Callable[..., Tensor], reference: Callable[..., Tensor] | None = None, **facts) -> Form:
    """The form that gives queries, keys and values, each (case, token, width), to a function; reference: a function of the same three."""
    return Form(
        lambda: Projected(attend),
        reference=None if reference is None else lambda module, x: reference(*module.project(x).chunk(3, -1)),
        **facts,
    )


def scores(query: Tensor, key: Tensor) -> Tensor:
    return query @ key.mT / query.shape[-1] ** 0.5


def heads(x: Tensor, n_head: int = N_HEAD) -> Tensor:
    """(case, token, width) -> (case, head, token, width / head)."""
    return x.unflatten(-1, (n_head, -1)).transpose(1, 2)


def merged(x: Tensor) -> Tensor:
    """(case, head, token, width / head) -> (case, token, width)."""
    return x.transpose(1, 2).flatten(2)


def multi_head(query: Tensor, key: Tensor, value: Tensor, **arguments) -> Tensor:
    """torch's own attention with heads, as a reference."""
    return merged(F.scaled_dot_product_attention(heads(query), heads(key), heads(value), **arguments))


class Ordinary(nn.Module):
    """Self-attention on torch's function."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(WIDTH, 3 * WIDTH)

    def forward(self, x):
        query, key, value = map(heads, self.project(x).chunk(3, -1))
        return merged(F.scaled_dot_product_attention(query, key, value))


class OrdinaryFirst(nn.Module):
    """The ordinary layer, then the form, which makes the output."""

    def __init__(self, form: nn.Module):
        super().__init__()
        self.ordinary, self.by_hand = nn.MultiheadAttention(WIDTH, N_HEAD, batch_first=True), form

    def forward(self, x, *inputs):
        return self.by_hand(x + self.ordinary(x, x, x, need_weights=False)[0], *inputs)


class OrdinaryLast(nn.Module):
    """The form, then the ordinary layer, which reads the form's output as further tokens."""

    def __init__(self, form: nn.Module):
        super().__init__()
        self.by_hand, self.ordinary = form, Ordinary()

    def forward(self, x, *inputs):
        return self.ordinary(torch.cat([x, self.by_hand(x, *inputs).reshape(len(x), -1, WIDTH)], 1))


ORDERS = {"ordinary layer first": OrdinaryFirst, "ordinary layer last": OrdinaryLast}


def beside(form: Form, order: str = "ordinary layer first", seed: int = 0) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The form beside an ordinary layer, in eval mode, and inputs; weights keep the variance of what passes, so that rows are uneven."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ORDERS[order](form.make())
        for parameter in model.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        return model.eval(), (torch.randn(N_CASE, N_TOKEN, WIDTH), *form.inputs)
