"""The compiled samplers give the bits of the reference, on any number of threads, and the reference answers where they are missing."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from numba import njit
from numba.core.codegen import JITCPUCodegen

from stochattn_core import compiled as compiled_code
from stochattn_core import stochastic_scaled_dot_product_attention
from stochattn_core.attention import attend, sampled_rows
from stochattn_core.compiled import MODULES, Kernels
from stochattn_core.draw import Draw
from stochattn_core.sampling import cpu, eager, stream


@pytest.fixture(autouse=True, scope="module")
def compiled():
    assert cpu.wait()


def rows(n_row, n_key, seed=0):
    """Flat and sharp attention rows with masked keys, two of which cannot be drawn from, and the keys of the rows in the stream."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(n_row, n_key, generator=generator) * torch.logspace(-1, 1.5, n_row)[:, None]
    scores[torch.rand(n_row, n_key, generator=generator) < 0.2] = -torch.inf
    mass = torch.softmax(scores, -1).nan_to_num(0.0)
    if n_row > 6:
        mass[3], mass[5] = 0.0, torch.nan
    return mass, stream.row_keys(seed, (2,), 1, 0, n_row, torch.device("cpu"))[0]


def same(a, b):
    return torch.equal(a.isnan(), b.isnan()) and torch.equal(a.nan_to_num(-1.0), b.nan_to_num(-1.0))


@pytest.mark.parametrize("n_key", (1, 2, 3, 31, 64, 65, 300))
@pytest.mark.parametrize("concentration", (1, 5, 64, 700, 3000, 10**6, 10**9))
def test_counts_are_those_of_the_reference(n_key, concentration):
    for n_row in (1, 4, 7, 90):
        mass, keys = rows(n_row, n_key)
        assert same(cpu.sample_counts(mass, keys, concentration), eager.sample_counts(mass, keys, concentration))


@pytest.mark.parametrize("mean", (0.5, 9.0, 10.0, 12.0, 40.0, 3000.0))
def test_the_squeeze_accepts_nothing_that_the_test_would_reject(mean):
    mass, keys = torch.full((2000, 250), 1 / 250), stream.row_keys(0, (0,), 0, 0, 2000, torch.device("cpu"))[0]
    concentration = max(501, int(250 * mean))
    assert torch.equal(cpu.counts_by_chain(mass, keys, concentration), eager.counts_by_chain(mass, keys, concentration).float())


@pytest.mark.parametrize("concentration", (1, 3, 16, 60))
@pytest.mark.parametrize("n_feature", (1, 7, 8, 33))
def test_means_of_draws_are_those_of_the_reference(concentration, n_feature):
    mass, keys = rows(3 * 9, 70)
    values = torch.randn(3, 70, n_feature, generator=torch.Generator().manual_seed(1))
    assert same(cpu.mean_of_draws(mass, keys, concentration, values), eager.mean_of_draws(mass, keys, concentration, values))


@pytest.mark.parametrize("concentration", (1, 4, 64, 5000))
@pytest.mark.parametrize(
    "options",
    (
        {},
        {"is_causal": True},
        {"attn_mask": "bool"},
        {"attn_mask": "float"},
        {"dtype": torch.bfloat16},
        {"dtype": torch.float64},
        {"gqa": 2},
    ),
    ids=str,
)
def test_attention_is_the_same_bits_with_the_reference(concentration, options, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(3, 4, n, 8, generator=generator).to(options.get("dtype")) for n in (20, 40, 40))
    mask = {"bool": torch.rand(3, 1, 20, 40, generator=generator) < 0.5, "float": torch.randn(20, 40, generator=generator)}
    known = {"attn_mask": mask.get(options.get("attn_mask")), "is_causal": options.get("is_causal", False)}
    if "gqa" in options:
        key, value, known["enable_gqa"] = key[:, :2], value[:, :2], True
    ours = stochastic_scaled_dot_product_attention(query, key, value, concentration, **known)
    observed = []
    also = attend(query, key, value, Draw(concentration), dropout_p=0.1, observe=observed.append, **known)
    sampled = sampled_rows(query @ key.mT if "gqa" not in options else query, Draw(concentration))
    monkeypatch.setattr(cpu, "takes", lambda values: False)
    assert same(ours, stochastic_scaled_dot_product_attention(query, key, value, concentration, **known))
    assert same(also, attend(query, key, value, Draw(concentration), dropout_p=0.1, observe=observed.append, **known))
    assert same(sampled, sampled_rows(query @ key.mT if "gqa" not in options else query, Draw(concentration)))
    assert same(*observed)


