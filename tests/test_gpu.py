"""The GPU kernels against the eager sampler: on a CUDA device if there is one, else through Triton's interpreter on the CPU.

test_gpu_compile.py compiles them for devices that need not be present.
"""

import math
import os

import numpy as np
import pytest
import torch
from beartype import beartype
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import TypeCheckError, jaxtyped
from scipy import stats

from stochattn_core import attention
from stochattn_core.draw import Draw
from stochattn_core.sampling import eager, gpu, stream

pytest.importorskip("triton", reason="Triton is not installed; it is in requirements-dev.txt, for Linux")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
TINY = {torch.float32: 1e-6, torch.float16: 1e-3, torch.bfloat16: 8e-3}  # one rounding of an output of size 1
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # from the interpreter's NumPy, where a GPU warns of nothing


@pytest.fixture(autouse=True)
def interpreter(monkeypatch):
    """Correct Triton's interpreter, which multiplies bfloat16 as integers, and speed up its sort and reduction, which go element by element."""
    if DEVICE.type == "cuda":
        return
    import triton.language as tl
    from triton.runtime import interpreter

    from stochattn_core.sampling import gpu_kernels

    assert os.environ.get("TRITON_INTERPRET") == "1"  # set in conftest.py, before anything imports Triton
    product, reduction = interpreter.InterpreterBuilder.create_dot, interpreter.ReduceOps.apply_impl

    def create_dot(self, a, b, *rest):
        a, b = (self.create_fp_ext(x, tl.float32) if x.dtype == tl.bfloat16 else x for x in (a, b))
        return product(self, a, b, *rest)

    def apply_impl(self, input):
        whole = {tl.standard._xor_combine: np.bitwise_xor.reduce, gpu_kernels._larger: np.max}.get(self.combine_fn)
        if whole is None:
            return reduction(self, input)
        return self.to_tensor(whole(input[0].handle.data, axis=self.axis, keepdims=self.keep_dims), input[0].dtype)

    monkeypatch.setattr(interpreter.InterpreterBuilder, "create_dot", create_dot)
    monkeypatch.setattr(interpreter.ReduceOps, "apply_impl", apply_impl)


def tensors(*shapes, seed=0, dtype=torch.float32, size=1.5):
    generator = torch.Generator().manual_seed(seed)
    return [(size * torch.randn(shape, generator=generator)).to(DEVICE, dtype) for shape in shapes]


def row_keys(n_head, n_row, seed=0):
    return stream.row_keys(seed, (0,), 0, 0, n_head * n_row, DEVICE).view(n_head, n_row)


def counts(query, key, concentration, **options):
    """The counts of every key that the kernel draws, (head, row, key)."""
    value = torch.eye(key.shape[1], device=DEVICE, dtype=query.dtype).expand(len(key), -1, -1)
    drawn = gpu.attend(query, key, value, row_keys(*query.shape[:2]), concentration, query.shape[-1] ** -0.5, **options)
    return drawn.double() * concentration


def expected_counts(query, key, concentration, allowed=None):
    scores = torch.bmm(query.double(), key.double().mT) * query.shape[-1] ** -0.5
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -math.inf)
    mass = torch.exp(scores - scores.amax(-1, keepdim=True).clamp_min(-1e30)).view(-1, key.shape[1])
    return eager.sample_counts(mass, row_keys(*query.shape[:2]).view(-1), concentration).view(scores.shape)


def moved(drawn, expected):
    return float((drawn - expected).abs().sum()) / 2


@pytest.mark.parametrize("concentration", (1, 3, 16, 64, 200))
@pytest.mark.parametrize("is_causal", (False, True))
def test_the_draws_are_those_of_the_eager_sampler(concentration, is_causal):
    query, key = tensors((1, 70, 16), (1, 96, 16))
    allowed = torch.ones(70, 96, device=DEVICE, dtype=torch.bool).tril() if is_causal else None
    drawn = counts(query, key, concentration, is_causal=is_causal)
    assert moved(drawn.round(), expected_counts(query, key, concentration, allowed)) <= 1
    assert (drawn - drawn.round()).abs().max() < 1e-4
    assert torch.equal(drawn.round().sum(-1), torch.full((1, 70), float(concentration), device=DEVICE).double())


