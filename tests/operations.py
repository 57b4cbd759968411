"""The cost of a computation, independent of the machine: how many torch operations it runs, and how many numbers they return."""

import torch

from stochattn_core.torch_private import TorchDispatchMode, tree_leaves


class Operations(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.n = self.n_number = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        self.n += 1
        self.n_number += sum(x.numel() for x in tree_leaves(output) if isinstance(x, torch.Tensor))
        return output
