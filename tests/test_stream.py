"""The random stream: uniform, uncorrelated between neighbouring addresses, a function of the address alone."""

import torch
from scipy import stats

from stochattn_core.sampling import stream

CPU = torch.device("cpu")


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


def test_all_bits_of_a_word_flip_half_of_the_time_when_one_address_bit_flips():
    words = stream.row_keys(0, (0,), 0, 0, 2048, CPU)[0]
    flipped = torch.stack([words[:1024], words[1024:]])
    differ = [(((flipped[0] ^ flipped[1]) >> bit) & 1).double().mean() for bit in range(64)]
    assert all(abs(share - 0.5) < 5 * 0.5 / 32 for share in differ)


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
    found = [stream.uniforms(stream.purpose_keys(keys, purpose, attempt), 20) for purpose in range(5) for attempt in range(3)]
    values = torch.stack(found).flatten()
    assert len(values.unique()) == len(values)
