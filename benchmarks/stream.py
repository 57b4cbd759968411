"""TestU01 on the random stream: batteries of tests for random number generators (L'Ecuyer, Simard 2007, ACM TOMS 33(4), 22).

python -m benchmarks.stream runs every battery over every order of the numbers, one after another, prints a Markdown table and writes
benchmarks/results/stream.json after each. This takes hours; python -m benchmarks.stream SmallCrush, or another name, runs one battery.

An order says which word of a number's address is counted up, and how fast. Words come from the compiled stream, as the samplers take them.
The samplers use only the upper 52 of the 64 bits of a word, and only these are tested: the upper 32, the lower 20 packed into words of 32,
and 32 of them in reverse, the lowest bit first.
TestU01 calls a p-value suspect outside [0.001, 0.999] and failed outside [1e-10, 1 - 1e-10]. Two p-values in a thousand are suspect by
chance alone. So a battery with a suspect p-value is run again on other numbers of the same order; an error that is real is suspect again.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import re
import subprocess
import sys
import time

import numpy as np
from numba import carray, cfunc, njit, types

from benchmarks import measured, record
from benchmarks.timing import processor
from stochattn_core.sampling import kernels

ADDRESS = ("seed", "member", "call", "row", "purpose", "draw")
# How many bits of a number's index each word of its address takes, the lowest bits first. The other words are 0.
ORDERS = {
    "draws of a row": {"draw": 64},
    "rows": {"row": 64},
    "calls": {"call": 64},
    "members": {"member": 64},
    "seeds": {"seed": 64},
    "purposes": {"purpose": 64},
    "all in turn": {"seed": 2, "member": 3, "call": 2, "draw": 2, "row": 55},
    "as sampled": {"draw": 4, "row": 12, "call": 4, "member": 44},  # 16 draws of 4096 rows in 16 calls by one member after another
}
# (is the word reversed?, first bit, number of bits)
BITS = {"upper 32": (0, 32, 32), "lower 20": (0, 12, 20), "reversed": (1, 20, 32)}
N_BIT = ctypes.c_double(2.0**27)  # argument of the batteries that take a number of bits
BATTERIES = {"SmallCrush": (), "Alphabit": (N_BIT, 0, 32), "Rabbit": (N_BIT,), "Crush": ()}
JOBS = [
    *(("SmallCrush", order, bits) for order in ORDERS for bits in BITS),
    *(("Alphabit", order, bits) for order in ORDERS for bits in ("upper 32", "lower 20")),
    *(("Rabbit", order, bits) for order in ("rows", "as sampled") for bits in ("upper 32", "lower 20")),
    ("Crush", "as sampled", "upper 32"),
]
SUSPECT, FAILED = 1e-3, 1e-10
ELSEWHERE = 2**40  # first index when a battery is run again
BLOCK = 4096  # numbers computed at a time

_ONE, _N_WORD = np.uint64(1), len(ADDRESS)
_HEAD = 3  # words of the state before its block: numbers of the block already used, numbers in the block, index of the next number


def layout(order: str) -> np.ndarray:
    """Return (word of the address, 2) uint64: the right shift of an index, and the mask that then gives the word."""
    fields, shift = np.zeros((len(ADDRESS), 2), np.uint64), 0
    for word, n_bit in ORDERS[order].items():
        fields[ADDRESS.index(word)] = shift, (1 << n_bit) - 1
        shift += n_bit
    return fields


@njit
def words(fields, first, out):
    """Write the words first, first + 1, ... of an order into out. They have 64 bits, of which the samplers use the upper 52."""
    for i in range(len(out)):
        index = first + np.uint64(i)
        key = kernels.mix((index >> fields[0, 0]) & fields[0, 1])
        for word in range(1, _N_WORD):
            key = kernels.mix(key + (((index >> fields[word, 0]) & fields[word, 1]) + _ONE) * kernels.GAMMA)
        out[i] = key


@njit
def _reversed(word):
    for step, mask in (
        (np.uint64(1), np.uint64(0x5555555555555555)),
        (np.uint64(2), np.uint64(0x3333333333333333)),
        (np.uint64(4), np.uint64(0x0F0F0F0F0F0F0F0F)),
        (np.uint64(8), np.uint64(0x00FF00FF00FF00FF)),
        (np.uint64(16), np.uint64(0x0000FFFF0000FFFF)),
        (np.uint64(32), np.uint64(0x00000000FFFFFFFF)),
    ):
        word = ((word >> step) & mask) | ((word & mask) << step)
    return word


@njit
def pack(block, is_reversed, begin, n_bit):
    """Pack the chosen bits of every word, one after another, into numbers of 32 bits; return how many. They replace the first words."""
    buffer, n_buffer, n_packed = np.uint64(0), np.uint64(0), 0
    chosen, packed = (_ONE << n_bit) - _ONE, np.uint64(0xFFFFFFFF)
    for word in block:
        buffer = (buffer << n_bit) | (((_reversed(word) if is_reversed else word) >> begin) & chosen)
        n_buffer += n_bit
        if n_buffer >= np.uint64(32):
            n_buffer -= np.uint64(32)
            block[n_packed] = (buffer >> n_buffer) & packed
            n_packed += 1
    return n_packed


@njit
def _next(fields, bits, state):
    if state[0] == state[1]:
        words(fields, state[2], state[_HEAD:])
        state[0], state[1] = 0, pack(state[_HEAD:], bits[0], bits[1], bits[2])
        state[2] += np.uint64(BLOCK)
    state[0] += _ONE
    return state[np.uint64(_HEAD - 1) + state[0]]


class Generator(ctypes.Structure):
    """A unif01_Gen of TestU01: some bits of the words of an order, from one index on."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("state", "param")),
        ("name", ctypes.c_char_p),
        *((name, ctypes.c_void_p) for name in ("uniform", "word", "write")),
    )

    def __init__(self, order: str, bits: str, first: int) -> None:
        self._state = np.zeros(_HEAD + BLOCK, np.uint64)
        self._state[2] = first
        self._param = np.concatenate([layout(order).ravel(), np.array(BITS[bits], np.uint64)])

        @njit
        def following(param, state):
            settings = carray(param, (15,), np.uint64)
            return _next(settings[:12].reshape(6, 2), settings[12:], carray(state, (_HEAD + BLOCK,), np.uint64))

        pointers = types.voidptr, types.voidptr
        word = cfunc(types.uint64(*pointers))(lambda param, state: following(param, state))
        uniform = cfunc(types.float64(*pointers))(lambda param, state: following(param, state) * 2.0**-32)
        write = cfunc(types.void(types.voidptr))(lambda state: None)
        self._compiled = uniform, word, write  # a reference keeps their addresses valid
        addresses = self._state.ctypes.data, self._param.ctypes.data, f"{order}, {bits}".encode()
        super().__init__(*addresses, *(function.address for function in self._compiled))

    @property
    def next_index(self) -> int:
        """The index after the last computed number. Up to BLOCK of the numbers before it may be unused."""
        return int(self._state[2])