@pytest.mark.parametrize("concentration", (3, 300, 10**5))
def test_threads_change_nothing(concentration):
    """Several threads inside one call, and two calls at once."""
    mass, keys = rows(1200, 130)
    values = torch.randn(2, 130, 16, generator=torch.Generator().manual_seed(1))

    def both():
        return cpu.sample_counts(mass, keys, concentration), cpu.mean_of_draws(mass, keys, min(concentration, 30), values)

    alone = both()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        results = [both()]
    finally:
        torch.set_num_threads(before)
    callers = [threading.Thread(target=lambda: results.extend(both() for _ in range(5))) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(results) == 11 and all(same(counts, alone[0]) and same(means, alone[1]) for counts, means in results)


def test_values_that_require_a_gradient_are_left_to_the_reference():
    value = torch.randn(2, 3, requires_grad=True)
    assert not cpu.takes(value) and cpu.takes(value.detach())
    with torch.no_grad():
        assert cpu.takes(value)


def test_without_numba_the_reference_answers_without_a_warning(monkeypatch, recwarn):
    monkeypatch.setattr(cpu, "_kernels", Kernels("stochattn_core.sampling.kernels"))
    monkeypatch.setattr(compiled_code.importlib.util, "find_spec", lambda name: None)
    assert not cpu.takes(torch.zeros(1)) and not cpu.wait() and not recwarn.list
    query = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))
    without = stochastic_scaled_dot_product_attention(query, query, query, 9)
    monkeypatch.undo()
    assert torch.equal(without, stochastic_scaled_dot_product_attention(query, query, query, 9))


@pytest.fixture
def one_kernel(monkeypatch, tmp_path):
    """A module with one kernel, whose machine code Numba stores beside it; calling the fixture imports it again, as another process would."""
    source = """
import numpy as np
from stochattn_core.compiled import compiled

@compiled
def twice(x):
    return 2 * x

def warm():
    twice(np.ones(1))
"""
    (tmp_path / "one_kernel.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def anew():
        sys.modules.pop("one_kernel", None)
        return Kernels("one_kernel")

    yield anew
    sys.modules.pop("one_kernel", None)


class Compiling:
    """A stand-in for the process that compiles; `ended` is its exit status."""

    def __init__(self, ended):
        self.ended, self.commands = ended, []

    def __call__(self, command, **_):
        self.commands.append(command)
        return self

    def poll(self):
        return self.ended


def test_until_it_is_compiled_the_reference_answers_and_nothing_waits(one_kernel, monkeypatch):
    compiling, kernels = Compiling(ended=None), one_kernel()
    monkeypatch.setattr(compiled_code.subprocess, "Popen", compiling)
    assert kernels.loaded() is None and kernels.loaded() is None
    assert compiling.commands == [[sys.executable, "-m", "stochattn_core.compiled", "one_kernel"]]
    one_kernel().compile()
    compiling.ended = 0
    assert kernels.loaded().twice(3.0) == 6.0


def test_a_process_of_its_own_compiles(one_kernel):
    kernels = one_kernel()
    assert kernels.loaded() is None and kernels.wait()
    assert sys.modules["one_kernel"].twice.stats.cache_hits


def gone(kernels, monkeypatch):
    for file in Path(kernels.twice.stats.cache_path).glob("*.nbc"):
        file.unlink()


def edited(kernels, monkeypatch):
    source = Path(kernels.__file__)
    source.write_text(source.read_text() + "\n\n# another line\n")


def of_another_processor(kernels, monkeypatch):
    """A processor of the same name with fewer features."""
    monkeypatch.setattr(JITCPUCodegen, "magic_tuple", lambda self: ("triple", "name", "-avx512f"))


@pytest.mark.parametrize("happened", (gone, edited, of_another_processor))
def test_machine_code_that_is_no_longer_valid_is_not_compiled_here(one_kernel, happened, monkeypatch):
    one_kernel().compile()
    assert one_kernel().loaded() is not None
    happened(sys.modules["one_kernel"], monkeypatch)
    compiling, kernels = Compiling(ended=None), one_kernel()
    monkeypatch.setattr(compiled_code.subprocess, "Popen", compiling)
    assert kernels.loaded() is None and len(compiling.commands) == 1
    assert not sys.modules["one_kernel"].twice.overloads


def test_other_threads_compile_meanwhile():
    with compiled_code._without_compiling():
        other = threading.Thread(target=lambda: results.append(njit(lambda x: x + 1)(1)))
        results = []
        other.start()
        other.join()
    assert results == [2]


def test_code_that_could_not_be_stored_is_not_compiled_again(one_kernel, monkeypatch):
    compiling, kernels = Compiling(ended=0), one_kernel()
    monkeypatch.setattr(compiled_code.subprocess, "Popen", compiling)
    assert [kernels.loaded() for _ in range(3)] == [None] * 3 and len(compiling.commands) == 1


@pytest.mark.parametrize("module", MODULES)
def test_stored_machine_code_is_loaded_by_another_process_without_compiling(module):
    Kernels(module).wait()
    command = f"from stochattn_core.compiled import Kernels; k = Kernels({module!r}); print(k.loaded() is not None, k.compiling)"
    assert subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout == "True None\n"


def test_the_package_is_imported_without_numba():
    command = "import sys, stochattn_core; print('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout == "False\n"
