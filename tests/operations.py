"""What a computation costs whatever machine it runs on: how many operations of torch it takes, and how many numbers they make."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Operations(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.n = self.n_number = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        self.n += 1
        self.n_number += sum(x.numel() for x in tree_leaves(made) if isinstance(x, torch.Tensor))
        return made
