"""Every test runs on one thread, with a cache folder of its own and without a network."""

import os

import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # before anything imports Triton, whose own functions are interpreted from then on, or never

torch.set_num_threads(1)  # small operations are slower, and sometimes different in the last bit, on several


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Nothing that was computed before a test run is found in it. One folder for all tests: what one computes another may read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STOCHATTN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def compiled_sums():
    """Compiled or in torch, sums differ in their last bits: no test begins with the one and ends with the other."""
    from stochattn_core.metrics import compiled_sums  # after the line on Triton

    compiled_sums.wait()


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STOCHATTN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def model():
    """The quickest model; with the smallest dataset, what a test takes for which any will do."""
    from stochattn_core import load_model

    return load_model("ft_transformer")


@pytest.fixture(scope="session")
def diabetes():
    from stochattn_core import load_dataset

    return load_dataset("diabetes")
