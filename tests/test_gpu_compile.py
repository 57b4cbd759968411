"""The GPU kernels compile to machine code for two devices that need not be present; Triton can do this anywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton is not installed; it is in requirements-dev.txt, for Linux")


def test_the_kernels_compile_to_machine_code(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])}
    code = """from tests.gpu_compile import compiled
for kernels in (compiled(90, "bf16"), compiled(80, "fp16", causal=True)):
    print(*(name for name, kernel in kernels.items() if kernel.asm["cubin"]))"""
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["sort_uniforms sampled_attention"] * 2, done.stderr[-2000:]
