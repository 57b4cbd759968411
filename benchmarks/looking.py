"""The cost of looking: what recognition and the checks of folds add to an ensemble, in the first call of a signature and in every later one.

python -m benchmarks.looking [--before FOLDER] prints the ratios as Markdown and writes benchmarks/results/looking.json. One thread.
--before: the root of another version of this project, whose calls are timed in turn with those of this one, each in processes of their own.
Times are the least computing times of the thread. The small models make the fixed costs of a call as visible as they get.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from benchmarks.record import record, table
from benchmarks.timing import processor, seconds
from stochattn_core import sample_ensemble
from stochattn_core.sampling import cpu

N_CASE, N_MEMBER, CONCENTRATION = 8, 8, 16
N_REPEAT = 7  # processes of each version, and first calls of each model
N_ROUND = 50  # calls of each kind in one process
VIT = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
WORDS = {"vocab_size": 50, "num_hidden_layers": 2}


class Forecast(nn.Module):
    """A model of transformers as a function from one tensor to one tensor."""

    def __init__(self, cls: str, config: dict[str, Any], call: Callable[[nn.Module, Tensor], Tensor]):
        super().__init__()
        import transformers

        model_class = getattr(transformers, cls)
        self.model, self.call = model_class(model_class.config_class(**config)), call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.model, x)


def encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), 2, enable_nested_tensor=False)


def vit() -> nn.Module:
    return Forecast("ViTModel", VIT | {"image_size": 16, "patch_size": 4}, lambda model, x: model(x).last_hidden_state)


def llama() -> nn.Module:
    config = VIT | WORDS | {"num_key_value_heads": 2, "pad_token_id": 0}
    return Forecast("LlamaModel", config, lambda model, x: model(x, use_cache=False).last_hidden_state)


def t5() -> nn.Module:
    config = {"vocab_size": 50, "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}
    return Forecast("T5Model", config, lambda model, x: model(x, decoder_input_ids=x[:, :8], use_cache=False).last_hidden_state)


def timesfm() -> nn.Module:
    config = VIT | {"patch_length": 4, "context_length": 64, "horizon_length": 8, "head_dim": 16}
    return Forecast("TimesFmModelForPrediction", config, lambda model, x: model(list(x), freq=[0] * len(x)).mean_predictions)


def swin() -> nn.Module:
    config = {"image_size": 32, "patch_size": 4, "embed_dim": 32, "depths": [1, 1], "num_heads": [2, 4], "window_size": 4}
    return Forecast("Swinv2Model", config, lambda model, x: model(x).last_hidden_state)


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "nn.TransformerEncoder": (encoder, lambda: torch.randn(N_CASE, 16, 64)),
    "ViTModel": (vit, lambda: torch.randn(N_CASE, 3, 16, 16)),
    "LlamaModel": (llama, lambda: torch.randint(4, 50, (N_CASE, 16))),
    "T5Model": (t5, lambda: torch.randint(4, 50, (N_CASE, 16))),
    "TimesFmModelForPrediction": (timesfm, lambda: torch.randn(N_CASE, 64)),
    "Swinv2Model": (swin, lambda: torch.randn(N_CASE, 3, 32, 32)),
}


def build(name: str) -> tuple[nn.Module, Tensor]:
    """Return a model with random weights, the same each time, and the inputs of a call."""
    torch.manual_seed(0)
    make_model, make_inputs = MODELS[name]
    model = make_model().eval()
    return model, make_inputs()


def ensemble(model: nn.Module, x: Tensor) -> Tensor:
    """Return the ensemble whose call is timed, (member, case, *output)."""
    return sample_ensemble(model, x, concentration=CONCENTRATION, n_member=N_MEMBER, fold=N_MEMBER)


def with_known_recognition(model: nn.Module, x: Tensor) -> Callable[[], Tensor]:
    """Return the same call without signatures, conversions and checks: one pass of a block whose recognition is given."""
    from stochattn_core.draw import Draw
    from stochattn_core.patching import answering
    from stochattn_core.plan import Plan
    from stochattn_core.recognition.recognise import Callee, recognised_call

    plan = Plan(Draw(CONCENTRATION, members=tuple(range(N_MEMBER)), n_case=N_CASE))
    recognition = recognised_call(Callee.of(model), (x,), {})

    @torch.no_grad()
    def call() -> Tensor:
        with answering(model, plan, recognition):
            return model(x.repeat(N_MEMBER, *[1] * (x.ndim - 1))).unflatten(0, (N_MEMBER, N_CASE))

    return call


def with_bare_mode(model: nn.Module, x: Tensor) -> Callable[[], Tensor]:
    """Return the same call in the least that can sample: a mode that answers every softmax and has no idea of modules, calls and checks."""

    @torch.no_grad()
    def call() -> Tensor:
        with BareMode():
            return model(x.repeat(N_MEMBER, *[1] * (x.ndim - 1))).unflatten(0, (N_MEMBER, N_CASE))

    return call


class BareMode(TorchFunctionMode):
    """Answers torch's attention functions and every softmax in one pass of all members."""

    def __init__(self) -> None:
        super().__init__()
        from stochattn_core.attention import attend, sampled_rows
        from stochattn_core.draw import Draw
        from stochattn_core.run import Batch
        from stochattn_core.shared_prefix import compute_shared
        from stochattn_core.torch_private import multi_head_attention_forward

        self.attend, self.sampled_rows, self.compute_shared, self.multi_head = (
            attend,
            sampled_rows,
            compute_shared,
            multi_head_attention_forward,
        )
        self.draw = Draw(CONCENTRATION, members=tuple(range(N_MEMBER)), n_case=N_CASE)
        self.batch = Batch.of(self.draw)

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func is F.multi_head_attention_forward:
            with self:
                return self.multi_head(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            named = dict(zip(("attn_mask", "dropout_p", "is_causal"), args[3:], strict=False))
            return self.attend(*args[:3], self.batch.next_draw(self.draw), **named, **kwargs)
        if func is F.softmax or func is torch.softmax:
            return self.sampled_rows(args[0], self.batch.next_draw(self.draw))
        output = None if self.batch.n_answered else self.compute_shared(func, args, kwargs, N_MEMBER)
        return func(*args, **kwargs) if output is None else output


def least(calls: dict[str, Callable[[], object]], n_round: int) -> dict[str, float]:
    """Return the least time of each call, over rounds in which all run one after the other; what a first call does is done before."""
    for call in calls.values():
        call()
    rounds = [{name: seconds(call) for name, call in calls.items()} for _ in range(n_round)]
    return {name: min(times[name] for times in rounds) for name in calls}


def in_one_process(name: str) -> dict[str, float]:
    """Return seconds of a plain pass over the cases, of a first call, and of a later call in full and without what leads up to it."""
    model, x = build(name)

    @torch.no_grad()
    def plain() -> Tensor:
        return model(x)

    calls = {
        "plain": plain,
        "known": lambda: ensemble(model, x),
        "given": with_known_recognition(model, x),
        "bare": with_bare_mode(model, x),
    }
    times = least(calls, 2 * N_ROUND)
    new = [build(name)[0] for _ in range(N_REPEAT)]
    return times | {"first": min(seconds(lambda model=model: ensemble(model, x)) for model in new)}


def known_calls() -> dict[str, float]:
    """Return the seconds of a call whose signature is known, by model."""
    models = {name: build(name) for name in MODELS}
    return least({name: partial(ensemble, *models[name]) for name in MODELS}, N_ROUND)


def versions(before: Path) -> dict[str, dict[str, float]]:
    """Compare known calls of this version with those of another, by model, from processes that take turns.

    now, before: least seconds.   pair: median over the turns of the ratio of their times.
    """
    roots = {"now": Path(__file__).parent.parent, "before": before}
    times: list[dict[str, dict[str, float]]] = []
    for _ in range(N_REPEAT):
        times.append({})
        for version, root in roots.items():
            command = [sys.executable, "-P", __file__, "--known"]
            run = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(root)}, cwd=root)
            times[-1][version] = json.loads(run.stdout.splitlines()[-1])
    return {
        name: {version: min(turn[version][name] for turn in times) for version in roots}
        | {"pair": statistics.median(turn["now"][name] / turn["before"][name] for turn in times)}
        for name in MODELS
    }


