"""The names of torch and transformers that their authors do not promise to keep exist, and do what this project needs them for."""

import ast
import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from stochattn_core import torch_private

# The versions of torch for which every name was found to work. After adding one here, run this file with it.
CHECKED = ("2.6", "2.13")
ROOT = Path(__file__).parent.parent


class Functions(TorchFunctionMode):
    """Records the torch functions that are called."""

    def __init__(self):
        super().__init__()
        self.called = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.called.append(func)
        return func(*args, **(kwargs or {}))


def test_this_version_of_torch_was_checked():
    assert ".".join(torch.__version__.split(".")[:2]) in CHECKED, "run this file, then add the version to CHECKED"


def test_every_name_that_is_exported_exists():
    assert all(hasattr(torch_private, name) for name in torch_private.__all__)


def test_trees_are_taken_apart_and_put_together():
    tree = {"a": [torch.ones(2), 3], "b": (torch.zeros(1), None)}
    assert [type(leaf) for leaf in torch_private.tree_leaves(tree)][:3] == [torch.Tensor, int, torch.Tensor]
    doubled = torch_private.tree_map(lambda x: 2 * x if isinstance(x, torch.Tensor) else x, tree)
    assert doubled["a"][0].tolist() == [2.0, 2.0] and doubled["a"][1] == 3 and doubled["b"][1] is None


def test_the_modules_of_a_model_are_those_that_torch_lists_each_once():
    shared = nn.Linear(2, 2)
    model = nn.Sequential(shared, nn.Sequential(shared, nn.ReLU()), nn.ModuleDict({"a": nn.Identity()}))
    model.register_module("nothing", None)
    assert set(map(id, torch_private.modules_of(model))) == set(map(id, model.modules()))
    assert len(torch_private.modules_of(model)) == len(list(model.modules())) and torch_private.modules_of(model)[0] is model
    traced = torch.jit.trace(nn.Sequential(nn.ReLU()), torch.zeros(1))
    assert len(torch_private.modules_of(nn.Sequential(traced))) == 3


def test_random_functions_draw_from_the_default_generators():
    with torch.random.fork_rng(devices=[]):
        cpu = torch_private.default_generators()[0]
        state = cpu.get_state()
        numbers = torch.rand(3)
        assert not torch.equal(cpu.get_state(), state)
        cpu.set_state(state)
        assert torch.equal(torch.rand(3), numbers)


def test_the_outputs_of_transformers_are_trees():
    outputs = pytest.importorskip("transformers.modeling_outputs", exc_type=ImportError)
    assert torch_private.tree_leaves(outputs.BaseModelOutput(last_hidden_state=torch.ones(2)))[0].tolist() == [1.0, 1.0]


def test_a_dispatch_mode_sees_operations_by_their_names():
    class Names(torch_private.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            names.append(func.name())
            return func(*args, **(kwargs or {}))

    names = []
    with Names():
        torch.softmax(torch.ones(2, 3), -1) @ torch.ones(3, 2)
    assert names.count("aten::_softmax") == 1 and names.count("aten::mm") == 1


def test_the_active_function_modes_are_listed_from_the_outermost():
    assert list(torch_private.function_modes()) == []
    with Functions() as outer, Functions() as inner:
        assert list(torch_private.function_modes()) == [outer, inner]


def test_only_tensors_under_a_transform_are_functorch_tensors():
    seen = []
    torch.vmap(lambda x: seen.append(torch_private.is_functorch_tensor(x)) or x)(torch.ones(2, 3))
    assert seen == [True] and not torch_private.is_functorch_tensor(torch.ones(2))


def test_the_copy_of_multi_head_attention_shows_the_attention_inside_it_to_a_mode():
    """The original hands itself to the mode as a whole; the copy computes the same output through functions that the mode sees."""
    module, x = nn.MultiheadAttention(8, 2).eval(), torch.randn(5, 1, 8, generator=torch.Generator().manual_seed(0))
    arguments = (x, x, x, 8, 2, module.in_proj_weight, module.in_proj_bias, None, None, False, 0.0)
    arguments = (*arguments, module.out_proj.weight, module.out_proj.bias)
    options = {"training": False, "need_weights": False}
    with Functions() as functions:
        output, _ = torch_private.multi_head_attention_forward(*arguments, **options)
    assert F.scaled_dot_product_attention in functions.called and F.multi_head_attention_forward not in functions.called
    assert torch.equal(output, F.multi_head_attention_forward(*arguments, **options)[0])
    assert torch_private.multi_head_attention_forward.__code__ is F.multi_head_attention_forward.__code__


def test_a_compiled_module_is_told_from_a_plain_one():
    plain, wrapped, in_place = nn.Linear(2, 2), torch.compile(nn.Linear(2, 2), backend="eager"), nn.Linear(2, 2)
    in_place.compile(backend="eager")
    assert [torch_private.is_compiled(module) for module in (plain, wrapped, in_place)] == [False, True, True]


def test_the_question_about_the_processor_is_answered_with_yes_or_no():
    assert torch_private.has_bfloat16_products() in (True, False)
    assert hasattr(torch.cpu, "_is_avx512_bf16_supported")


def test_a_running_mean_moves_towards_its_values_in_place():
    averages, values = [torch.zeros(2), torch.ones(3)], [torch.ones(2), torch.full((3,), 3.0)]
    torch_private.move_towards(averages, values, 0.25)
    assert averages[0].tolist() == [0.25] * 2 and averages[1].tolist() == [1.5] * 3


@pytest.mark.parametrize("supports_sdpa", (True, False, None))
@pytest.mark.parametrize(
    ("chosen", "is_opaque"), (("sdpa", False), ("eager", False), ("flex_attention", True), ("flash_attention_2", True))
)
def test_a_transformers_model_with_a_kernel_of_its_own_is_found_and_has_another_implementation(chosen, is_opaque, supports_sdpa):
    transformers = pytest.importorskip("transformers.models.llama", exc_type=ImportError)
    module = nn.Sequential(nn.Identity())
    for part in (module, module[0]):  # the parts of a model share one configuration
        part.config = config = module.config if part is not module else transformers.LlamaConfig()
    if supports_sdpa is not None:
        module._supports_sdpa = supports_sdpa
    config._attn_implementation = chosen
    other = "eager" if supports_sdpa is False else "sdpa"
    assert dict(torch_private.opaque_attention_configs(module)) == ({id(config): (config, other)} if is_opaque else {})


def private_names_of_torch(path):
    """The names of torch in a file that have a part with one leading underscore."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{name.name}" for name in node.names]
        elif isinstance(node, ast.Import):
            names += [name.name for name in node.names]
        elif isinstance(node, ast.Attribute):
            names.append(ast.unparse(node))
    return [name for name in names if re.match(r"torch\.(.*\.)?_(?!_)", name)]


@pytest.mark.parametrize("folder", ("stochattn_core", "tools"))
def test_no_other_file_uses_a_private_name_of_torch(folder):
    paths = [path for path in (ROOT / folder).rglob("*.py") if path.name != "torch_private.py"]
    assert {path.name: names for path in paths if (names := private_names_of_torch(path))} == {}
