"""The cost of sampled attention over that of torch's own, alone and in a whole model: ratios measured side by side in one process.

python -m benchmarks.attention prints them as Markdown and writes benchmarks/results/attention.json. One thread.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.record import record, table
from benchmarks.timing import Beside, beside, processor
from stochattn_core import sample_ensemble, stochastic_scaled_dot_product_attention
from stochattn_core.figures.theme import number
from stochattn_core.sampling import cpu

BARS = {1: 1.2, 16: 1.3, 64: 1.7, 256: 3.5, 1024: 7, 65536: 12.5}  # largest acceptable ratio of the compiled sampler, by concentration
NOISE = 1.15  # a ratio up to this many times its bar still meets it
N_HEAD, N_TOKEN, N_FEATURE = 8, 512, 32
N_LAYER, N_MEMBER, FOLD, MODEL_CONCENTRATION = 8, 32, 16, 64
FREED = 31 << 20  # bytes; for blocks above 32 MiB the C library always asks the system
SPEND = {"attention": 1.5, "model": 30}  # seconds of computing, for each ratio


def naive(query: Tensor, key: Tensor, value: Tensor, concentration: int) -> Tensor:
    """Sampled attention as one would write it first: softmax, torch.multinomial, counts, matmul.

    It works on one head at a time, because all draws of all heads take gigabytes.
    """
    outputs = []
    for q, k, v in zip(query[0], key[0], value[0], strict=True):
        p = torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, -1)
        draws = torch.multinomial(p, concentration, replacement=True)
        outputs.append(torch.zeros_like(p).scatter_add_(-1, draws, torch.ones(()).expand(draws.shape)) / concentration @ v)
    return torch.stack(outputs)[None]


def reference(*arguments: object) -> Tensor:
    """Sampled attention without compiled code."""
    takes, cpu.takes = cpu.takes, lambda values: False
    try:
        return stochastic_scaled_dot_product_attention(*arguments)
    finally:
        cpu.takes = takes


def inputs(n_token: int = N_TOKEN) -> list[Tensor]:
    """Return query, key and value, each (1, N_HEAD, n_token, N_FEATURE)."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, N_HEAD, n_token, N_FEATURE, generator=generator) for _ in range(3)]


def against_torch(method: Callable[..., Tensor], qkv: list[Tensor], concentration: int, spend: float) -> Beside:
    """Time a method beside scaled_dot_product_attention."""
    return beside(lambda: F.scaled_dot_product_attention(*qkv), lambda: method(*qkv, concentration), spend)


def first_layer(qkv: list[Tensor], n_member: int, concentration: int, spend: float) -> Beside:
    """Time one call for n_member members with equal inputs, as in a model's first layer, beside n_member calls of torch's own attention."""
    folded = [x.repeat(n_member, 1, 1, 1) for x in qkv]
    return beside(
        lambda: [F.scaled_dot_product_attention(*qkv) for _ in range(n_member)],
        lambda: stochastic_scaled_dot_product_attention(*folded, concentration, members=range(n_member)),
        spend,
    )


def attention() -> list[dict]:
    """Return ratios to scaled_dot_product_attention, one dict for each concentration."""
    qkv, lines = inputs(), []
    for concentration in BARS:
        methods = {"naive": naive, "eager": reference, "compiled": stochastic_scaled_dot_product_attention}
        timings = {name: against_torch(method, qkv, concentration, SPEND["attention"]) for name, method in methods.items()}
        timings["first_layer"] = first_layer(qkv, N_MEMBER, concentration, SPEND["attention"])
        line = {"concentration": concentration, **{name: timing.ratio for name, timing in timings.items()}}
        line |= {f"{name}_fastest": timing.fastest for name, timing in timings.items()}
        lines.append(line | {"torch_us_a_row": timings["compiled"].plain_seconds / N_HEAD / N_TOKEN * 1e6})
    return lines


def encoder(width: int, n_head: int, n_layer: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(width, n_head, 4 * width, batch_first=True), n_layer).eval()


