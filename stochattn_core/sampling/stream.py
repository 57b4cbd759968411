"""The random stream: a number is a function of its address (seed, member, call, row, purpose, draw), never of what was drawn before.

So member m has the same bits in any fold, any chunk and any ensemble size, and no generator's state is read or changed.
Two further words, the part and the step, tell calls apart that would otherwise have the same address; they are the upper halves of the
words of the member and of the call, and 0 unless they are needed.
The 64-bit key of a row absorbs the address word by word through the SplitMix64 finaliser (Steele, Lea, Flood 2014, OOPSLA, with the
constants of Stafford's Mix13). The draws of the row are the finaliser of its key plus multiples of the golden gamma.
Arithmetic is on int64: products wrap modulo 2^64 like unsigned ones, and a mask makes a shift logical.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

WORD = (1 << 64) - 1
HALF = 32  # bits
GAMMA = 0x9E3779B97F4A7C15
MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
SHIFTS = (30, 27, 31)

# The purposes of a number, a word of its address: numbers for two purposes are never the same.
DRAW, POISSON, REJECTION, TOP_UP, DROPOUT, MIXTURE = range(6)


def _signed(word: int) -> int:
    """The int64 with the bits of a 64-bit word."""
    word &= WORD
    return word - (1 << 64) if word >> 63 else word


def _steps() -> Iterator[tuple[int, int | None]]:
    """The shifts of the finaliser, each with the multiplier that follows it; none follows the last."""
    return zip(SHIFTS, (*MULTIPLIERS, None), strict=True)


def _mix_int(word: int) -> int:
    """SplitMix64's finaliser of one 64-bit word."""
    for shift, multiplier in _steps():
        word ^= word >> shift
        if multiplier is not None:
            word = word * multiplier & WORD
    return word


def _mix_(words: Tensor) -> Tensor:
    """SplitMix64's finaliser of every word, in place on int64."""
    for shift, multiplier in _steps():
        words ^= (words >> shift) & (WORD >> shift)
        if multiplier is not None:
            words *= _signed(multiplier)
    return words


def _absorb_int(state: int, word: int) -> int:
    return _mix_int((state + (word + 1) * GAMMA) & WORD)


def further_seed(seed: int, number: int) -> int:
    """Return a seed of 64 bits whose numbers have nothing to do with those of `seed`, nor with those of another `number`, 0 or more."""
    return _absorb_int(_mix_int(seed & WORD), WORD - 1 - number)


def row_keys(
    seed: int, members: Sequence[int], call: int, first_row: int, n_row: int, device: torch.device, *, part: int = 0, step: int = 0
) -> Tensor:
    """Return the keys of n_row rows from first_row on, for each member: (member, n_row) int64. member, call, part, step: below 2^32."""
    rows = torch.arange(first_row + 1, first_row + n_row + 1, device=device, dtype=torch.int64) * _signed(GAMMA)
    of_seed = _mix_int(seed & WORD)
    starts = [_signed(_absorb_int(_absorb_int(of_seed, member + (part << HALF)), call + (step << HALF))) for member in members]
    return _mix_(rows + torch.tensor(starts, device=device, dtype=torch.int64)[:, None])


def purpose_keys(keys: Tensor, purpose: int, attempt: int = 0) -> Tensor:
    """Return the keys of the same rows for another purpose or a further attempt; same shape as keys."""
    return _mix_(keys + _signed((1 + purpose + 16 * attempt) * GAMMA))


def uniforms(keys: Tensor, n_draw: int, *, first: int = 0) -> Tensor:
    """Return numbers first .. first + n_draw - 1 of every row, uniform on the open interval (0, 1): keys.shape + (n_draw,).

    float64 with 52 random bits; float32 with 23 where the device has no float64 (MPS).
    """
    counter = torch.arange(first + 1, first + n_draw + 1, device=keys.device, dtype=torch.int64) * _signed(GAMMA)
    return _unit(_mix_(keys[..., None] + counter))


def uniforms_at(keys: Tensor, draw: Tensor) -> Tensor:
    """Return one number for each pair of a row's key and the index of a draw; both have the same shape."""
    return _unit(_mix_(keys + (draw + 1) * _signed(GAMMA)))


def _unit(words: Tensor) -> Tensor:
    """Return random words as numbers in (0, 1)."""
    # Adding half a unit excludes 0; using one bit less than the mantissa holds keeps the largest value below 1.
    if words.device.type == "mps":
        return (((words >> 41) & 0x7FFFFF).to(torch.float32) + 0.5) * 2.0**-23
    return (((words >> 12) & 0xFFFFFFFFFFFFF).to(torch.float64) + 0.5) * 2.0**-52
