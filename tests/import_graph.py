"""The graph of imports inside stochattn_core, and its circles: `python -m tests.import_graph` prints them.

Every import statement counts, also those inside functions and under TYPE_CHECKING. The import of a module runs the __init__ files above it;
these do not count, since an __init__ would otherwise depend on every module that it gathers.
"""

import ast
from collections.abc import Container, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = "stochattn_core"


def imports_by_module() -> dict[str, set[str]]:
    """The modules of the package that each module imports, by dotted name; a package stands for its __init__."""
    files = {_module_name(path): path for path in sorted((ROOT / PACKAGE).rglob("*.py"))}
    return {name: set(_imported(path, files.keys())) - {name} for name, path in files.items()}


def imports_by_part(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same graph between the parts of the package: its folders, and the files beside them."""
    parts: dict[str, set[str]] = {}
    for name, imported in graph.items():
        if name != PACKAGE:
            parts.setdefault(_part(name), set()).update(
                _part(other) for other in imported if other != PACKAGE and _part(other) != _part(name)
            )
    return parts


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The sets of two or more nodes that reach one another (strongly connected components), by Tarjan's algorithm."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    components: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in order:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], order[other])
        if lowest[node] == order[node]:
            place = stack.index(node)
            if len(stack) - place > 1:
                components.append(sorted(stack[place:]))
            del stack[place:]

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return components


def _module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _part(name: str) -> str:
    return name.split(".")[1]


def _imported(path: Path, known: Container[str]) -> Iterator[str]:
    """The modules of the package that a file names in its import statements."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module


if __name__ == "__main__":
    modules = imports_by_module()
    for title, graph in (("modules", modules), ("parts", imports_by_part(modules))):
        components = circles(graph)
        print(f"{len(components)} circles among {len(graph)} {title}")
        for circle in components:
            print("  " + ", ".join(circle))