@pytest.mark.parametrize("n_row", (1, 15, 16, 17, 64, 70))
@pytest.mark.parametrize("n_key", (1, 31, 33))
def test_sizes_that_fill_no_tile_are_cut_where_they_end(n_row, n_key):
    query, key, value = tensors((2, n_row, 5), (2, n_key, 5), (2, n_key, 3))
    drawn = counts(query, key, 7)
    assert moved(drawn.round(), expected_counts(query, key, 7)) <= 1
    out = gpu.attend(query, key, value, row_keys(2, n_row), 7, 5**-0.5)
    assert out.shape == (2, n_row, 3)
    assert torch.allclose(out, torch.bmm(drawn.float().round() / 7, value), atol=1e-5)


@pytest.mark.parametrize("dtype", gpu.DTYPES)
def test_half_precision_draws_from_the_law_of_its_own_inputs(dtype):
    query, key, value = tensors((2, 33, 32), (2, 50, 32), (2, 50, 32), dtype=dtype)
    expected = expected_counts(query, key, 16)
    assert moved(counts(query, key, 16).round(), expected) <= 1
    out = gpu.attend(query, key, value, row_keys(2, 33), 16, 32**-0.5)
    assert out.dtype == dtype
    wanted = torch.bmm(expected.float() / 16, value.float())
    rows = (out.float() - wanted).abs().amax(-1) > TINY[dtype] * (1 + wanted.abs().amax(-1))
    assert rows.sum() <= 1  # a moved draw changes one row


def test_grouped_queries_read_the_keys_of_their_group():
    query, key, value = tensors((6, 20, 16), (2, 40, 16), (2, 40, 16))
    out = gpu.attend(query, key, value, row_keys(6, 20), 5, 0.25, n_head_per_key=3)
    spread = [x.repeat_interleave(3, 0) for x in (key, value)]
    assert torch.equal(out, gpu.attend(query, *spread, row_keys(6, 20), 5, 0.25))


def test_strided_tensors_need_no_copy():
    query, key, value = (x.transpose(0, 1) for x in tensors((20, 4, 16), (40, 4, 16), (40, 4, 16)))
    out = gpu.attend(query, key, value, row_keys(4, 20), 9, 0.25)
    assert torch.equal(out, gpu.attend(*(x.contiguous() for x in (query, key, value)), row_keys(4, 20), 9, 0.25))


@pytest.mark.parametrize("shape", ((2, 2, 24, 40), (2, 1, 24, 40), (1, 2, 1, 40), (24, 1)))
def test_a_mask_of_any_shape_acts_as_in_the_eager_sampler(shape):
    query, key = tensors((4, 24, 16), (4, 40, 16))
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(1)).to(DEVICE) < 0.6
    allowed = mask.expand(2, 2, 24, 40)
    drawn = counts(query, key, 9, mask=allowed).round()
    whole = allowed.reshape(4, 24, 40)
    assert not drawn[~whole].any()
    assert moved(drawn, expected_counts(query, key, 9, whole)) <= 1
    added = torch.zeros(shape, device=DEVICE).masked_fill(~mask, -math.inf).expand(2, 2, 24, 40)
    assert torch.equal(counts(query, key, 9, mask=added).round(), drawn)


def test_a_float_mask_is_added_to_the_scores():
    query, key, bias = tensors((2, 24, 16), (2, 40, 16), (2, 24, 40))
    scores = torch.bmm(query.double(), key.double().mT) / 4 + bias.double()
    expected = eager.sample_counts(scores.softmax(-1).view(-1, 40), row_keys(2, 24).view(-1), 30).view(2, 24, 40)
    assert moved(counts(query, key, 30, mask=bias).round(), expected) <= 1