def testu01() -> ctypes.CDLL:
    name = ctypes.util.find_library("testu01")
    if name is None:
        raise SystemExit(
            "expected the library TestU01 to be installed, found none: install it (on Debian, libtestu01-0-dev from the section non-free; "
            "elsewhere from simul.iro.umontreal.ca/testu01) and run again"
        )
    return ctypes.CDLL(name)


def run(battery: str, order: str, bits: str, first: int) -> dict:
    """Run one battery over one order from index `first` on; return how many numbers and p-values there were, and which are suspect."""
    library = testu01()
    ctypes.c_int.in_dll(library, "swrite_Basic").value = 0
    generator = Generator(order, bits, first)
    start = time.perf_counter()
    getattr(library, f"bbattery_{battery}")(ctypes.byref(generator), *BATTERIES[battery])
    n = ctypes.c_int.in_dll(library, "bbattery_NTests").value
    values = (ctypes.c_double * n).in_dll(library, "bbattery_pVal")
    names = (ctypes.c_char_p * n).in_dll(library, "bbattery_TestNames")
    p_values = [(name.decode(), p) for name, p in zip(names, values, strict=True) if p >= 0]  # -1: the test was not run
    return {
        "battery": battery,
        "order": order,
        "bits": bits,
        "first": first,
        "numbers": generator.next_index - first,
        "p_values": len(p_values),
        "suspect": [[name, p] for name, p in p_values if min(p, 1 - p) < SUSPECT],
        "seconds": round(time.perf_counter() - start),
    }


