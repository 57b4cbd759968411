"""The forecast is found in any output where only one field can be it, and is picked by the user elsewhere."""

import dataclasses
from collections import namedtuple

import pytest
import torch
from torch import nn

from stochattn_core import sample_ensemble
from stochattn_core.outputs import folded_dim, forecast_in, unfolded
from stochattn_core.plain_forecast import plain_forecast

N_CASE = 3
FORECAST, OTHER = torch.zeros(N_CASE, 2), torch.zeros(N_CASE, 4)
Pair = namedtuple("Pair", "mean rest")


@dataclasses.dataclass
class Fields:
    mean: object
    rest: object = None


class Attributes:
    def __init__(self, mean):
        self.mean = mean


class Returning(nn.Module):
    """A layer of attention whose output is put into something else."""

    def __init__(self, put):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.put = put

    def forward(self, x):
        return self.put(self.layer(x))


def draw(put, n_case=N_CASE, **options):
    x = torch.randn(n_case, 5, 16, generator=torch.Generator().manual_seed(1))
    return sample_ensemble(Returning(put).eval(), x, concentration=4, n_member=4, **options)


@pytest.mark.parametrize(
    "output",
    (
        FORECAST,
        [FORECAST],
        (FORECAST, None),
        (torch.tensor(1.0), FORECAST),  # a loss before it, as transformers' models return with return_dict=False
        (FORECAST, torch.zeros(N_CASE, dtype=torch.long), [OTHER]),
        {"y": FORECAST, "attentions": (OTHER,)},
        {"loss": torch.zeros(N_CASE), "y": FORECAST},
        {"y": FORECAST, "weights": torch.zeros(7)},
        Pair(FORECAST, 5),
        Fields(FORECAST),
        Attributes(FORECAST),
    ),
)
def test_the_only_field_with_cases_is_the_forecast(output):
    assert forecast_in(output, None, N_CASE) is FORECAST


@pytest.mark.parametrize("output", ([FORECAST, OTHER], {"a": FORECAST, "b": OTHER}, Fields(FORECAST, OTHER), Pair(FORECAST, OTHER)))
def test_several_possible_fields_are_listed_with_their_shapes(output):
    with pytest.raises(ValueError, match=r"float32 \(3, 2\).*float32 \(3, 4\), and several fields of it can be the forecast; pass pick="):
        forecast_in(output, None, N_CASE)


@pytest.mark.parametrize(
    "output", (None, {}, "text", {"loss": torch.tensor(1.0)}, ([FORECAST],), {"ids": torch.zeros(3, dtype=torch.long)})
)
def test_an_output_without_a_possible_field_is_refused(output):
    with pytest.raises(ValueError, match="no field of it can be the forecast; pass pick="):
        forecast_in(output, None, N_CASE)


@pytest.mark.parametrize(
    ("output", "pick"),
    (
        ({"a": OTHER, "b": FORECAST}, "b"),
        ({"a": OTHER, "b": FORECAST}, 1),
        ({"a": OTHER, 0: FORECAST}, 0),
        ([OTHER, FORECAST], -1),
        (Pair(OTHER, FORECAST), "rest"),
        (Pair(OTHER, FORECAST), 1),
        (Fields(OTHER, FORECAST), "rest"),
        (Attributes(FORECAST), "mean"),
        ((OTHER, [FORECAST]), lambda output: output[1][0]),
        ({"loss": FORECAST}, "loss"),
    ),
)
def test_a_field_is_picked_by_key_attribute_index_or_function(output, pick):
    assert forecast_in(output, pick, N_CASE) is FORECAST


@pytest.mark.parametrize(
    ("pick", "message"),
    (
        ("c", r"pick='c' names no field of the output, which is dict with 'a': float32 \(3, 2\), 'b': list of 1"),
        (2, "pick=2 names no field"),
        ("b", "expected pick='b' to give a tensor, got list"),
    ),
)
def test_a_pick_that_gives_no_tensor_is_refused_with_the_fields(pick, message):
    with pytest.raises(ValueError, match=message):
        forecast_in({"a": FORECAST, "b": [OTHER]}, pick, N_CASE)


