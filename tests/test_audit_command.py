"""stochattn audit: the same audit in the terminal, for a function of the user's or an entry of the tables; mistakes are one sentence."""

import json
import sys

import pytest
import torch

from stochattn_core import audit, load_dataset, load_model
from stochattn_core.__main__ import main
from stochattn_core.commands import COMMANDS
from stochattn_core.evaluate import network_of

SOURCE = """
import torch
from torch import nn

import beside  # a module in the same folder


def make(n_token=5):
    print("words of the user's own")
    torch.manual_seed(0)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 2, enable_nested_tensor=False).eval()
    return model, torch.ones(3, n_token, 8)


def random():
    return nn.Sequential(nn.TransformerEncoderLayer(8, 2, batch_first=True)).eval(), torch.randn(3, 5, 8)


def positional():
    return make()[0], (torch.ones(3, 5, 8), torch.zeros(5, 5))


def positional_and_named():
    return make()[0], (torch.ones(3, 5, 8),), {"mask": torch.zeros(5, 5)}


def named():
    return make()[0], {"src": torch.ones(3, 5, 8)}


class Box:
    make = staticmethod(make)

    def __new__(cls):
        return make()


ready = make()


def alone():
    return make()[0]


class Model(nn.Linear):
    def __init__(self):
        super().__init__(2, 2)


def words():
    return "model", torch.ones(2)


def three_tensors():
    return make()[0], torch.ones(2), torch.ones(2)


def wrong_width():
    return make()[0], torch.ones(3, 5, 9)


def fails():
    raise KeyError("weights")


def leaves():
    raise SystemExit(3)


def no_attention():
    return nn.Linear(3, 1), torch.ones(2, 3)


def training():
    return make()[0].train(), torch.ones(3, 5, 8)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "own_models.py").write_text(SOURCE)
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "broken.py").write_text("1 +")
    (tmp_path / "needs.py").write_text("import a_package_that_is_not_there")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("own_models", "beside", "broken", "needs"):
        sys.modules.pop(name, None)


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = main(["audit", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


GOOD = ("make", "positional", "positional_and_named", "named", "Box", "Box.make", "ready")


@pytest.mark.parametrize("place", ("own_models", "own_models.py"))
@pytest.mark.parametrize("name", GOOD)
def test_whatever_a_function_may_return_is_audited(name, place, folder, run):
    code, out, err = run(f"{place}:{name}", "--json")
    assert code == 0 and "words of the user's own" in err
    document = json.loads(out)
    assert document["model"] == "TransformerEncoder" and document["attention_calls"] == 2
    assert [line["module"] for line in document["modules"]] == ["layers.0.self_attn", "layers.1.self_attn"]


def test_the_text_and_the_document_are_those_of_the_audit_in_python(folder, run):
    text, document = (run("own_models:make", *options)[1] for options in ((), ("--json",)))
    expected = audit(*sys.modules["own_models"].make())
    assert text == f"{expected}\n" and json.loads(document) == expected.document()


def test_a_file_elsewhere_finds_the_modules_beside_it_and_leaves_no_trace(folder, run, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    path, state = list(sys.path), torch.get_rng_state()
    assert run(f"{folder}/own_models.py:make")[0] == 0
    assert run("own_models:make")[0] == 2
    assert sys.path == path and "own_models" not in sys.modules
    run(f"{folder}/own_models.py:random")
    assert torch.equal(torch.get_rng_state(), state)


def test_the_seed_decides_random_weights(folder, run):
    first, again, other = (run("own_models:random", "--json", "--seed", seed)[1] for seed in ("0", "0", "1"))
    assert first == again != other


def test_ignored_modules_stay_plain(folder, run):
    code, out, _ = run("own_models:make", "--ignore", "layers.1*", "--json")
    states = {line["module"]: line["state"] for line in json.loads(out)["modules"]}
    assert code == 0 and states == {"layers.0.self_attn": "answered", "layers.1.self_attn": "plain, ignored"}
    assert "kept plain by ignore: layers.1.self_attn" in run("own_models:make", "--ignore", "layers.1*")[1]


def test_an_entry_of_the_tables_is_audited_on_two_test_cases(run):
    code, out, _ = run("--model", "ft_transformer", "--dataset", "diabetes", "--json", "--device", "cpu")
    dataset = load_dataset("diabetes")
    expected = audit(network_of(load_model("ft_transformer"), dataset, device="cpu"), dataset.test.inputs[:2])
    assert code == 0 and json.loads(out) == expected.document()


RETURNS = "(model, inputs), (model, args, kwargs) or (model, {name: input})"
MISTAKES = {
    "": "expected PACKAGE.MODULE:FUNCTION, or --model NAME with --dataset NAME",
    "own_models:make --model timesfm": "give one of the two",
    "--model timesfm": "expected --model NAME and --dataset NAME together, got one of them",
    "--model nothing --dataset diabetes": "'nothing'",
    "--model timesfm --dataset diabetes": "model 'timesfm' forecasts a series, dataset 'diabetes' is a table",
    "own_models": "expected PACKAGE.MODULE:FUNCTION or FILE.py:FUNCTION, got 'own_models'",
    "own_models:": "write a colon before the function",
    "nowhere:make": "found no 'nowhere'; check the name and the working folder",
    "own_models.inner:make": "found no 'own_models.inner'",
    "nowhere.py:make": "expected a Python file at 'nowhere.py', found none there",
    "broken:make": "importing broken fails with SyntaxError",
    "broken.py:make": "running broken.py fails with SyntaxError",
    "needs:make": "importing needs fails with ModuleNotFoundError: No module named 'a_package_that_is_not_there'",
    "own_models:mak": "expected 'mak' in the module 'own_models', found none",
    "own_models:Box.mak": "expected 'mak' in the object 'Box', found none",
    "own_models:alone": f"returns a TransformerEncoder alone: expected its inputs too; return {RETURNS}",
    "own_models:Model": "returns a Model alone",
    "own_models:words": f"to return {RETURNS} with a torch.nn.Module as model, got str",
    "own_models:three_tensors": "got (TransformerEncoder, Tensor, Tensor); put several inputs in a tuple",
    "own_models:fails": "calling own_models:fails without arguments fails with KeyError: 'weights'",
    "own_models:leaves": "calling own_models:leaves without arguments fails with SystemExit: 3",
    "own_models:wrong_width": "calling the TransformerEncoder of own_models:wrong_width with its inputs fails with",
    "own_models:no_attention": "no attention was met in Linear",
    "own_models:training": "in training mode",
    "own_models:make --ignore *": "no attention layer of TransformerEncoder is sampled",
    "own_models:make --device tpu": "device must be one of",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_code_two(arguments, folder, run):
    code, out, err = run(*arguments.split())
    (sentence,) = (line for line in err.splitlines() if line.startswith("stochattn audit: "))
    assert (code, out) == (2, "") and MISTAKES[arguments] in sentence and "Traceback" not in err


def test_the_help_says_what_a_function_returns(capsys):
    with pytest.raises(SystemExit):
        main(["audit", "--help"])
    assert RETURNS in " ".join(capsys.readouterr().out.split()) and "audit" in COMMANDS
