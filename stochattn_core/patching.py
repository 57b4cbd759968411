"""The patch: a `with` block in which the attention of a model is sampled, without any change to the model.

One TorchFunctionMode answers torch's attention functions wherever they are called from, and every other place where a look has recognised
attention (`recognition/`). A call of the model whose signature is new is looked at first, in a plain pass of its own: attention that cannot be
sampled is an error, never a silent plain layer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from torch import nn

from stochattn_core.answering_mode import AnsweringMode
from stochattn_core.draw import checked_draw
from stochattn_core.plan import Layers, ModuleObserver, Plan
from stochattn_core.recognition.findings import Recognition
from stochattn_core.recognition.implementations import through_torch_functions
from stochattn_core.recognition.refusals import refuse_what_cannot_be_answered
from stochattn_core.run import Run
from stochattn_core.torch_private import function_modes


@contextlib.contextmanager
def stochastic_attention(
    model: nn.Module,
    concentration: int | float,
    *,
    members: Sequence[int] = (0,),
    seed: int = 0,
    layers: Layers = "*",
    ignore: Layers = "",
    n_case: int | None = None,
    first_case: int = 0,
    shared: bool = False,
    observe: ModuleObserver | None = None,
) -> Iterator[Run]:
    """Sample the attention of `model` inside the block, in this thread: each row p becomes counts / concentration.

    The inputs given to the model must hold len(members) copies along dim 0, member-major; its output then does as well.
    layers: a glob over module names, several with commas between them, or a callable; the other layers stay plain.
    ignore: modules that stay plain on purpose, chosen in the same way, also where they compute attention that cannot be sampled;
    run.ignored records them. n_case, first_case and shared: see Draw.
    The first call of each signature (structure, shapes up to the batch size, values that are no tensors, module modes) is looked at in a pass
    of its own over two cases. Calls of the model and of its larger parts (an encoder, a decoder) inside the block are answered. Code that runs
    outside of such calls is answered where it uses torch's own attention, and is an error where it computes attention in another way.
    Two blocks with the same seed draw the same numbers. To go on instead, give the second one another first_case (other cases) or
    another seed (the same cases again). In a loop over batches inside one block, call run.begin_batch(first_case) before each.
    A concentration of math.inf is the plain model, untouched.

    >>> import torch
    >>> model = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    >>> x = torch.randn(1, 5, 8)
    >>> with torch.no_grad(), stochastic_attention(model, 16, members=range(3)) as run:
    ...     y, _ = model(*3 * [x.repeat(3, 1, 1)], need_weights=False)
    >>> y.shape, dict(run.calls)
    (torch.Size([3, 5, 8]), {'': 1})

    Raises NoAttentionError if no attention was met, UnansweredAttentionError if some was met that cannot be answered,
    ValueError for a concentration that is not a positive whole number.
    """
    draw = checked_draw(concentration, members, seed, n_case=n_case, first_case=first_case, shared=shared)
    if draw.is_exact:
        yield Run()
        return
    with answering(model, Plan(draw, layers, ignore, observe)) as run:
        yield run


@contextlib.contextmanager
def answering(model: nn.Module, plan: Plan, recognition: Recognition | None = None) -> Iterator[Run]:
    """Answer the attention of `model` inside the block as the plan says; a draw of inf answers with the exact rows.

    recognition: what a look at the one kind of call that the block holds has found; None looks at every new kind of call.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"expected a torch.nn.Module, got {type(model).__name__}; wrap the function in a module whose forward calls it")
    if recognition is None:
        refuse_what_cannot_be_answered(model)
    if any(isinstance(mode, AnsweringMode) and mode.model is model for mode in function_modes()):
        raise ValueError(
            f"a block of this {type(model).__name__} is open in this thread already, and would be left unanswered; leave it first"
        )
    mode = AnsweringMode(model, plan, recognition)
    with mode.watching_calls(), through_torch_functions(model, is_fused=recognition is None or recognition.is_fused), mode:
        yield mode.run
    mode.check_run()