def passes(
    model: nn.Module, cases: Tensor, concentration: int, n_member: int, fold: int
) -> tuple[Callable[[], list[Tensor]], Callable[[], Tensor]]:
    """Return two functions, for plain passes and for members. Both make n_member forecasts of each case, at most `fold` members a pass."""

    @torch.no_grad()
    def plain() -> list[Tensor]:
        return [model(cases.repeat(min(fold, n_member - first), 1, 1)) for first in range(0, n_member, fold)]

    def sampled() -> Tensor:
        return sample_ensemble(model, cases, concentration=concentration, n_member=n_member, fold=fold)

    return plain, sampled


def large() -> tuple[Callable[[], list[Tensor]], Callable[[], Tensor]]:
    width = N_HEAD * N_FEATURE
    return passes(encoder(width, N_HEAD, N_LAYER), torch.randn(1, N_TOKEN, width), MODEL_CONCENTRATION, N_MEMBER, FOLD)


def memory(which: str) -> int:
    """Return the bytes by which one run raises the peak memory of this process. Linux only; 0 elsewhere."""
    run = large()[which == "sampled"]
    sample_ensemble(encoder(8, 1, 1), torch.randn(1, 4, 8), concentration=1, n_member=2)
    status = Path("/proc/self/status")
    try:
        Path("/proc/self/clear_refs").write_text("5")
        before = int(status.read_text().split("VmRSS:")[1].split()[0])
    except (OSError, IndexError):
        return 0
    run()
    return (int(status.read_text().split("VmHWM:")[1].split()[0]) - before) * 1024


def whole_model() -> dict:
    ratio = beside(*large(), SPEND["model"]).ratio
    peaks = {}
    for which in ("plain", "sampled"):
        command = [sys.executable, "-m", "benchmarks.attention", which]
        peaks[which] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])
    return {"ratio": ratio, "extra_mib": (peaks["sampled"] - peaks["plain"]) / 2**20}


def prepare() -> None:
    """Set one thread, load the compiled code, and free one large block of memory.

    The C library asks the system again for every block that is larger than any block freed before. Without a large freed block, the cost of
    a method would change threefold with what ran before it.
    """
    torch.set_num_threads(1)
    torch.empty(FREED, dtype=torch.uint8)
    if not cpu.wait():
        raise SystemExit("expected compiled code to measure, got none: install numba, or look at what Numba says with NUMBA_DEBUG_CACHE=1")


def report(results: dict) -> str:
    """Markdown of attention.json."""
    lines, model, shape = results["attention"], results["model"], results["shape"]
    methods = {
        "naive": "naive",
        "eager": "eager",
        "compiled": "compiled",
        f"compiled, first layer, each of {shape['member']} members": "first_layer",
    }
    rows = [(title, *(number(line[name]) for line in lines)) for title, name in methods.items()]
    extra = model["extra_mib"]
    return (
        table(("ν", *(str(line["concentration"]) for line in lines)), rows)
        + f"\n\nA model of {shape['layer']} such layers, {shape['member']} members at ν = {shape['model_concentration']}, "
        f"takes {model['ratio']:.2f} times the time of its plain passes, and {abs(extra):.0f} MiB {'more' if extra > 0 else 'less'} memory."
    )


def main() -> None:
    prepare()
    if len(sys.argv) > 1:
        print(memory(sys.argv[1]))
        return
    shape = {"head": N_HEAD, "token": N_TOKEN, "feature": N_FEATURE, "layer": N_LAYER, "member": N_MEMBER}
    shape["model_concentration"] = MODEL_CONCENTRATION
    results = {"cpu": processor(), "shape": shape, "attention": attention(), "model": whole_model()}
    record("attention", **results)
    print(report(results))
    for line in results["attention"]:
        bar, ratio, fastest = BARS[line["concentration"]], line["compiled"], line["compiled_fastest"]
        word = "met" if ratio <= bar * NOISE else "missed"
        print(f"Bar of the compiled sampler at ν = {line['concentration']}: {bar}, {word} ({ratio:.3g}, fastest {fastest:.3g})")


if __name__ == "__main__":
    main()
