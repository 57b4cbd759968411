"""Which module of a model is running: read from the frames of the call, so that nothing is hooked to the model."""

from __future__ import annotations

import functools
import inspect
import sys
import weakref
from types import CodeType, FrameType

from torch import nn


class RunningModule:
    """Names the innermost module of a model that is running in this thread."""

    def __init__(self, model: nn.Module):
        self.model = weakref.ref(model)
        self.codes = frozenset().union(*map(_codes_of, set(map(type, model.modules()))))
        self.names = {id(module): without_wrappers(name) for name, module in model.named_modules()}

    def name(self) -> str | None:
        """Return the name of the innermost module, "" for the model itself and None outside of it; a nn.Softmax counts as its owner."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            name = self._name_in(frame)
            if name is not None:
                return name
            frame = frame.f_back
        return None

    def failed_in(self, error: BaseException) -> str:
        """Return the name of the innermost module in which an error was raised."""
        found, trace = "", error.__traceback__
        while trace is not None:
            found = self._name_in(trace.tb_frame) or found
            trace = trace.tb_next
        return found

    def _name_in(self, frame: FrameType) -> str | None:
        """Return the name of the module that this frame is a method of."""
        code = frame.f_code
        if code in self.codes and code.co_argcount:  # asking any frame for its variables would keep them alive
            owner = frame.f_locals.get(code.co_varnames[0])
            if isinstance(owner, nn.Module) and id(owner) in self.names and not isinstance(owner, nn.Softmax):
                return self.names[id(owner)]
        return None


def without_wrappers(name: str) -> str:
    """Return the name that a module has where torch.compile has wrapped nothing."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")


def is_under_checkpoint() -> bool:
    """Is the calling code run by torch.utils.checkpoint?"""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "checkpoint" and frame.f_code.co_filename.endswith("checkpoint.py"):
            return True
        frame = frame.f_back
    return False


@functools.cache
def _codes_of(cls: type) -> frozenset[CodeType]:
    """Return the code of all methods of a module's class, and of the call that every module goes through."""
    methods = [method for base in cls.__mro__ if base not in (nn.Module, object) for method in vars(base).values()]
    functions = [inspect.unwrap(method) for method in methods if inspect.isfunction(method)]
    functions += [method for method in methods if inspect.isfunction(method)]
    return frozenset(function.__code__ for function in functions if inspect.isfunction(function)) | {nn.Module._call_impl.__code__}
