"""Every test runs on one thread, with a cache folder of its own and without a network."""

import os

import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # before anything imports Triton, whose own functions are interpreted from then on, or never

torch.set_num_threads(1)  # small operations are slower, and sometimes different in the last bit, on several


def pytest_addoption(parser):
    parser.addoption("--uncompiled", action="store_true", help="torch answers for compiled code, so that nothing is compiled")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """A test run starts with an empty cache. All tests share one folder, so that one may read what another computed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STOCHATTN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def compiled_sums(pytestconfig):
    """Compiled or in torch, sums differ in their last bits: no test begins with the one and ends with the other.

    The first test that needs sums waits for the compiled code; a test that needs none does not. `make test` compiles before it starts,
    and --uncompiled lets torch answer in all tests.
    """
    from stochattn_core.compiled import Kernels  # after the line on Triton

    loaded = Kernels.loaded

    def loaded_after_waiting(kernels):
        if pytestconfig.getoption("uncompiled"):
            return None
        code = loaded(kernels)
        if code is None and kernels.compiling is not None and kernels.module.startswith("stochattn_core.metrics."):
            kernels.compiling.wait()
            code = loaded(kernels)
        return code

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Kernels, "loaded", loaded_after_waiting)
        yield


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STOCHATTN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def model():
    """The quickest model. With the smallest dataset, it serves tests that work with any model."""
    from stochattn_core import load_model

    return load_model("ft_transformer")


@pytest.fixture(scope="session")
def diabetes():
    from stochattn_core import load_dataset

    return load_dataset("diabetes")
