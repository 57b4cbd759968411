"""What sampled attention costs beside torch's own, and what it costs a whole model: ratios measured side by side in one process.

python -m benchmarks.attention prints them as Markdown and writes benchmarks/results/attention.json. One thread. Times are those that the
thread spent computing, so that another program's load counts as little as it can; each ratio is the median over rounds that run every
method once, one after the other.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stochattn_core import sample_ensemble, stochastic_scaled_dot_product_attention
from stochattn_core.sampling import cpu

CONCENTRATIONS = (1, 16, 64, 256, 1024, 65536)
BARS = (1.2, 1.3, 1.7, 3.5, 7, 12.5)  # for the compiled sampler; 15% above still counts as met, for noise
N_HEAD, N_TOKEN, N_FEATURE = 8, 512, 32
N_LAYER, N_MEMBER, MODEL_CONCENTRATION = 8, 32, 64
RESULTS = Path(__file__).parent / "results" / "attention.json"


def naive(query: Tensor, key: Tensor, value: Tensor, concentration: int) -> Tensor:
    """What one writes first: softmax, torch.multinomial, counts, matmul; a head at a time, as all draws of all heads are gigabytes."""
    outputs = []
    for q, k, v in zip(query[0], key[0], value[0], strict=True):
        p = torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, -1)
        drawn = torch.multinomial(p, concentration, replacement=True)
        outputs.append(torch.zeros_like(p).scatter_add_(-1, drawn, torch.ones(()).expand(drawn.shape)) / concentration @ v)
    return torch.stack(outputs)[None]


def reference(*arguments: object) -> Tensor:
    takes, cpu.takes = cpu.takes, lambda values: False
    try:
        return stochastic_scaled_dot_product_attention(*arguments)
    finally:
        cpu.takes = takes


def seconds(call: Callable[[], object]) -> float:
    start = time.thread_time()
    call()
    return time.thread_time() - start


def attention(n_round: int) -> list[dict]:
    """Ratios to scaled_dot_product_attention, one dict a concentration.

    first_layer: N_MEMBER members in one call, whose inputs are equal as in a model's first layer, over as many calls of torch's.
    """
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, N_HEAD, N_TOKEN, N_FEATURE, generator=generator) for _ in range(3))
    folded = [x.repeat(N_MEMBER, 1, 1, 1) for x in (query, key, value)]

    def first_layer(query: Tensor, key: Tensor, value: Tensor, concentration: int) -> Tensor:
        return stochastic_scaled_dot_product_attention(*folded, concentration, members=range(N_MEMBER))

    lines = []
    for concentration in CONCENTRATIONS:
        methods = {"naive": naive, "eager": reference, "compiled": stochastic_scaled_dot_product_attention, "first_layer": first_layer}
        rounds = {name: n_round if name == "compiled" else max(1, n_round // max(8, concentration // 64)) for name in methods}
        rounds["first_layer"] = max(1, n_round // N_MEMBER)
        ratios, times = {name: [] for name in methods}, {"torch": [], **{name: [] for name in methods}}
        for i in range(-1, n_round):
            for name, method in methods.items():
                if i < rounds[name]:
                    calls = N_MEMBER if name == "first_layer" else 1
                    plain = sum(seconds(lambda: F.scaled_dot_product_attention(query, key, value)) for _ in range(calls)) / calls
                    sampled = seconds(lambda method=method, nu=concentration: method(query, key, value, nu)) / calls
                    if i >= 0:  # the first round warms up
                        ratios[name].append(sampled / plain)
                        times["torch"].append(plain)
                        times[name].append(sampled)
        line = {"concentration": concentration, **{name: statistics.median(found) for name, found in ratios.items()}}
        line |= {f"{name}_fastest": min(times[name]) / min(times["torch"]) for name in methods}
        lines.append(line | {"torch_us_a_row": min(times["torch"]) / N_HEAD / N_TOKEN * 1e6})
    return lines


def passes() -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """The model's plain passes, and its members: both N_MEMBER forecasts of one case, as many to a pass."""
    torch.manual_seed(0)
    width = N_HEAD * N_FEATURE
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(width, N_HEAD, 4 * width, batch_first=True), N_LAYER).eval()
    inputs, fold = torch.randn(1, N_TOKEN, width), 16

    @torch.no_grad()
    def plain() -> Tensor:
        return torch.cat([model(inputs.repeat(fold, 1, 1)) for _ in range(N_MEMBER // fold)])

    def sampled() -> Tensor:
        return sample_ensemble(model, inputs, concentration=MODEL_CONCENTRATION, n_member=N_MEMBER, fold=fold)

    return plain, sampled


def memory(which: str) -> int:
    """Bytes by which one run raises this process's memory at its highest. Linux alone tells; 0 elsewhere."""
    run = passes()[which == "sampled"]
    sample_ensemble(nn.TransformerEncoderLayer(8, 1, batch_first=True).eval(), torch.randn(1, 4, 8), concentration=1, n_member=2)
    status = Path("/proc/self/status")
    try:
        Path("/proc/self/clear_refs").write_text("5")
        before = int(status.read_text().split("VmRSS:")[1].split()[0])
    except (OSError, IndexError):
        return 0
    run()
    return (int(status.read_text().split("VmHWM:")[1].split()[0]) - before) * 1024


def whole_model(n_round: int) -> dict:
    plain, sampled = passes()
    sampled()
    ratios = []
    for _ in range(n_round):
        floor = seconds(plain)
        ratios.append(seconds(sampled) / floor)
    peaks = {}
    for which in ("plain", "sampled"):
        command = [sys.executable, "-m", "benchmarks.attention", which]
        peaks[which] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])
    return {"ratio": statistics.median(ratios), "ratios": ratios, "extra_mib": (peaks["sampled"] - peaks["plain"]) / 2**20}


def processor() -> str:
    try:
        return next(line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> None:
    torch.set_num_threads(1)
    if not cpu.wait():
        raise SystemExit(
            "expected compiled samplers to measure, got none: install numba, or look at what Numba says with NUMBA_DEBUG_CACHE=1"
        )
    if len(sys.argv) > 1:
        print(memory(sys.argv[1]))
        return
    found = {
        "cpu": processor(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("torch", "numpy", "numba", "llvmlite")}},
        "shape": {"head": N_HEAD, "token": N_TOKEN, "feature": N_FEATURE, "member": N_MEMBER},
        "attention": attention(n_round=60),
        "model": whole_model(n_round=3),
    }
    print("| ν | naive | eager | compiled | compiled, fastest | bar | compiled, first layer |\n|" + " --- |" * 7)
    for line, bar in zip(found["attention"], BARS, strict=True):
        cells = (f"{line[name]:.3g}" for name in ("naive", "eager", "compiled", "compiled_fastest"))
        print(f"| {line['concentration']} | " + " | ".join(cells) + f" | {bar} | {line['first_layer']:.3g} |")
    model = found["model"]
    print(
        f"\nA model of {N_LAYER} layers, {N_MEMBER} members at ν = {MODEL_CONCENTRATION}: {model['ratio']:.2f} times its plain passes, "
        f"{model['extra_mib']:.0f} MiB more."
    )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
