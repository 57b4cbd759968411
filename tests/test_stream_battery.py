"""The batteries receive the compiled stream in the order that they name, with all its bits and no others."""

import ctypes

import numpy as np
import pytest
import torch

from benchmarks import record
from benchmarks import stream as battery
from stochattn_core.sampling import kernels, stream

CPU = torch.device("cpu")


def address(order, index):
    """The words of one number's address, in the order of ORDERS: the lowest bits of the index belong to the first word."""
    words = dict.fromkeys(battery.ADDRESS, 0)
    for word, n_bit in battery.ORDERS[order].items():
        words[word], index = index % 2**n_bit, index >> n_bit
    return words


def reference(seed, member, call, row, purpose, draw):
    key = stream.row_keys(seed, (member,), call, row, 1, CPU)[0]
    return int(stream.uniforms(stream.purpose_keys(key, purpose), 1, first=draw)[0, 0] * 2.0**52 - 0.5)


@pytest.mark.parametrize("order", battery.ORDERS)
@pytest.mark.parametrize("first", (0, 7, 2**20 - 40, battery.ELSEWHERE))
def test_the_compiled_words_are_the_numbers_of_the_reference(order, first):
    words = np.empty(80, np.uint64)
    battery.words(battery.layout(order), np.uint64(first), words)
    assert [int(word) >> 12 for word in words] == [reference(**address(order, first + i)) for i in range(80)]


@pytest.mark.parametrize("purpose", (stream.DRAW, stream.POISSON, stream.REJECTION, stream.TOP_UP))
def test_the_samplers_compiled_numbers_are_those_of_the_reference(purpose):
    keys = stream.purpose_keys(stream.row_keys(3, (5,), 2, 0, 40, CPU)[0], purpose)
    numbers = [[kernels._uniform(np.uint64(key), np.uint64(draw)) for draw in range(50)] for key in keys.numpy().view(np.uint64)]
    assert torch.equal(torch.tensor(numbers, dtype=torch.float64), stream.uniforms(keys, 50))


@pytest.mark.parametrize(
    ("bits", "chosen"), (("upper 32", lambda b: b[:32]), ("lower 20", lambda b: b[32:52]), ("reversed", lambda b: b[51:19:-1]))
)
def test_the_chosen_bits_are_handed_over_one_after_another(bits, chosen):
    n, order = battery.BLOCK + 8, "rows"  # more than a block holds
    words = np.empty(n, np.uint64)
    battery.words(battery.layout(order), np.uint64(9), words)
    text = "".join(chosen(f"{int(word):064b}") for word in words)
    expected = [int(text[i : i + 32], 2) for i in range(0, len(text) - 31, 32)]

    generator = battery.Generator(order, bits, 9)
    word = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p)(generator.word)
    assert [word(generator.param, generator.state) for _ in expected] == expected
    generator = battery.Generator(order, bits, 9)
    uniform = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p)(generator.uniform)
    assert [uniform(generator.param, generator.state) for _ in expected[:50]] == [number / 2**32 for number in expected[:50]]
    assert generator.next_index - 9 == battery.BLOCK


def line(*suspect):
    return {"suspect": list(suspect)}


def test_a_suspect_of_chance_is_cleared_by_other_numbers_and_a_real_one_is_not():
    assert battery.verdict(line(), None) == "passed"
    assert battery.verdict(line(["Gap", 5e-4]), line()) == "passed again"
    assert battery.verdict(line(["Gap", 5e-4]), line(["Poker", 0.9995])) == "passed again"
    assert battery.verdict(line(["Gap", 5e-4]), line(["Gap", 0.9995])) == "failed"
    assert battery.verdict(line(["Gap", 1e-12]), line()) == "failed"
    assert battery.verdict(line(["Gap", 1e-4]), line(["Poker", 1 - 1e-12])) == "failed"


def test_without_the_library_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(battery.ctypes.util, "find_library", lambda name: None)
    monkeypatch.setattr(battery.sys, "argv", ["stream"])
    with pytest.raises(SystemExit, match="expected the library TestU01 to be installed, found none: install it"):
        battery.main()


def test_an_unknown_battery_is_named(monkeypatch):
    monkeypatch.setattr(battery, "testu01", lambda: None)
    monkeypatch.setattr(battery.sys, "argv", ["stream", "Crunch"])
    with pytest.raises(SystemExit, match="expected batteries among SmallCrush, Alphabit, Rabbit, Crush, got Crunch"):
        battery.main()


def test_results_come_in_the_order_of_the_jobs_and_take_the_place_of_older_ones(monkeypatch, tmp_path):
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    for job, p in ((battery.JOBS[4], 1), (battery.JOBS[2], 2), (battery.JOBS[4], 3), (("Old", "rows", "upper 32"), 4)):
        if job in battery.JOBS:
            battery.store(dict(zip(("battery", "order", "bits"), job, strict=True)) | {"numbers": p})
    lines = record.read("stream")["batteries"]
    assert [(battery.job_of(line), line["numbers"]) for line in lines] == [(battery.JOBS[2], 2), (battery.JOBS[4], 3)]
