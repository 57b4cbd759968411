"""The matrix of real models counts attention without the code that it checks, and its page follows from its results."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tools.model_matrix import checks, page
from tools.model_matrix.counting import count
from tools.model_matrix.entry import Entry, Example, made, normal, randomise
from tools.model_matrix.models import MODELS, NOT_INSTALLED

ROOT = Path(__file__).parent.parent
X = normal(3, 5, 8)


class Gate(nn.Module):
    """A softmax that is no attention."""

    def forward(self, x):
        return x * torch.softmax(x, -1)


class Flaw(nn.Module):
    """A model that fails."""

    def forward(self, x):
        raise IndexError("no such entry")


def self_attention():
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)


def test_the_count_sees_every_way_of_calling_attention():
    class Ways(nn.Module):
        def forward(self, x):
            masked = torch.zeros(5, 5)
            x = F.scaled_dot_product_attention(x, x, x) + F.scaled_dot_product_attention(x, x, x, attn_mask=masked)
            x = torch.softmax(x @ x.mT, -1) @ x
            return torch.ops.aten._softmax(x @ x.mT, -1, False) @ x

    model = Ways()
    assert count(model, lambda: model(X)).n_attention((), 0) == 4


def test_the_count_does_not_take_the_fast_path():
    model = randomise(nn.TransformerEncoder(self_attention(), 3))
    assert count(model, lambda: model(X)).n_attention((), 0) == 3
    assert torch.backends.mha.get_fastpath_enabled()


def test_modules_are_counted_where_attention_has_no_operation():
    model = nn.Sequential(Gate(), nn.Identity(), Gate())
    assert count(model, lambda: model(X)).n_attention(("Gate",), 0) == 2


def test_a_right_model_gets_a_right_row():
    row = checks.measure(Entry(made(self_attention, X), 1, "one layer"))
    assert row["verdict"] == "right" and row["answered"] == row["counted"] == 1
    assert row["off"] < 1e-5 and row["folds"] < 1e-5 and -0.6 < row["exponent"] < -0.4


@pytest.mark.parametrize(
    ("make", "entry", "verdict"),
    [
        (self_attention, {"n_call": 2}, "the plain pass holds 1 attention operations and the source says 2"),
        (self_attention, {"n_call": 1, "refused": "it holds none"}, "answered 1 calls, though it holds none"),
        (Gate, {"n_call": 0, "n_other": 1, "refused": "it holds no attention"}, "right"),
        (Gate, {"n_call": 0, "n_other": 1}, "refused: NoAttentionError"),
        (Flaw, {"n_call": 1}, "IndexError: no such entry"),
    ],
)
def test_a_row_says_what_is_wrong(make, entry, verdict):
    row = checks.measure(Entry(made(make, X), because="", **entry))
    assert row["verdict"].startswith(verdict)


def test_a_further_pass_with_other_calls_is_wrong():
    class Longer(nn.Module):
        def forward(self, x):
            for _ in range(x.shape[1] // 5):
                x = F.scaled_dot_product_attention(x, x, x)
            return x

    model = Longer()
    further = {"5": Example(model, (X,)), "10": Example(model, (normal(3, 10, 8),))}
    row = checks.measure(Entry(lambda: Example(model, (X,)), 1, "one call for 5 places", further=lambda: further))
    assert row["further"]["n_right"] == 1 and list(row["further"]["wrong"]) == ["10"]


def test_forecasts_that_differ_by_fold_are_counted():
    alone = normal(4, 3, 6)
    together = alone + 1e-6
    together[2, 1] += 0.5
    differences = checks.fold_differences([alone, alone, together], scale=1.0)
    assert differences["n_apart"] == 1 and differences["n_forecast"] == 12
    assert differences["folds"] == pytest.approx(1e-6, rel=0.5) and differences["apart"] == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize("power", [-0.5, -1.0])
def test_the_exponent_of_a_power_law_is_its_power(power):
    concentrations = (16, 64, 256)
    assert checks.exponent(concentrations, [3.0 * nu**power for nu in concentrations]) == pytest.approx(power)


def test_the_page_follows_from_the_results():
    assert page.PAGE.read_text() == page.page(page.read())


def test_every_model_of_the_table_was_measured_with_a_pinned_package():
    assert set(page.read()) == set(MODELS)
    names = "\n".join((ROOT / path).read_text() for path in ("requirements.txt", "tools/model_matrix/requirements.txt"))
    pinned = {name.lower().replace("_", "-") for name in re.findall(r"^([\w\-]+)(?:\[\w+\])?==", names, flags=re.MULTILINE)}
    assert {entry.package.lower().replace("_", "-") for entry in MODELS.values()} <= pinned
    assert not NOT_INSTALLED.keys() & pinned
