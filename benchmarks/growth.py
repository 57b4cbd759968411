"""How the cost of sampled attention grows: with the concentration, the length, the members and the cases.

python -m benchmarks.growth prints tables, writes benchmarks/results/growth.json and draws docs/growth.png. One thread. Every number is a
time over that of the same work without draws: scaled_dot_product_attention of the same shape, or plain passes of the same model.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks import picture
from benchmarks.attention import (
    N_FEATURE,
    N_HEAD,
    N_TOKEN,
    against_torch,
    encoder,
    first_layer,
    inputs,
    naive,
    passes,
    prepare,
    reference,
)
from benchmarks.record import record, table
from benchmarks.timing import beside, processor
from stochattn_core import stochastic_scaled_dot_product_attention
from stochattn_core.ensemble import rows_per_pass
from stochattn_core.figures.theme import number

METHODS = {"naive": naive, "eager": reference, "compiled": stochastic_scaled_dot_product_attention}
CONCENTRATIONS = tuple(4**i for i in range(9))  # 1 ... 65536
NAIVE_TO = 4096  # the largest concentration of the naive method; above it, one call takes seconds
LENGTHS = tuple(2**i for i in range(6, 13))  # 64 ... 4096
MEMBERS = tuple(2**i for i in range(8))  # 1 ... 128
CASES = tuple(4**i for i in range(6))  # 1 ... 1024
FEW = (16, 64)  # concentrations at which length, members and cases vary
SMALL = {"width": 64, "head": 4, "layer": 4, "token": 64}  # the model of the members and the cases
N_MEMBER = 8  # of each case
SPEND = 0.6  # seconds of computing, for each ratio


def by_concentration() -> Iterator[dict]:
    qkv = inputs()
    for concentration in CONCENTRATIONS:
        names = [name for name in METHODS if name != "naive" or concentration <= NAIVE_TO]
        yield {"concentration": concentration, **{name: against_torch(METHODS[name], qkv, concentration, SPEND).ratio for name in names}}


def by_length() -> Iterator[dict]:
    for length in LENGTHS:
        qkv = inputs(length)
        for concentration in FEW:
            ratios = {name: against_torch(method, qkv, concentration, SPEND).ratio for name, method in METHODS.items()}
            yield {"length": length, "concentration": concentration, **ratios}


def by_members() -> Iterator[dict]:
    """Yield the share of each member in the time of a call, over the time of one plain call or pass."""
    qkv = inputs()
    for n_member in MEMBERS:
        for concentration in FEW:
            layer = {"first_layer": first_layer(qkv, n_member, concentration, SPEND).ratio}
            yield {"members": n_member, "concentration": concentration, **layer, **small_model(1, n_member, concentration)}


def by_cases() -> Iterator[dict]:
    for n_case in CASES:
        for concentration in FEW:
            yield {"cases": n_case, "concentration": concentration, **small_model(n_case, N_MEMBER, concentration)}


def small_model(n_case: int, n_member: int, concentration: int) -> dict:
    """Time members of the small model beside its plain passes, with as many forecasts in a pass as sample_ensemble would choose."""
    cases = torch.randn(n_case, SMALL["token"], SMALL["width"], generator=torch.Generator().manual_seed(0))
    fold = max(1, min(n_member, rows_per_pass(cases, cases.device) // n_case))
    network = encoder(SMALL["width"], SMALL["head"], SMALL["layer"])
    timing = beside(*passes(network, cases, concentration, n_member, fold), SPEND)
    return {"model": timing.ratio, "plain_ms_a_case": timing.plain_seconds / n_case * 1e3, "ms_a_case": timing.seconds / n_case * 1e3}


def report(results: dict) -> str:
    """Sentences on growth.json: the first and last points of some lines, at the smaller of the concentrations FEW."""
    nu = FEW[0]
    short, *_, long = (line for line in results["length"] if line["concentration"] == nu)
    *_, many = (line for line in results["members"] if line["concentration"] == nu)
    single, *_, full = (line for line in results["cases"] if line["concentration"] == nu)
    return (
        f"At ν = {nu} the compiled sampler takes {short['compiled']:.2f} times torch's own attention at length {short['length']}, "
        f"and {long['compiled']:.2f} times at length {long['length']}."
        f"\nIn a first layer of length {results['shape']['token']} each of {many['members']} members takes {many['first_layer']:.2f} of a plain call."
        f"\nThe small model takes {single['model']:.2f} times its plain passes on one case, and {full['model']:.2f} times on {full['cases']} cases at once."
    )


def main() -> None:
    prepare()
    shape = {"head": N_HEAD, "token": N_TOKEN, "feature": N_FEATURE, "member": N_MEMBER, "model": SMALL}
    results = {"cpu": processor(), "shape": shape}
    measures = {"concentration": by_concentration, "length": by_length, "members": by_members, "cases": by_cases}
    for name, measure in measures.items():
        results[name] = list(measure())
        head = tuple(results[name][0])
        cells = ((line.get(key, "") for key in head) for line in results[name])
        rows = [tuple(number(cell) if isinstance(cell, float) else str(cell) for cell in row) for row in cells]
        print(table(head, rows), end="\n\n", flush=True)
    print(report(results))
    picture.draw(record("growth", **results))


if __name__ == "__main__":
    main()
