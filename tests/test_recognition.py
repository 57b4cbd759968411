"""What is known of weights follows them through every operation, and what is known of memory ends with it."""

import gc
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stochattn_core.recognition.findings import State, finding_of
from stochattn_core.recognition.operations import is_identity_on_weights, weighs
from stochattn_core.recognition.shadows import Cell, Shadows, empty_shadow, memory_of, seen_as, shadow_of_whole
from stochattn_core.recognition.sources import Meeting, Place, Source, stochastic_dim
from stochattn_core.recognition.trace import Trace
from tests.zoo import normal


def traced(function, *inputs):
    """The trace of a function of weights (2, 3, 4, 6) and of inputs, and its result."""
    x, keys = normal(2, 3, 4, 8), normal(2, 3, 6, 8, seed=1)
    trace = Trace(nn.Identity(), lambda: "", (x, keys, *inputs))
    with torch.no_grad(), trace:
        output = function(torch.softmax(x @ keys.mT, -1), *inputs)
    return trace, output


def banded(w):
    return w.as_strided((2, 3, 4, 2), (72, 24, 6, 5), 0)


def written(into, w):
    into = into.clone()
    into[1:3, :, :, 2:] = w[..., :4]
    return into


def written_through_a_view(into, w):
    into = into.clone()
    row = into[2]
    row.copy_(w[0])
    return into


# Each is given weights and moves entries; given the numbers of the entries instead, it says where each entry went.
COPIES = {
    "transposed": lambda w: w.mT,
    "heads merged": lambda w: w.flatten(0, 1),
    "made contiguous": lambda w: w.permute(3, 1, 0, 2).contiguous(),
    "sliced with steps": lambda w: w[:, ::2, 1:, ::3],
    "as_strided": banded,
    "as_strided of a view": lambda w: w[1:].as_strided((3, 2), (24, 6), 72),
    "windows": lambda w: w.unfold(-1, 3, 2),
    "expanded": lambda w: w[..., None].expand(-1, -1, -1, -1, 5),
    "repeated": lambda w: w.repeat(1, 2, 1, 1),
    "rolled": lambda w: w.roll(2, -1),
    "flipped": lambda w: w.flip(-1),
    "diagonal": lambda w: w.diagonal(0, -2, -1),
    "stacked": lambda w: torch.stack([w, w.flip(-2)], 1),
    "joined": lambda w: torch.cat([w[..., 3:], w[..., :3]], -1),
    "chosen": lambda w: w[:, [2, 0], :, 1],
    "index_select": lambda w: w.index_select(-1, torch.tensor([5, 5, 0])),
    "gathered": lambda w: w.gather(-1, torch.tensor([3, 1]).expand(2, 3, 4, 2)),
    "wider": lambda w: w.double(),
    "pixels": lambda w: F.pixel_shuffle(w.reshape(2, 4, 3, 6), 2),
}


@pytest.mark.parametrize("name", COPIES)
def test_the_elements_of_weights_are_known_after_copies_and_views(name):
    trace, output = traced(COPIES[name])
    numbers = torch.arange(2 * 3 * 4 * 6, dtype=torch.float64).view(2, 3, 4, 6)
    assert torch.equal(trace.shadows.of(output).marks[0].of(output), COPIES[name](numbers))
    assert trace.shadows.of(output).marks[0].is_linear


FILLED = {
    "padded": lambda w: F.pad(w, (1, 2)),
    "lower triangle": torch.tril,
    "masked": lambda w: w.masked_fill(torch.arange(6) % 2 == 0, 0.0),
    "written in place": lambda w: written(torch.zeros(4, 3, 4, 6), w),
    "written through a view": lambda w: written_through_a_view(torch.zeros(4, 3, 4, 6), w),
    "scattered": lambda w: torch.zeros(2, 3, 4, 9).scatter(-1, torch.tensor([8, 1, 2, 5, 0, 4]).expand(2, 3, 4, 6), w),
}


@pytest.mark.parametrize("name", FILLED)
def test_places_that_were_filled_hold_no_element(name):
    trace, output = traced(FILLED[name])
    numbers = torch.arange(1.0, 1 + 2 * 3 * 4 * 6).view(2, 3, 4, 6)  # from one, so that a zero is a filling
    assert torch.equal(trace.shadows.of(output).marks[0].of(output) + 1, FILLED[name](numbers).double())


