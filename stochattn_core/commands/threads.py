"""How many cores a program takes. For the two programs, the app and the command line, and not for the library."""

from __future__ import annotations

import os

import torch


def use_half_the_cores() -> None:
    """Let torch use half of the cores, unless OMP_NUM_THREADS says how many.

    Sampling is many small operations: on all cores, next to a browser or another program, they wait for one another and run three times
    slower. Both programs call this function, so both give the same bits.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