@pytest.mark.parametrize("concentration", (1, 20))
def test_a_row_with_every_key_masked_gives_zeros_and_a_row_with_nan_or_infinity_gives_nan(concentration):
    query, key, value = tensors((1, 5, 16), (1, 40, 16), (1, 40, 16))
    mask = torch.ones(5, 40, dtype=torch.bool, device=DEVICE)
    mask[1] = False
    added = torch.zeros(5, 40, device=DEVICE).masked_fill(~mask, -math.inf)
    added[3, 7] = math.inf
    query[0, 2] = math.nan
    for kind in (mask, added):
        out = gpu.attend(query, key, value, row_keys(1, 5), concentration, 0.25, mask=kind)[0]
        assert out[0].isfinite().all() and not out[1].any() and out[2].isnan().all() and out[4].isfinite().all()
    assert out[3].isnan().all()


def test_no_masked_key_is_drawn_whatever_the_scores():
    query, key = tensors((2, 64, 8), (2, 70, 8), size=12)
    mask = torch.rand(2, 64, 70, generator=torch.Generator().manual_seed(2)).to(DEVICE) < 0.3
    mask[..., -1] = False
    mask[..., 0] = True
    drawn = counts(query, key, 40, mask=mask).round()
    assert not drawn[~mask].any()
    assert (drawn.sum(-1) == 40).all()


def test_the_edges_of_a_block_are_drawn_in_proportion():
    """Chi-square of all draws, with keys on both sides of the edges of blocks and a block of small keys after a large one."""
    logits = torch.zeros(96)
    logits[[0, 31, 32, 63, 64, 95]] = torch.tensor([3.0, 2.0, 4.0, 1.0, 2.5, 3.5])
    logits[33:60] = -6.0
    query, key = torch.ones(1, 800, 1, device=DEVICE), logits.to(DEVICE)[None, :, None]
    drawn = counts(query, key, 20).sum((0, 1)).cpu()
    expected = torch.softmax(logits.double(), 0) * drawn.sum()
    observed = torch.cat([drawn[expected >= 5], drawn[expected < 5].sum()[None]])
    expected = torch.cat([expected[expected >= 5], expected[expected < 5].sum()[None]])
    assert stats.chisquare(observed.numpy(), expected.numpy(), sum_check=False).pvalue > 1e-3


def test_every_outcome_of_the_multinomial_is_as_frequent_as_it_should_be():
    """Chi-square of the joint counts of three keys in rows of seven draws."""
    p, nu = torch.tensor([0.5, 0.3, 0.2]), 7
    query, key = torch.ones(1, 3000, 1, device=DEVICE), p.log().to(DEVICE)[None, :, None]
    drawn = counts(query, key, nu).round().long()[0].cpu()
    assert (drawn.sum(-1) == nu).all()
    outcomes = [(i, j, nu - i - j) for i in range(nu + 1) for j in range(nu + 1 - i)]
    expected = stats.multinomial(nu, p.double().numpy() / float(p.double().sum())).pmf(outcomes) * len(drawn)
    observed = np.array([int((drawn == torch.tensor(outcome)).all(-1).sum()) for outcome in outcomes])
    observed, expected = ([*x[expected >= 5], x[expected < 5].sum()] for x in (observed, expected))
    assert 1e-3 < stats.chisquare(observed, expected, sum_check=False).pvalue < 0.999


