"""Compile the GPU kernels for a device that need not be present, in a process without Triton's interpreter, which a whole process uses or not."""

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from stochattn_core.sampling import gpu, gpu_kernels


def compiled(capability, dtype="bf16", causal=False, mask=0, tile=gpu.TILE, width=64, run=gpu.RUN):
    """The machine code of both kernels by name: Triton's compiled kernels, whose `asm["cubin"]` it is."""
    rows, keys, warps = tile
    pointers = dict.fromkeys(("query", "key", "value", "out"), f"*{dtype}")
    pointers |= {"mask": "*u8" if mask == 1 else "*fp32", "mask_of_head": "*i64", "uniforms": "*fp64", "keys": "*i64"}
    constants = {"IS_CAUSAL": causal, "MASK": mask, "ROWS": rows, "KEYS": keys, "WIDTH": width, "WIDTH_VALUE": width, "RUN": run}
    constants |= {"query_col": 1, "key_col": 1, "value_col": 1, "mask_col": 1}
    kernels = {}
    for kernel, more in ((gpu_kernels.sort_uniforms, {"ROWS": gpu.SORTED_TOGETHER // run}), (gpu_kernels.sampled_attention, {})):
        fixed = {name: value for name, value in (constants | more).items() if name in kernel.arg_names}
        kinds = {
            name: pointers.get(name, "constexpr" if name in fixed else "fp32" if name == "factor" else "i32") for name in kernel.arg_names
        }
        whole = {"width", "width_value"} | {name for name in kernel.arg_names if name.endswith(("_head", "_row")) and name != "n_row"}
        aligned = {(i,): [["tt.divisibility", 16]] for i, name in enumerate(kernel.arg_names) if name in pointers or name in whole}
        source = ASTSource(kernel, kinds, constexprs=fixed, attrs=aligned)
        kernels[kernel.__name__] = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": warps})
    return kernels