LINEAR = {
    "scaled": (lambda w: 3 * w, True),
    "shifted": (lambda w: w - 1, True),
    "divided": (lambda w: w / 2, True),
    "clamped to what weights are": (lambda w: w.clamp(0, 1), True),
    "without NaN": (torch.nan_to_num, True),
    "squared": (lambda w: w**2, False),
    "clamped from below": (lambda w: w.clamp(min=0.05), False),
    "divided by": (lambda w: 1 / w, False),
    "root": (torch.sqrt, False),
    "renormalised": (lambda w: w / w.sum(-1, keepdim=True), False),
    "times itself": (lambda w: w * w, False),
    "largest only": (lambda w: w.topk(3, -1).values, False),
    "at most 0.1": (lambda w: torch.where(w > 0.1, w, 0.0), False),
}


@pytest.mark.parametrize("name", LINEAR)
def test_it_is_known_whether_entries_are_linear_in_the_weights(name):
    function, is_linear = LINEAR[name]
    trace, output = traced(function)
    assert trace.shadows.of(output).marks[0].is_linear is is_linear


def test_views_read_and_write_the_shadow_of_their_memory():
    x = normal(4, 6)
    flat = shadow_of_whole(torch.arange(24.0).view(4, 6), x, torch.float64)
    seen_as(flat, x[1, ::2]).fill_(-7)
    expected = torch.arange(24.0, dtype=torch.float64).view(4, 6)
    expected[1, ::2] = -7
    assert torch.equal(seen_as(flat, x), expected) and torch.equal(seen_as(flat, x.mT), expected.mT)
    part = normal(4, 6)[1:, 2:4]  # a shadow covers the whole memory of a view
    flat = shadow_of_whole(torch.ones(3, 2), part, torch.float64)
    assert len(flat) == len(empty_shadow(part, torch.float64)) == 24 and float(flat.sum()) == 6 - (24 - 6)


def test_what_is_known_of_memory_ends_with_the_last_tensor_that_uses_it():
    shadows = Shadows(lambda _: Cell())
    x = normal(100)
    memory = memory_of(x)
    shadows.set(x, Cell(is_moving=True))
    view = x[3:]
    shadows.keep(view, shadows.of(x))
    del x
    gc.collect()
    assert shadows.cells[memory].is_moving
    del view
    gc.collect()
    assert memory not in shadows.cells


def test_memory_that_is_used_again_carries_no_weights():
    x, keys, memory = normal(2, 3, 4, 8), normal(2, 3, 6, 8, seed=1), bytearray(2 * 3 * 4 * 6 * 4)
    trace = Trace(nn.Identity(), lambda: "", (x, keys))
    with torch.no_grad(), trace:
        first = torch.frombuffer(memory, dtype=torch.float32)
        first.copy_(torch.softmax(x @ keys.mT, -1).flatten())
        address = memory_of(first)
        assert trace.shadows.of(first).marks
        del first
        again = torch.frombuffer(memory, dtype=torch.float32)
        assert memory_of(again) == address and not trace.shadows.of(again).marks


def one_hot_rows():
    return F.one_hot(torch.tensor([0, 2, 1]), 3).float()


ROWS = normal(3, 4).softmax(-1)
STOCHASTIC = {
    "rows": (ROWS, 1),
    "columns": (ROWS.mT, 0),
    "rows of a middle dim": (normal(2, 5, 3).softmax(1), 1),
    "both": (torch.full((4, 4), 0.25), 1),
    "rows with a masked one": (torch.cat([ROWS, torch.zeros(1, 4)]), 1),
    "narrow": (ROWS.bfloat16(), 1),
    "half of them one-hot": (torch.cat([ROWS[:, :3] / ROWS[:, :3].sum(-1, keepdim=True), one_hot_rows()]), 1),
    "one-hot": (one_hot_rows(), None),
    "negative": (torch.tensor([[1.5, -0.5]]), None),
    "other sums": (ROWS * 0.9, None),
    "one row with another sum": (torch.cat([ROWS, 0.5 * ROWS]), None),
    "nothing": (torch.zeros(3, 4), None),
    "single key": (torch.ones(3, 1), None),
    "empty": (torch.zeros(0, 4), None),
    "whole numbers": (torch.eye(3, dtype=torch.long), None),
    "not a number": (torch.full((2, 2), math.nan), None),
    "scalar": (torch.tensor(1.0), None),
}


