"""When the GPU kernel is used: for inputs that it supports, on devices where it draws what the eager sampler draws."""

import math

import pytest
import torch

from stochattn_core.sampling import gpu

pytest.importorskip("triton", reason="Triton is not installed; it is in requirements-dev.txt, for Linux")


def test_the_kernel_is_used_only_for_inputs_that_it_supports(monkeypatch):
    monkeypatch.setattr(gpu, "_works", lambda device, dtype: True)

    class OnDevice:
        is_cuda, device = True, torch.device("cuda")

        def __init__(self, *shape, dtype=torch.bfloat16, requires_grad=False):
            self.shape, self.dtype, self.requires_grad = torch.Size(shape), dtype, requires_grad

    query, key = OnDevice(2, 40, 64), OnDevice(2, 512, 64)
    assert gpu.usable(query, key, key, 64) and gpu.usable(query, key, key, 1024)
    assert not gpu.usable(query, key, key, 1025) and not gpu.usable(query, key, key, math.inf)
    assert not gpu.usable(query, key, OnDevice(2, 512, 64, dtype=torch.float32), 64)
    assert not gpu.usable(query, key, OnDevice(2, 512, 257), 64)
    learned = OnDevice(2, 512, 64, requires_grad=True)
    assert not gpu.usable(query, key, learned, 64)
    with torch.no_grad():
        assert gpu.usable(query, key, learned, 64)
    double = OnDevice(2, 40, 64, dtype=torch.float64)
    assert not gpu.usable(double, double, double, 64)
    on_cpu = torch.randn(1, 6, 4)
    assert not gpu.usable(on_cpu, on_cpu, on_cpu, 2)


def test_a_kernel_that_fails_or_draws_other_keys_is_not_used_after_one_warning(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    for outcome, message in (
        (0.3, "30.00% of its draws differ"),
        (RuntimeError("no C compiler\nat all"), r"RuntimeError: no C compiler\)"),
    ):

        def moved_draws(*_, outcome=outcome):
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(gpu, "moved_draws", moved_draws)
        gpu._works.cache_clear()
        with pytest.warns(UserWarning, match=message):
            assert not gpu._works(torch.device("cuda"), torch.float32)
    monkeypatch.setattr(gpu, "moved_draws", lambda *_: 0.0)
    gpu._works.cache_clear()
    assert gpu._works(torch.device("cuda"), torch.float32)
    gpu._works.cache_clear()