def verdict(line: dict, again: dict | None) -> str:
    """Return "passed", "passed again" or "failed". again: the result on other numbers, where the first run had suspect p-values."""
    suspect, suspect_again = (dict(result["suspect"]) if result else {} for result in (line, again))
    if any(min(p, 1 - p) < FAILED for p in (*suspect.values(), *suspect_again.values())) or suspect.keys() & suspect_again.keys():
        return "failed"
    return "passed again" if again else "passed"


def run_apart(battery: str, order: str, bits: str, first: int) -> dict:
    """Run one battery in a process of its own: the library keeps state, prints, and ends a program that makes a mistake."""
    command = [sys.executable, "-m", "benchmarks.stream", battery, order, bits, str(first)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{battery} of {order}, {bits} ended with {done.returncode}: {done.stderr.strip()[-500:] or done.stdout[-500:]}")
    library = re.search(r"Version: +(.+)", done.stdout)[1]
    return {**json.loads(done.stdout.splitlines()[-1]), "library": library}


def job_of(line: dict) -> tuple[str, str, str]:
    return line["battery"], line["order"], line["bits"]


def store(line: dict) -> list[dict]:
    """Put a line into stream.json, where it replaces one of the same job; return all lines in the order of JOBS."""
    lines = record.read("stream")["batteries"] if (record.FOLDER / "stream.json").exists() else []
    lines = [*(known for known in lines if job_of(known) != job_of(line) and job_of(known) in JOBS), line]
    lines.sort(key=lambda known: JOBS.index(job_of(known)))
    record.record("stream", cpu=processor(), batteries=lines)
    return lines


def main() -> None:
    testu01()
    if len(sys.argv) == 5:
        line = run(*sys.argv[1:4], int(sys.argv[4]))
        ctypes.CDLL(None).fflush(None)  # the output of the library goes first
        print("\n" + json.dumps(line))
        return
    wanted, lines = sys.argv[1:] or list(BATTERIES), []
    if unknown := set(wanted) - set(BATTERIES):
        raise SystemExit(f"expected batteries among {', '.join(BATTERIES)}, got {', '.join(sorted(unknown))}; give some of these")
    print("| battery | order | bits | numbers | p-values | suspect | verdict |\n|" + " --- |" * 7)
    for job in (job for job in JOBS if job[0] in wanted):
        line = run_apart(*job, 0)
        again = run_apart(*job, ELSEWHERE) if line["suspect"] else None
        lines = store(line | {"again": again, "verdict": verdict(line, again)})
        print_line(next(known for known in lines if job_of(known) == job))
    print("\n" + measured.stream({"batteries": lines, "cpu": processor()}))


def print_line(line: dict) -> None:
    suspect = [pair for result in (line, line["again"]) if result for pair in result["suspect"]]
    suspect = "; ".join(f"{name}: {p:.1g}" if p < 0.5 else f"{name}: 1 - {1 - p:.1g}" for name, p in suspect) or "none"
    cells = *job_of(line), f"{line['numbers']:,}", str(line["p_values"]), suspect, line["verdict"]
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