@pytest.mark.parametrize("name", STOCHASTIC)
def test_the_axis_along_which_weights_sum_to_one(name):
    x, dim = STOCHASTIC[name]
    assert stochastic_dim(x) == dim


def test_a_function_changes_no_weight_if_it_is_a_line_from_zero_to_one():
    x = normal(3, 4)
    cases = ((torch.nan_to_num, (), True), (F.relu, (), True), (torch.abs, (), True), (torch.clamp, (0, 1), True), (torch.mul, (3.0,), True),
             (torch.clamp, (0.1, 1), False), (torch.square, (), False), (torch.log, (), False), (torch.round, (), False),
             (torch.sum, (), None), (torch.argmax, (), None), (torch.linalg.inv, (), None))  # fmt: skip
    for function, rest, expected in cases:
        assert is_identity_on_weights(function, (x, *rest), {}, x) is expected, function


def test_an_operator_weighs_if_ones_give_ones():
    query, key, value = (normal(2, 5, 4, seed=seed) for seed in range(3))
    before = [x.clone() for x in (query, key, value)]
    attend = lambda q, k, v: torch.softmax(q @ k.mT, -1) @ v  # noqa: E731
    assert weighs(attend, (query, key, value), {}) and weighs(attend, (query,), {"k": key, "v": value})
    for function in (lambda q, k, v: q @ k.mT @ v, lambda q, k, v: q * k + v, lambda q, k, v: 2 * attend(q, k, v)):
        assert not weighs(function, (query, key, value), {})
    assert not weighs(lambda x: x / x, (query,), {})
    assert not weighs(lambda q, k: q.add_(k), (query, key), {})
    assert all(torch.equal(a, b) for a, b in zip((query, key, value), before, strict=True))


PLACE = Place("layer", torch.softmax, 0)


def source(place=PLACE, is_keyed=True, meetings=(), **changes):
    weights = Source(0, "layer", "Layer", 3, (2, 3, 4, 6), 6, True, is_keyed, False, place)
    weights.meetings = [Meeting(*meeting, "how", "layer") for meeting in meetings]
    for name, value in changes.items():
        setattr(weights, name, value)
    return weights


# (is_unchanged, is_linear, has_entries, is_window)
PLAIN, SCALED, CURVED, GATE, WINDOW = (
    (True,) * 3 + (False,),
    (False, True, True, False),
    (False,) * 4,
    (True, True, False, False),
    (True,) * 4,
)
CASES = {
    "values": (source(meetings=[PLAIN]), State.ANSWERED),
    "scaled before one of two": (source(meetings=[PLAIN, SCALED]), State.CHANGED),
    "a curve before one of two": (source(meetings=[PLAIN, CURVED]), State.REFUSED),
    "no values": (source(), State.LEFT),
    "lost after it met values": (source(meetings=[PLAIN], lost="sort"), State.REFUSED),
    "made past torch's functions": (source(place=None, meetings=[PLAIN]), State.REFUSED),
    "NumPy": (source(has_left_torch=True), State.REFUSED),
    "a gate": (source(is_keyed=False, meetings=[GATE]), State.LEFT),
    "a dynamic convolution": (source(is_keyed=False, meetings=[WINDOW]), State.LEFT),
    "scores of features, entries of one activation": (source(is_keyed=False, meetings=[PLAIN]), State.ANSWERED),
    "fixed values": (source(is_met_by_fixed=True), State.LEFT),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_done_follows_from_what_weights_met(name):
    weights, state = CASES[name]
    finding = finding_of(weights, comes_back=True)
    assert finding.state is state and finding.how and (finding.module, finding.cls, finding.dim) == ("layer", "Layer", 3)


def test_numbers_that_leave_torch_and_do_not_come_back_are_left_alone():
    assert finding_of(source(has_left_torch=True), comes_back=False).state is State.LEFT
