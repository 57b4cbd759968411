"""Sampled attention on a CUDA device: time against flash attention, memory against length, and a ClimaX of the public size.

python -m benchmarks.gpu [--quick] prints tables and writes benchmarks/results/gpu.json. It needs a CUDA device and triton.
ESTIMATES were made for an H200 with 64 features a head in bfloat16 before anything was measured; they may be wrong by a factor of 2.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.record import record
from stochattn_core import sample_ensemble, stochastic_scaled_dot_product_attention, tune
from stochattn_core.datasets.base import Dataset, Split, blocks_in_time
from stochattn_core.models.climax import ClimaX
from stochattn_core.sampling import gpu

LENGTHS, CONCENTRATIONS = (512, 2048, 8192), (1, 16, 64, 256, 1024)
ESTIMATES = {1: (1.0, 0.9), 16: (2.2, 1.1), 64: (3.4, 1.8), 256: (7.0, 2.2), 1024: (23.0, 3.6)}  # times flash attention, L = 512 and 8192
TILES = ((64, 32, 4), (64, 32, 8), (64, 64, 8), (128, 32, 8), (64, 16, 4), (32, 32, 4), (16, 32, 1))  # rows, keys, warps
N_MEMBER, N_FORECAST, AT = 50, 64, 64  # AT: the concentration of the memory and the model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer heads and repetitions, 4 members of 4 forecasts")
    quick = parser.parse_args().quick
    if not torch.cuda.is_available():
        parser.exit(2, "benchmarks.gpu measures a CUDA device and this machine has none; nothing was measured or written.\n")
    device = torch.device("cuda")
    report = {
        "device": torch.cuda.get_device_name(device),
        "quick": quick,
        "moved_draws": {str(dtype): moved(device, dtype) for dtype in gpu.DTYPES},
    }
    n_head, repeat = (16, 5) if quick else (128, 20)
    for name, measure in (
        ("attention", lambda: attention(device, n_head, repeat)),
        ("tiles", lambda: tiles(device, n_head, repeat)),
        ("memory", lambda: memory(device)),
        ("climax", lambda: climax(device, ClimaX(), *((4, 4) if quick else (N_MEMBER, N_FORECAST)))),
    ):
        print(f"\n{name}")
        report[name] = measure()
        record("gpu", packages=("triton",), **report)


def moved(device: torch.device, dtype: torch.dtype) -> float | str:
    """Return the share of draws that differ from those of the eager sampler on the CPU, or the error. The kernel is used below 1e-3."""
    try:
        return gpu.moved_draws(device, dtype)
    except Exception as error:  # the report shows the error, and the eager path is measured
        return f"{type(error).__name__}: {error}"


def seconds(call: Callable[[], object], repeat: int) -> float:
    """Return the median device time of a call, after three calls that do not count."""
    for _ in range(3):
        call()
    times = []
    for _ in range(repeat):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return statistics.median(times)


def tensors(device: torch.device, n_head: int, n_row: int, width: int = 64) -> list[Tensor]:
    generator = torch.Generator(device).manual_seed(n_row)
    return [torch.randn(1, n_head, n_row, width, generator=generator, device=device, dtype=torch.bfloat16) for _ in range(3)]


def flash(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        return F.scaled_dot_product_attention(query, key, value)


def attention(device: torch.device, n_head: int, repeat: int) -> list[dict]:
    """Return times of the whole public function over those of flash attention in the same run, with the kernel and with the eager samplers."""
    rows = []
    print("| L | nu | kernel / flash | estimate (L = 512, 8192) | eager / flash |\n|" + " --- |" * 5)
    for n_row in LENGTHS:
        inputs = tensors(device, n_head, n_row)
        plain = seconds(lambda inputs=inputs: flash(*inputs), repeat)
        for concentration in CONCENTRATIONS:
            call = lambda inputs=inputs, nu=concentration: stochastic_scaled_dot_product_attention(*inputs, nu)  # noqa: E731
            flat = [x.flatten(0, 1) for x in inputs]
            by_kernel = seconds(call, repeat) / plain if gpu.usable(*flat, concentration) else None
            usable, gpu.usable = gpu.usable, lambda *_: False
            try:
                by_eager = seconds(call, 3) / plain
            finally:
                gpu.usable = usable
            row = {"L": n_row, "nu": concentration, "flash_seconds": plain, "kernel": by_kernel, "eager": by_eager}
            rows.append(row | {"estimate": ESTIMATES[concentration]})
            shown = "-" if by_kernel is None else f"{by_kernel:.2f}"
            print(f"| {n_row} | {concentration} | {shown} | {ESTIMATES[concentration]} | {by_eager:.1f} |", flush=True)
    return rows


def tiles(device: torch.device, n_head: int, repeat: int) -> list[dict]:
    """Return times of the kernel alone with several tiles over flash attention, to choose gpu.TILE for this device."""
    rows = []
    cases = ((512, 16), (512, 256), (8192, 16), (8192, 64))
    print("| rows, keys, warps | " + " | ".join(f"L={n_row}, nu={nu}" for n_row, nu in cases) + " |\n|" + " --- |" * (len(cases) + 1))
    for tile in TILES:
        ratios = {}
        for n_row, nu in cases:
            query, key, value = tensors(device, n_head, n_row)
            plain = seconds(lambda q=query, k=key, v=value: flash(q, k, v), repeat)
            keys = torch.randint(1 << 62, (n_head, n_row), device=device)
            try:
                call = lambda q=query[0], k=key[0], v=value[0], keys=keys, nu=nu, tile=tile: gpu.attend(q, k, v, keys, nu, 0.125, tile=tile)  # noqa: E731
                ratios[f"L={n_row}, nu={nu}"] = seconds(call, repeat) / plain
            except Exception as error:  # that a tile does not fit this device is a result too
                ratios[f"L={n_row}, nu={nu}"] = f"{type(error).__name__}: {error}"
        rows.append({"tile": tile, "ratios": ratios})
        print(f"| {tile} | " + " | ".join(f"{r:.2f}" if isinstance(r, float) else "-" for r in ratios.values()) + " |", flush=True)
    return rows


def memory(device: torch.device) -> dict:
    """Return the peak memory beyond the inputs, by length L, and the exponent of its growth over the last doubling.

    The exponent is 1 where memory grows linearly; a matrix of weights would make it 2.
    """
    peaks = {}
    for n_row in (1024, 2048, 4096, 8192, 16384):
        inputs = tensors(device, 8, n_row)
        stochastic_scaled_dot_product_attention(*inputs, AT)
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        out = stochastic_scaled_dot_product_attention(*inputs, AT)
        torch.cuda.synchronize()
        peaks[n_row] = torch.cuda.max_memory_allocated() - before
        print(f"L = {n_row}: {peaks[n_row] / 2**20:.1f} MiB beyond the inputs, {peaks[n_row] / (8 * n_row):.0f} bytes a row", flush=True)
        del inputs, out
    longest = max(peaks)
    return {"nu": AT, "n_head": 8, "peak_bytes": peaks, "exponent": float(np.log2(peaks[longest] / peaks[longest // 2]))}


class OneVariable(nn.Module):
    """A ClimaX that forecasts one map, in bfloat16."""

    def __init__(self, network: ClimaX) -> None:
        super().__init__()
        self.network = network.to(torch.bfloat16)

    def forward(self, inputs: Tensor) -> Tensor:
        lead_times = torch.full((len(inputs),), 72.0, device=inputs.device)
        return self.network(inputs.to(torch.bfloat16), lead_times, out_variables=[self.network.variables[-1]])[:, 0].float()


def climax(device: torch.device, network: ClimaX, n_member: int, n_forecast: int) -> dict:
    """Return the times of an ensemble and of a whole tuning. The weights are random, so only the times have a meaning."""
    torch.manual_seed(0)
    model = OneVariable(network).to(device).eval()
    inputs = torch.randn(n_forecast, len(network.variables), *network.grid, device=device)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {n_member} members of {n_forecast} forecasts, nu = {AT}", flush=True)

    def sampled(n: int) -> Tensor:
        return sample_ensemble(model, inputs, concentration=AT, n_member=n, layers="*blocks*")

    with torch.no_grad():
        model(inputs)
        plain = wall(lambda: [model(inputs) for _ in range(n_member)])
        sampled(2)
        ensemble = wall(lambda: sampled(n_member))
    results = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "n_member": n_member,
        "n_forecast": n_forecast,
        "nu": AT,
        "plain_seconds": plain,
        "seconds": ensemble,
        "members_per_second": n_member / ensemble,
        "forecasts_per_second": n_member * n_forecast / ensemble,
        "over_plain": ensemble / plain,
    }
    print(f"{results['members_per_second']:.2f} members per second, {results['over_plain']:.2f} times as many plain passes", flush=True)
    dataset = noise(network, n_forecast)
    with tempfile.TemporaryDirectory() as cache:
        before, os.environ["STOCHATTN_CACHE"] = os.environ.get("STOCHATTN_CACHE"), cache
        try:
            results["tuning_seconds"] = wall(lambda: tune(model, dataset, n_member=n_member, layers="*blocks*"))
        finally:
            os.environ.pop("STOCHATTN_CACHE") if before is None else os.environ.__setitem__("STOCHATTN_CACHE", before)
    print(f"a full tuning with the scores of {n_member} members: {results['tuning_seconds']:.1f} s", flush=True)
    return results


def wall(call: Callable[[], object]) -> float:
    """Return the seconds on the clock of one call, the device's work included."""
    synchronise = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    synchronise()
    start = time.perf_counter()
    call()
    synchronise()
    return time.perf_counter() - start


def noise(network: ClimaX, n_case: int) -> Dataset:
    """Return a dataset of white noise, n_case cases in each part. Tuning on it costs the same as on real data of this size."""
    generator = torch.Generator().manual_seed(0)

    def part(first: int) -> Split:
        shape = (n_case, len(network.variables), *network.grid)
        times = pd.date_range("2000-01-01", periods=n_case, freq="D") + pd.Timedelta(days=first)
        inputs, target = torch.randn(shape, generator=generator), torch.randn(n_case, *network.grid, generator=generator)
        return Split(inputs, target, times, blocks_in_time(n_case, 4))

    train, calibration, test = (part(i * 2 * n_case) for i in range(3))
    n_latitude, n_longitude = network.grid
    return Dataset(
        "noise", "grid", "White noise", network.variables[-1], "", "", "", train, calibration, test,
        feature_names=network.variables, lead_time=(72,), lead_unit="h",
        latitude=tuple(np.linspace(-90 + 90 / n_latitude, 90 - 90 / n_latitude, n_latitude)),
        longitude=tuple(np.arange(n_longitude) * 360 / n_longitude),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