def test_the_well_known_fields_of_transformers_come_in_their_order():
    outputs = pytest.importorskip("transformers.modeling_outputs", exc_type=ImportError)
    hidden = outputs.BaseModelOutputWithPooling(last_hidden_state=FORECAST, pooler_output=OTHER)
    scores = outputs.Seq2SeqLMOutput(loss=torch.tensor(1.0), logits=FORECAST, encoder_last_hidden_state=OTHER)
    assert forecast_in(hidden, None, N_CASE) is FORECAST and forecast_in(scores, None, N_CASE) is FORECAST
    assert forecast_in(hidden, "pooler_output", N_CASE) is OTHER


def hugging_face_forecasters():
    """Models with the inputs and the field that their own documentation calls the prediction."""
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    patch = {"num_input_channels": 2, "context_length": 16, "patch_length": 4, "patch_stride": 4, "d_model": 16, "num_attention_heads": 2}
    patch |= {"num_hidden_layers": 1, "ffn_dim": 32}
    config = transformers.PatchTSTConfig(prediction_length=4, **patch)
    yield transformers.PatchTSTForPrediction(config), {"past_values": torch.randn(3, 16, 2)}, "prediction_outputs"
    config = transformers.PatchTSTConfig(num_targets=1, **patch)
    yield transformers.PatchTSTForRegression(config), {"past_values": torch.randn(3, 16, 2)}, "regression_outputs"
    config = transformers.TimesFm2_5Config(
        patch_length=4, context_length=16, horizon_length=8, head_dim=8, num_key_value_heads=2, output_quantile_len=8, **sizes
    )
    yield transformers.TimesFm2_5ModelForPrediction(config), {"past_values": torch.randn(3, 16)}, "mean_predictions"
    config = transformers.BertConfig(vocab_size=20, num_labels=1, **sizes)
    ids = torch.randint(0, 20, (3, 6))
    yield transformers.BertForSequenceClassification(config), {"input_ids": ids, "labels": torch.zeros(3)}, "logits"
    yield transformers.BertModel(config), {"input_ids": ids}, "last_hidden_state"


def test_a_hugging_face_model_needs_no_pick():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        models = list(hugging_face_forecasters())
    for model, inputs, name in models:
        with torch.no_grad():
            plain = model.eval()(**inputs)[name]
        members = sample_ensemble(model, concentration=4, n_member=2, **inputs)
        assert members.shape == (2, *plain.shape) and torch.equal(
            members, sample_ensemble(model, concentration=4, n_member=2, pick=name, **inputs)
        )
        assert torch.allclose(plain_forecast(model, **inputs), plain, atol=1e-6)


@pytest.mark.parametrize("put", (lambda y: {"y": y, "n": 5}, lambda y: (y, None), lambda y: Fields(y), lambda y: [y]))
def test_members_do_not_depend_on_what_the_forecast_lies_in(put):
    assert torch.equal(draw(put), draw(lambda y: y))


@pytest.mark.parametrize("reduce", (lambda y: y.square().mean(), lambda y: y.square().mean((0, 1))))
@pytest.mark.parametrize("put", (lambda y: y, lambda y: {"y": y, "loss": y + 1}))
def test_outputs_without_an_axis_of_cases_are_those_of_members_run_alone(reduce, put, recwarn):
    wanted = torch.stack([reduce(member) for member in draw(lambda y: y)])
    assert torch.allclose(draw(lambda y: put(reduce(y))), wanted, rtol=1e-5) and not recwarn.list


def test_the_members_are_found_along_whatever_dim_of_the_output_holds_them(recwarn):
    members = draw(lambda y: y)
    assert torch.equal(draw(lambda y: y.movedim(0, 2)), members.movedim(1, 3))
    assert torch.equal(draw(lambda y: y.flatten(0, 1)), members.flatten(1, 2)) and not recwarn.list


def test_a_dim_is_that_of_the_members_if_only_it_grows_by_their_number():
    assert folded_dim(torch.zeros(2, 12), torch.zeros(2, 4), 3) == 1
    assert folded_dim(torch.zeros(6, 12), torch.zeros(2, 4), 3) is None
    assert folded_dim(torch.zeros(2, 8), torch.zeros(2, 4), 3) is None
    assert folded_dim(torch.zeros(2), torch.zeros(2, 1), 3) is None
    assert unfolded(torch.arange(12).view(2, 6), 3, 1).tolist() == [[[0, 1], [6, 7]], [[2, 3], [8, 9]], [[4, 5], [10, 11]]]
