"""The plan of the packages holds: imports run one way and without cycles, public names are light, departures are listed."""

import ast
import doctest
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import stochattn_core

ROOT = Path(__file__).parent.parent
CORE = sorted((ROOT / "stochattn_core").rglob("*.py"))
PAGES = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]
DOCS = "\n".join(path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))))

# What each package or module of the core may import of the core, beside itself. A new one gets a row here.
MODEL_AND_DATA = {"datasets", "metrics", "models", "settings"}
ALLOWED = {
    # the package itself: its public names
    "stochattn_core": {
        *(
            "attention",
            "audit",
            "checklist",
            "datasets",
            "ensemble",
            "evaluate",
            "recognition",
            "models",
            "patching",
            "rollouts",
            "run",
            "settings",
            "tuned_setting",
            "tuning",
        )
    },
    # foundations
    "compiled": set(),
    "data_files": set(),
    "device": set(),
    "extras": set(),
    "json_text": set(),
    "store": set(),
    "arguments": set(),
    "torch_private": set(),
    # the sampling law, and its place in the random stream and in memory
    "layout": {"torch_private"},
    "sampling": {"compiled", "layout", "torch_private"},
    "draw": {"sampling"},
    "attention_call": {"layout"},
    "attention": {"attention_call", "draw", "layout", "sampling"},
    # attention in a model
    "recognition": {"arguments", "torch_private"},
    "own_randomness": {"arguments", "recognition", "torch_private"},
    "run": {"draw", "recognition", "torch_private"},
    "shared_prefix": {"layout"},
    "answers": {"attention", "draw", "recognition", "torch_private"},
    "plan": {"draw"},
    "answering_mode": {"answers", "plan", "arguments", "attention", "draw", "recognition", "run", "shared_prefix", "torch_private"},
    "patching": {"answering_mode", "plan", "draw", "recognition", "run", "torch_private"},
    "outputs": set(),
    "plain_forecast": {"arguments", "outputs", "own_randomness", "recognition"},
    "checklist": {"recognition"},
    "audit": {"plan", "run", "arguments", "checklist", "draw", "own_randomness", "patching", "plain_forecast", "recognition"},
    "folds": {"plan", "arguments", "outputs", "own_randomness", "patching", "recognition"},
    "ensemble": {*("arguments", "audit", "draw", "folds", "outputs", "plan", "plain_forecast", "recognition")},
    "rollouts": {"folds", "draw", "ensemble", "patching", "plan", "torch_private"},
    # data, models and scores do not know one another, except that models know datasets
    "readers": {"datasets", "extras"},  # the containers, datasets.base
    "datasets": {"data_files", "extras", "store"},
    "models": {"datasets", "device", "store", "torch_private"},
    "metrics": {"compiled"},
    "baselines": {"metrics"},
    "references": {"datasets", "metrics"},
    # settings, then model x data x setting
    "ensemble_data": {"datasets", "metrics"},
    "slices": {"datasets", "ensemble_data", "metrics"},
    "verdict": {"ensemble_data", "metrics", "slices"},
    "corrections": {"baselines", "plan", "draw", "ensemble_data", "metrics", "sampling"},
    "settings": {"corrections", "draw"},
    "tuned_setting": {"corrections", "settings"},
    "forecasts": {*MODEL_AND_DATA, "corrections", "ensemble", "ensemble_data", "outputs", "plain_forecast", "sampling", "store"},
    "evaluate": {*MODEL_AND_DATA, "audit", "checklist", "device", "ensemble_data", "extras", "forecasts", "references"},
    "ensemble_file": {"datasets", "ensemble_data", "evaluate", "extras", "metrics", "readers"},
    "tuning": {
        *MODEL_AND_DATA,
        *("corrections", "draw", "ensemble", "ensemble_data", "evaluate", "forecasts"),
        *("outputs", "plain_forecast", "store", "tuned_setting", "verdict"),
    },
    "compare": {
        *MODEL_AND_DATA,
        "baselines",
        "corrections",
        "ensemble_data",
        "evaluate",
        "forecasts",
        "tuned_setting",
        "tuning",
        "verdict",
    },
    # what is shown
    "figures": {"data_files", "extras", "metrics"},
    "panels": {"compare", "datasets", "ensemble_data", "evaluate", "figures", "metrics", "references", "slices", "tuning", "verdict"},
    "report": {"compare", "datasets", "figures", "json_text", "metrics", "models", "panels", "readers", "references", "tuning"},
    # the program
    "commands": {
        *MODEL_AND_DATA,
        *(
            *("arguments", "audit", "checklist", "device", "plain_forecast"),
            "baselines",
            "compare",
            "corrections",
            "draw",
            "ensemble_file",
            "evaluate",
            "extras",
            "json_text",
            "readers",
            "references",
            "report",
            "tuned_setting",
            "tuning",
        ),
    },
    "__main__": {"commands"},
}
# What is there still and is to go: imports that no row allows, and parts with a cycle. Both are empty at the end.
KNOWN_IMPORTS: dict[str, set[str]] = {}
KNOWN_CYCLES: set[str] = set()
# Top-level packages that `import stochattn_core` may load: torch, what torch loads by itself, and the names of shapes in signatures.
LIGHT = {"torch", "torchgen", "functorch", "numpy", "tqdm", "typing_extensions", "opt_einsum", "sympy", "mpmath", "triton"}
LIGHT |= {"jaxtyping", "wadler_lindig"}


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in CORE}