def prepare() -> None:
    """Set one thread and load the compiled code."""
    torch.set_num_threads(1)
    if not cpu.wait():
        raise SystemExit("expected compiled code to measure, got none: install numba, or look at what Numba says with NUMBA_DEBUG_CACHE=1")


def report(results: dict[str, Any]) -> str:
    """Return looking.json as Markdown."""
    rows = []
    for name, row in results["models"].items():
        version = f"{row['now'] / row['before']:.3f} ({row['pair']:.3f})" if "before" in row else "-"
        ratios = (row["known"] / row["given"], row["known"] / row["bare"], row["first"] / row["plain"], row["first"] / row["known"])
        rows.append(
            (name, f"{row['known'] * 1e3:.2f}", version, f"{ratios[0]:.3f}", f"{ratios[1]:.3f}", f"{ratios[2]:.0f}", f"{ratios[3]:.1f}")
        )
    head = (
        "model", "later call, ms", "over the version before (median of pairs)", "over a given recognition", "over a bare mode", "first call over a plain pass",
        "first call over a later one",
    )  # fmt: skip
    shape = results["shape"]
    return (
        table(head, rows)
        + f"\n\n{shape['member']} members of {shape['case']} cases in one pass, at ν = {shape['concentration']}; the plain pass holds the cases once."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.looking", description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="the root of another version of this project, whose calls are timed too")
    parser.add_argument("--known", action="store_true", help="print only the seconds of known calls of the version that Python finds")
    options = parser.parse_args()
    prepare()
    if options.known:
        print(json.dumps(known_calls()))
        return
    beside = versions(options.before) if options.before else {}
    rows = {name: in_one_process(name) | beside.get(name, {}) for name in MODELS}
    results = {
        "cpu": f"{processor()}, {torch.backends.cpu.get_cpu_capability()}",
        "shape": {"case": N_CASE, "member": N_MEMBER, "concentration": CONCENTRATION},
        "models": rows,
    }
    record("looking", packages=("transformers",), **results)
    print(report(results))


if __name__ == "__main__":
    main()