def test_keys_far_below_the_resolution_of_float32_keep_their_share():
    """Two thousand keys of 1e-9 each, in the block of a large key and in those behind it, are drawn as often as by the reference."""
    n_key, tiny = 2048, 1e-9
    p = torch.full((n_key,), tiny, dtype=torch.float64)
    p[0] = 1.0
    query, key = torch.ones(1, 1, 1, device=DEVICE), p.log().float().to(DEVICE)[None, :, None]
    # Among a million rows, those whose number falls behind the large key.
    keys = stream.row_keys(0, (0,), 0, 0, 1_000_000, torch.device("cpu"))[0]
    first = stream.uniforms(stream.purpose_keys(keys, stream.DRAW), 1)[:, 0]
    chosen = keys[first * p.sum() > 1][:12]
    assert len(chosen) >= 2
    value = torch.arange(n_key, device=DEVICE, dtype=torch.float32)[None, :, None]
    query = query.expand(1, len(chosen), 1)
    out = gpu.attend(query, key, value, chosen.to(DEVICE)[None], 1, 1.0)[0, :, 0].cpu()
    expected = eager.search(p.expand(len(chosen), -1).contiguous(), chosen, 1)[:, 0]
    # Scores of log(1e-9) = -20.7 in float32 shift every share by at most 1e-6 of itself: 2e-3 of a key over 2048 keys.
    assert (out - expected).abs().max() <= 1 and (out > 0).all()


def test_heads_in_parts_and_draws_in_runs_change_nothing(monkeypatch):
    query, key, value = tensors((3, 12, 16), (3, 40, 16), (3, 40, 16))
    whole = gpu.attend(query, key, value, row_keys(3, 12), 40, 0.25)
    monkeypatch.setattr(gpu, "DRAWS_AT_ONCE", 12 * 40)
    monkeypatch.setattr(gpu, "RUN", 16)
    assert torch.allclose(gpu.attend(query, key, value, row_keys(3, 12), 40, 0.25), whole, atol=1e-6)


def test_attention_uses_the_kernel_where_it_can_answer_and_only_there(monkeypatch):
    query, key, value = tensors((2, 4, 24, 16), (2, 2, 40, 16), (2, 2, 40, 8))
    draw = Draw(6, members=(3, 8), seed=5, call=2)
    mask = torch.rand(2, 1, 24, 40, generator=torch.Generator().manual_seed(1)).to(DEVICE) < 0.7
    cases = ({}, {"is_causal": True}, {"attn_mask": mask}, {"scale": 0.4})
    plain = [attention.attend(query, key, value, draw, enable_gqa=True, **options) for options in cases]
    asked = []
    kernel = gpu.attend
    monkeypatch.setattr(gpu, "usable", lambda *tensors: True)
    monkeypatch.setattr(gpu, "attend", lambda *args, **options: asked.append(1) or kernel(*args, **options))
    for options, expected in zip(cases, plain, strict=True):
        out = attention.attend(query, key, value, draw, enable_gqa=True, **options)
        assert out.stride() == expected.stride()
        assert ((out - expected).abs().amax(-1) > 1e-5).sum() <= 1
    assert len(asked) == len(cases)
    attention.attend(query, key, value, draw, enable_gqa=True, dropout_p=0.1)
    attention.attend(query, key, value, draw, enable_gqa=True, observe=lambda rows: None)
    assert len(asked) == len(cases)


def test_the_shapes_of_the_signature_hold_and_a_wrong_one_is_refused():
    query, key, value = tensors((2, 5, 16), (2, 7, 16), (2, 7, 4))
    attend = jaxtyped(typechecker=beartype)(gpu.attend)
    assert attend(query, key, value, row_keys(2, 5), 3, 0.25).shape == (2, 5, 4)
    for wrong in (
        (query, key, value, row_keys(2, 4)),
        (query, key[:, :6], value, row_keys(2, 5)),
        (query[..., :8], key, value, row_keys(2, 5)),
    ):
        with pytest.raises((TypeCheckError, BeartypeCallHintViolation)):
            attend(*wrong, 3, 0.25)


@pytest.mark.parametrize(("dtype", "tile"), ((torch.bfloat16, gpu.TILE), (torch.float16, gpu.SMALL_TILE)))
def test_the_check_that_runs_on_a_new_device_finds_no_difference(dtype, tile):
    assert gpu.moved_draws(DEVICE, dtype, tile) < 1e-4
