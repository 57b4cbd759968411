"""stochattn audit: which attention a model has, how it was recognised, and what would be done with it."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from stochattn_core.commands.base import Answer, Command

if TYPE_CHECKING:
    from torch import nn

    from stochattn_core.checklist import Audit

RETURNS = "(model, inputs), (model, args, kwargs) or (model, {name: input})"
N_CASE = 2  # cases of a dataset that an entry of MODELS is audited with


class Call(NamedTuple):
    """A model, what it is called with, and where they came from, in words."""

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    origin: str


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "function",
        nargs="?",
        metavar="PACKAGE.MODULE:FUNCTION",
        help=f"or FILE.py:FUNCTION: a function or a class that, called without arguments, returns {RETURNS}; a tuple of inputs is positional",
    )
    parser.add_argument("--model", metavar="NAME", help="instead of a function: a model from `list`, with --dataset")
    parser.add_argument("--dataset", metavar="NAME", help="a dataset from `list`, two of whose test cases the model is called with")
    parser.add_argument("--ignore", default="", metavar="GLOB", help="modules that stay plain on purpose, by module name")


def _run(options: argparse.Namespace) -> Answer:
    if bool(options.function) == bool(options.model or options.dataset):
        raise ValueError("expected PACKAGE.MODULE:FUNCTION, or --model NAME with --dataset NAME; give one of the two")
    if not options.function:
        checklist = _audited(_entry(options.model, options.dataset, options.device), options.ignore)
        return Answer(checklist.document(), str(checklist))
    # Whatever the code of the user prints is kept out of the answer; it may import more of its own when the model runs.
    with contextlib.redirect_stdout(sys.stderr), _importable(options.function) as module:
        checklist = _audited(_on_device(_returned(options.function, module, options.seed), options.device), options.ignore)
    return Answer(checklist.document(), str(checklist))


def _entry(model_name: str | None, dataset_name: str | None, device: str) -> Call:
    """Return an entry of MODELS on the first test cases of a dataset."""
    from stochattn_core.datasets import load_dataset
    from stochattn_core.device import resolve_device
    from stochattn_core.evaluate import network_of
    from stochattn_core.models import load_model

    if not (model_name and dataset_name):
        raise ValueError("expected --model NAME and --dataset NAME together, got one of them; see the command list")
    model, dataset = load_model(model_name), load_dataset(dataset_name)
    network = network_of(model, dataset, device=device)
    args, kwargs = dataset.test.arguments(slice(0, N_CASE), resolve_device(device))
    return Call(network, args, kwargs, f"{model_name} on {dataset_name}")


@contextlib.contextmanager
def _importable(target: str) -> Iterator[ModuleType]:
    """Import the module of a target; inside the block, modules beside it and in the working folder can be imported too."""
    place, colon, name = target.rpartition(":")
    if not (place and colon and name):
        raise ValueError(f"expected PACKAGE.MODULE:FUNCTION or FILE.py:FUNCTION, got {target!r}; write a colon before the function")
    path = list(sys.path)
    file = Path(os.path.expanduser(place)) if place.endswith(".py") else None
    sys.path[:0] = [os.getcwd()] if file is None else [str(file.resolve().parent), os.getcwd()]
    try:
        yield _module(place) if file is None else _module_in(file)
    finally:
        sys.path[:] = path


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            raise ValueError(
                f"expected a module {name!r} that can be imported from here, found no {error.name!r}; check the name and the working folder"
            ) from error
        _raise_from(error, f"importing {name}")


def _module_in(file: Path) -> ModuleType:
    """Run a file as the module of its name, which classes made in it ask for by that name."""
    if not file.is_file():
        raise ValueError(f"expected a Python file at {str(file)!r}, found none there; check the path")
    name = file.stem if file.stem not in sys.modules else f"{file.stem} (audited)"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        _raise_from(error, f"running {file}")
    finally:
        sys.modules.pop(name, None)
    return module


def _returned(target: str, module: ModuleType, seed: int) -> Call:
    """Return the model and its inputs that a target stands for. seed: of torch's generators, while the function runs."""
    import torch

    value: Any = module
    for name in target.rpartition(":")[2].split("."):
        if not hasattr(value, name):
            owner = "module" if value is module else "object"
            raise ValueError(f"expected {name!r} in the {owner} {getattr(value, '__name__', value)!r}, found none; check {target!r}")
        value = getattr(value, name)
    if callable(value) and not isinstance(value, torch.nn.Module):
        try:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                value = value()
        except (Exception, SystemExit) as error:
            _raise_from(error, f"calling {target} without arguments")
    return _call(value, target)


def _call(value: Any, target: str) -> Call:
    """Read what a function has returned."""
    from torch import nn

    model, *rest = value if isinstance(value, tuple) and value else (value,)
    if not isinstance(model, nn.Module):
        came = "an empty tuple" if value == () else type(model).__name__
        raise ValueError(f"expected {target} to return {RETURNS} with a torch.nn.Module as model, got {came}")
    if not rest:
        raise ValueError(f"{target} returns a {type(model).__name__} alone: expected its inputs too; return {RETURNS}")
    if len(rest) > 2 or (len(rest) == 2 and not isinstance(rest[1], Mapping)):
        kinds = ", ".join(type(x).__name__ for x in value)
        raise ValueError(f"expected {target} to return {RETURNS}, got ({kinds}); put several inputs in a tuple")
    named: Mapping[str, Any] = rest[1] if len(rest) == 2 else {}
    if len(rest) == 1 and isinstance(rest[0], Mapping):
        return Call(model, (), rest[0], target)
    return Call(model, rest[0] if isinstance(rest[0], tuple) else (rest[0],), named, target)


def _on_device(call: Call, device: str) -> Call:
    """Return the call on a device that was asked for; auto leaves the model where the function has put it."""
    if device == "auto":
        return call
    from torch import Tensor

    from stochattn_core.arguments import changed
    from stochattn_core.device import resolve_device

    place = resolve_device(device)
    args, kwargs = changed((call.args, call.kwargs), lambda x: Tensor.to(x, place))
    return Call(call.model.to(place), args, kwargs, call.origin)


def _audited(call: Call, ignore: str) -> Audit:
    """Return the audit of a call. Raises ValueError where the model itself fails with these inputs."""
    from stochattn_core.audit import audit
    from stochattn_core.plain_forecast import plain_output

    try:
        return audit(call.model, *call.args, ignore=ignore, model_kwargs=call.kwargs)
    except ValueError:
        raise
    except Exception:
        try:
            plain_output(call.model, call.args, call.kwargs)
        except Exception as error:
            _raise_from(error, f"calling the {type(call.model).__name__} of {call.origin} with its inputs")
        raise


def _raise_from(error: BaseException, doing: str) -> NoReturn:
    raise ValueError(f"{doing} fails with {type(error).__name__}: {error}; correct it first") from error


AUDIT = Command("audit", "Which attention a model has, how it is recognised, and what is sampled, plain or refused.", _add_options, _run)