def imports_of(path):
    """Every name that a file imports, wherever the import stands: in a function or under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relative to itself; write the whole name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def core_modules(path):
    """The modules of the core that a file imports. `from package import module` is an import of the module."""
    for name in imports_of(path):
        if name.split(".")[0] == "stochattn_core":
            yield next(known for known in (name, name.rpartition(".")[0]) if known in MODULES)


def part_of(module):
    """The package or module right below stochattn_core that a module belongs to."""
    return module.split(".")[1] if "." in module else module


def test_every_package_has_a_row():
    assert {part_of(module) for module in MODULES} <= set(ALLOWED)
    assert all(names <= set(ALLOWED) for names in ALLOWED.values())


@pytest.mark.parametrize("path", CORE, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_the_core_imports_no_page_and_nothing_above_itself(path):
    part = part_of(module_of(path))
    for name in imports_of(path):
        assert name.split(".")[0] not in ("pages", "app"), f"{path.name} imports {name}"
        assert name.split(".")[0] != "streamlit" or part == "commands", f"{path.name} imports {name}"
    above = {part_of(module) for module in core_modules(path)} - {part} - ALLOWED.get(part, set()) - KNOWN_IMPORTS.get(part, set())
    assert not above, f"{path.name} imports {', '.join(sorted(above))}"


def cycles(edges):
    """The sets of modules that import one another, directly or by way of others (Tarjan, 1972: strongly connected components)."""
    order, lowest, stack, components = {}, {}, [], []

    def visit(module):
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for other in edges[module]:
            if other not in order:
                visit(other)
            if other in stack:
                lowest[module] = min(lowest[module], lowest[other])
        if lowest[module] == order[module]:
            component = {stack.pop()}
            while module not in component:
                component.add(stack.pop())
            if len(component) > 1 or module in edges[module]:
                components.append(component)

    for module in edges:
        if module not in order:
            visit(module)
    return components


def test_cycles_are_found():
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"f"}, "g": {"a"}}
    assert sorted(map(sorted, cycles(edges))) == [["a", "b", "c"], ["d", "e"], ["f"]]


def test_no_modules_of_the_core_import_one_another():
    """Imports inside functions and for type checkers count."""
    found = cycles({module: set(core_modules(path)) for module, path in MODULES.items()})
    new = [sorted(cycle) for cycle in found if not any(part_of(module) in KNOWN_CYCLES for module in cycle)]
    assert not new, new


@pytest.mark.parametrize("chain", re.findall(r"`(\w+(?: (?:→|->) \w+)+)`", DOCS))
def test_imports_run_as_the_documentation_says(chain):
    """`a → b`: a imports b, and nothing that stands before a imports it back."""
    chain = re.split(r" (?:→|->) ", chain)
    imported = {part: set() for part in chain}
    for module, path in MODULES.items():
        if part_of(module) in imported:
            imported[part_of(module)] |= {part_of(other) for other in core_modules(path)}
    for place, part in enumerate(chain):
        assert set(chain[place + 1 : place + 2]) <= imported[part] and not imported[part] & set(chain[:place]), part


@pytest.fixture(scope="module")
def imported():
    """What a new Python process has loaded before and after `import stochattn_core`, and what the public names then are in it."""
    code = """
import json, sys
before = sorted(sys.modules)
import stochattn_core as package
after = sorted(sys.modules)
import stochattn_core.evaluate, stochattn_core.audit
from stochattn_core import audit, evaluate
functions = [callable(function) for function in (audit, evaluate, package.audit, package.evaluate)]
print(json.dumps([before, after, [name for name in package.__all__ if hasattr(package, name)], functions]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout)


def test_the_package_loads_torch_and_what_sampling_needs_and_nothing_else(imported):
    before, after, _, _ = imported
    packages = {name.split(".")[0] for name in set(after) - set(before) if not name.startswith("_")}
    assert packages - set(sys.stdlib_module_names) - LIGHT == {"stochattn_core"}
    parts = {part_of(name) for name in after if name.split(".")[0] == "stochattn_core"}
    assert not parts & {"datasets", "models", "metrics", "settings", "evaluate", "tuning", "corrections", "figures", "store"}


def test_every_public_name_exists_and_is_a_function_where_a_module_has_the_same_name(imported):
    _, _, public, are_functions = imported
    assert public == stochattn_core.__all__ and set(stochattn_core._MODULE_OF) < set(public) <= set(dir(stochattn_core))
    assert all(are_functions)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = stochattn_core.nothing


def test_pages_cache_in_one_file_and_touch_session_and_url_in_one():
    used = {
        path.relative_to(ROOT).as_posix(): {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        for path in PAGES
    }
    assert [name for name, names in used.items() if names & {"cache_data", "cache_resource"}] == ["pages/ui/cached.py"]
    assert [name for name, names in used.items() if names & {"session_state", "query_params"}] == ["pages/ui/state.py"]


def test_the_documentation_lists_every_departure_from_the_paper():
    tagged = sorted(path.relative_to(ROOT).as_posix() for path in CORE if "# DIFFERS:" in path.read_text())
    listed = sorted(set(re.findall(r"`(stochattn_core/[\w/]+\.py)`: DIFFERS", DOCS)))
    assert tagged == listed and tagged


@pytest.mark.parametrize("path", [p for p in CORE if ">>>" in p.read_text()], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_example_in_a_docstring_runs(path):
    module = importlib.import_module(module_of(path))
    assert doctest.testmod(module).failed == 0


def test_requirements_are_pinned_and_torch_is_the_build_we_name():
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith(("#", "-r"))]
        assert all(re.fullmatch(r"[\w\-\[\]]+==[\w.]+(; platform_system == \"Linux\")?", line) for line in lines)
    assert "torch==2.13.0" in (ROOT / "requirements.txt").read_text()
