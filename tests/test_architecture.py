"""The plan of the house holds: which way imports run, that departures are listed, that what is written is run."""

import ast
import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = sorted((ROOT / "stochattn_core").rglob("*.py"))
PAGES = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]
# What each part of the core may import of the core: nothing that stands above it.
ALLOWED = {
    "compiled": {"compiled"},
    "sampling": {"sampling", "compiled", "layout", "torch_private"},
    "metrics": {"metrics", "compiled"},
    "datasets": {"datasets"},
    "readers": {"readers", "datasets"},
    "models": {"models", "datasets", "store", "device", "torch_private"},
    "baselines": {"baselines", "metrics"},
    "figures": {"figures", "metrics"},
    "draw": {"sampling"},
    "torch_private": set(),
    "layout": {"torch_private"},
    "attention_call": {"layout"},
    "attention": {"attention_call", "draw", "layout", "sampling"},
}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("path", CORE, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_the_core_imports_no_page_and_nothing_above_itself(path):
    part = path.relative_to(ROOT / "stochattn_core").parts[0].removesuffix(".py")
    for name in imports_of(path):
        assert name.split(".")[0] not in ("streamlit", "pages", "app"), f"{path.name} imports {name}"
        if name.startswith("stochattn_core.") and part in ALLOWED:
            assert name.split(".")[1] in ALLOWED[part], f"{path.name} imports {name}"


def test_imports_run_as_the_readme_says():
    chain = re.search(r"`(\w+(?: → \w+)+)`", (ROOT / "README.md").read_text())[1].split(" → ")
    known = {part: set() for part in chain}
    for path in CORE:
        part = path.relative_to(ROOT / "stochattn_core").parts[0].removesuffix(".py")
        if part in known:
            known[part] |= {name.split(".")[1] for name in imports_of(path) if name.startswith("stochattn_core.")}
    for place, part in enumerate(chain):
        assert set(chain[place + 1 : place + 2]) <= known[part] and not known[part] & set(chain[:place]), part


def test_pages_cache_in_one_file_and_touch_session_and_url_in_one():
    used = {
        path.relative_to(ROOT).as_posix(): {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        for path in PAGES
    }
    assert [name for name, names in used.items() if names & {"cache_data", "cache_resource"}] == ["pages/ui/cached.py"]
    assert [name for name, names in used.items() if names & {"session_state", "query_params"}] == ["pages/ui/state.py"]


def test_the_readme_lists_every_departure_from_the_paper():
    tagged = sorted(path.relative_to(ROOT).as_posix() for path in CORE if "# DIFFERS:" in path.read_text())
    listed = sorted(set(re.findall(r"`(stochattn_core/[\w/]+\.py)`: DIFFERS", (ROOT / "README.md").read_text())))
    assert tagged == listed and tagged


@pytest.mark.parametrize("path", [p for p in CORE if ">>>" in p.read_text()], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_example_in_a_docstring_runs(path):
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert doctest.testmod(module).failed == 0


def test_requirements_are_pinned_and_torch_is_the_build_we_name():
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith(("#", "-r"))]
        assert all(re.fullmatch(r"[\w\-\[\]]+==[\w.]+(; platform_system == \"Linux\")?", line) for line in lines)
    assert "torch==2.13.0" in (ROOT / "requirements.txt").read_text()
