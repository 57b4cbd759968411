"""The random stream: uniform, uncorrelated between neighbouring addresses, a function of the address alone.

`python -m benchmarks.stream` puts more than 10^9 numbers through test batteries; these tests find faults of the code.
"""

import functools

import pytest
import torch
from scipy import stats

from stochattn_core.sampling import stream

CPU = torch.device("cpu")
WORDS = ("seed", "member", "call", "row", "purpose", "draw")
N = 1 << 13
N_BIT = 52  # of a number


def of_rows(n, *, seed=0, member=0, call=0, row=0, purpose=stream.DRAW, draw=0):
    """The bits of one number from each of n rows, beginning with `row`: (n,) int64."""
    keys = stream.row_keys(seed, (member,), call, row, n, CPU)[0]
    return as_bits(stream.uniforms(stream.purpose_keys(keys, purpose), 1, first=draw)[:, 0])


def as_bits(u):
    return (u * 2.0**N_BIT - 0.5).long()


@functools.cache
def along(word):
    """The bits of N numbers whose addresses differ in one word, which counts up from 0."""
    if word == "row":
        return of_rows(N)
    key = stream.row_keys(0, range(N) if word == "member" else (0,), 0, 0, 1, CPU)[:, 0]
    if word == "draw":
        return as_bits(stream.uniforms(stream.purpose_keys(key, stream.DRAW), N)[0])
    if word == "member":
        return as_bits(stream.uniforms(stream.purpose_keys(key, stream.DRAW), 1)[:, 0])
    return torch.cat([of_rows(1, **{word: i}) for i in range(N)])


def ones_and_minus_ones(bits):
    return 1.0 - 2.0 * ((bits[:, None] >> torch.arange(N_BIT)) & 1).double()


def is_chance(statistic, degrees):
    """Is this statistic neither too large nor too small for chance?"""
    return 1e-4 < stats.chi2.sf(float(statistic), degrees) < 1 - 1e-4


def test_numbers_are_those_that_splitmix64_is_known_to_give():
    published = (6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821)
    bits = as_bits(stream.uniforms(torch.tensor([1234567]), 5)[0])
    assert bits.tolist() == [word >> 12 for word in published]


def test_numbers_are_uniform_on_the_open_interval():
    u = stream.uniforms(stream.row_keys(0, (0,), 0, 0, 1000, CPU)[0], 1000).flatten()
    assert u.min() > 0 and u.max() < 1
    assert stats.kstest(u.numpy(), "uniform").pvalue > 1e-3


def test_neighbouring_addresses_are_uncorrelated_in_every_coordinate():
    n = 200_000
    along_draws = stream.uniforms(stream.row_keys(0, (0,), 0, 0, 1, CPU)[0], n + 1)[0]
    along_rows = stream.uniforms(stream.row_keys(0, (0,), 0, 0, n + 1, CPU)[0], 1)[:, 0]
    pairs = [(x[:-1], x[1:]) for x in (along_draws, along_rows)]
    for other in ({"seed": 1}, {"members": (1,)}, {"call": 1}):
        address = {"seed": 0, "members": (0,), "call": 0, **other}
        pairs.append((along_rows, stream.uniforms(stream.row_keys(**address, first_row=0, n_row=n + 1, device=CPU)[0], 1)[:, 0]))
    for a, b in pairs:
        assert abs(float(torch.corrcoef(torch.stack([a, b]))[0, 1])) < 4.5 / n**0.5


@pytest.mark.parametrize("word", WORDS)
def test_no_bit_is_correlated_with_any_bit_of_a_number_further_on(word):
    signs = ones_and_minus_ones(along(word))
    for lag in (1, 2, 3, 16, 64, 1000):
        deviates = signs[:-lag].T @ signs[lag:] / (N - lag) ** 0.5
        assert deviates.abs().max() < 6
        assert is_chance((deviates**2).sum(), N_BIT**2)


@pytest.mark.parametrize("word", WORDS)
def test_bits_numbers_pairs_and_low_bits_fill_their_cells_evenly(word):
    bits = along(word)
    assert (ones_and_minus_ones(bits).sum(0) / N**0.5).abs().max() < 4.5
    high = bits >> (N_BIT - 5)
    for cells in (bits >> (N_BIT - 10), bits & 1023, high[::2] * 32 + high[1::2], (bits[::2] & 31) * 32 + (bits[1::2] & 31)):
        expected = len(cells) / 1024
        assert is_chance(((torch.bincount(cells, minlength=1024) - expected) ** 2 / expected).sum(), 1023)


@pytest.mark.parametrize("word", WORDS)
def test_all_bits_of_a_number_flip_half_of_the_time_when_one_bit_of_its_address_flips(word):
    n, n_flip = 512, 40
    numbers, row = of_rows(n), torch.arange(n)
    deviates = []
    for bit in range(n_flip):
        is_inside = word == "row" and 1 << bit < n
        flipped = numbers[row ^ (1 << bit)] if is_inside else of_rows(n, **{word: 1 << bit})
        deviates.append(ones_and_minus_ones(numbers ^ flipped).sum(0) / n**0.5)
    deviates = torch.stack(deviates)
    # With a bit of the row flipped inside the range every pair is met twice, and its square counts double.
    n_double = sum(1 << bit < n for bit in range(n_flip)) if word == "row" else 0
    assert deviates.abs().max() < 6 * (2**0.5 if n_double else 1)
    deviates[:n_double] /= 2**0.5
    assert is_chance((deviates**2).sum(), n_flip * N_BIT)


def test_a_row_is_the_same_wherever_the_range_begins():
    whole = stream.row_keys(7, (0, 5), 3, 0, 100, CPU)
    assert torch.equal(whole[:, 40:60], stream.row_keys(7, (0, 5), 3, 40, 20, CPU))
    assert torch.equal(whole[1:], stream.row_keys(7, (5,), 3, 0, 100, CPU))


def test_no_generator_is_read_or_moved():
    state = torch.random.get_rng_state()
    stream.uniforms(stream.row_keys(0, (0, 1), 0, 0, 10, CPU), 5)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_purposes_do_not_share_numbers():
    keys = stream.row_keys(0, (0,), 0, 0, 50, CPU)[0]
    numbers = [stream.uniforms(stream.purpose_keys(keys, purpose, attempt), 20) for purpose in range(5) for attempt in range(3)]
    values = torch.stack(numbers).flatten()
    assert len(values.unique()) == len(values)


def test_no_two_of_the_small_addresses_share_a_number():
    few = range(4)
    keys = [stream.row_keys(seed, few, call, 0, len(few), CPU).flatten() for seed in few for call in few]
    numbers = torch.stack([stream.uniforms(stream.purpose_keys(torch.cat(keys), purpose), len(few)) for purpose in few])
    assert numbers.numel() == len(few) ** len(WORDS) == len(numbers.unique())
