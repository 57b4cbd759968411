"""The audit lists every place where a model makes attention, with numbers that agree with the rows themselves."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stochattn_core import NoAttentionError, UnansweredAttentionError, attention, audit
from tests.zoo import ZOO, ByHand, Picked, make, normal, seeded


class Parts(nn.Module):
    """Calls its parts one after another."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x):
        for part in self.children():
            x = part(x)
        return x


class Heads(nn.Module):
    """Attention of 4 heads; attend is given queries, keys and values (case, head, token, feature)."""

    def __init__(self, attend):
        super().__init__()
        self.project, self.attend = nn.Linear(16, 48), attend

    def forward(self, x):
        return (
            self.attend(*(part.unflatten(-1, (4, 4)).transpose(1, 2) for part in self.project(x).chunk(3, -1))).transpose(1, 2).flatten(2)
        )

    def rows(self, x):
        query, key, _ = (part.unflatten(-1, (4, 4)).transpose(1, 2) for part in self.project(x).detach().chunk(3, -1))
        return torch.softmax(query @ key.mT / 2, -1)


def by_hand(query, key, value):
    return torch.softmax(query @ key.mT / 2, -1) @ value


def by_hand_without_an_axis_of_heads(query, key, value):
    return by_hand(*(x.flatten(0, 1) for x in (query, key, value))).unflatten(0, (-1, 4))


def with_keys_before_heads(query, key, value):
    rows = torch.softmax((query @ key.mT / 2).permute(0, 2, 3, 1), 2)  # (case, row, key, head)
    return torch.einsum("bijh,bhjd->bhid", rows, value)


WAYS = {
    "torch's function": (F.scaled_dot_product_attention, 4),
    "by hand": (by_hand, 4),
    "no axis of heads": (by_hand_without_an_axis_of_heads, None),
    "keys before heads": (with_keys_before_heads, None),
}


@pytest.mark.parametrize("chunk", (1 << 18, 40))
@pytest.mark.parametrize("name", WAYS)
def test_the_numbers_of_a_module_are_those_of_its_rows(name, chunk, monkeypatch):
    monkeypatch.setitem(attention.CHUNK, "cpu", chunk)
    attend, n_head = WAYS[name]
    model, x = seeded(Heads, attend), normal(3, 7, 16)
    rows = model.rows(x).double()
    (line,) = audit(model, x).document()["modules"]
    assert {key: line[key] for key in ("module", "class", "state", "calls", "heads", "rows", "keys")} == {
        "module": "", "class": "tests.test_audit.Heads", "state": "answered", "calls": 1, "heads": n_head, "rows": 3 * 4 * 7, "keys": 7,
    }  # fmt: skip
    assert line["entropy"] == pytest.approx(float(-(rows * rows.log()).sum(-1).mean()) / math.log(7), rel=1e-5)
    assert line["first_key"] == pytest.approx(float(rows[..., 0].mean()), rel=1e-5)


def test_places_are_listed_in_the_order_of_the_modules():
    model = seeded(Parts, first=Heads(by_hand), second=Heads(F.scaled_dot_product_attention), third=Heads(by_hand))
    checklist = audit(model, normal(3, 7, 16))
    assert [line["module"] for line in checklist.document()["modules"]] == ["first", "second", "third"]


def test_grouped_queries_count_as_heads():
    def grouped(query, key, value):
        return F.scaled_dot_product_attention(query, key[:, :2], value[:, :2], enable_gqa=True)

    (line,) = audit(seeded(Heads, grouped), normal(3, 7, 16)).document()["modules"]
    assert (line["heads"], line["rows"]) == (4, 3 * 4 * 7)


def test_calls_of_one_module_are_added_up():
    class Thrice(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Heads(by_hand)

        def forward(self, x):
            return self.inner(self.inner(x)) + F.pad(self.inner(x[:, :5]), (0, 0, 0, 2))

    checklist = audit(seeded(Thrice), normal(2, 7, 16))
    (line,) = checklist.document()["modules"]
    assert (line["calls"], line["rows"], line["keys"], line["heads"]) == (3, 2 * 4 * (7 + 7 + 5), 7, 4)
    assert dict(checklist.calls) == {"inner": 3}


class Sink(nn.Module):
    """Attention whose first key has a share of each row; the other keys have equal shares."""

    def __init__(self, share):
        super().__init__()
        self.share, self.value = share, nn.Linear(16, 16)

    def forward(self, x):
        n_key = x.shape[1]
        scores = 0 * (x @ x.mT)
        scores[..., 0] += math.log(self.share / (1 - self.share) * (n_key - 1))
        return scores.softmax(-1) @ self.value(x)


def test_a_first_key_that_takes_most_of_the_attention_is_told():
    model = seeded(Parts, sink=Sink(0.999), ordinary=Heads(by_hand), some=Sink(0.4))
    checklist = audit(model, normal(2, 9, 16))
    assert checklist.sinks == ("sink",) == tuple(checklist.document()["sinks"])
    assert checklist.first_key["sink"] == pytest.approx(0.999, abs=1e-5) and checklist.first_key["some"] == pytest.approx(0.4, abs=1e-5)
    entropy = -(0.999 * math.log(0.999) + 0.001 * math.log(0.001 / 8)) / math.log(9)
    assert checklist.entropy["sink"] == pytest.approx(entropy, abs=1e-5)
    assert "more than half of the attention is on the first key, where draws change little, in sink\n" in f"{checklist}\n"


def test_a_causal_mask_alone_makes_no_sink():
    model = Picked(nn.Identity(), lambda _, x: F.scaled_dot_product_attention(0 * x, x, x, is_causal=True))
    for n_key in (2, 4, 9, 30):
        checklist = audit(model, normal(2, 2, n_key, 8))
        assert checklist.first_key[""] == pytest.approx(sum(1 / n for n in range(1, n_key + 1)) / n_key, rel=1e-5)
        assert checklist.sinks == ()


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(16, 16)

    def forward(self, x):
        return x * self.score(x).softmax(-1)


class Clamped(ByHand):
    def forward(self, x):
        query, key, value = self.project(x).chunk(3, -1)
        return torch.softmax(query @ key.mT, -1).clamp(min=0.3) @ value


class Talking(Heads):
    """Heads whose rows are mixed before they meet values."""

    def __init__(self):
        super().__init__(None)
        self.mix = nn.Conv2d(4, 4, 1, bias=False)
        self.attend = lambda query, key, value: self.mix(torch.softmax(query @ key.mT, -1)) @ value


def mixed_model():
    return seeded(Parts, answered=Heads(by_hand), talking=Talking(), gate=Gate(), clamped=Clamped())


def states(checklist):
    return {line["module"]: line["state"] for line in checklist.document()["modules"]}


def test_each_place_is_listed_with_what_is_done_there():
    checklist = audit(mixed_model(), normal(2, 5, 16))
    assert states(checklist) == {
        "answered": "answerable", "talking": "answerable, changed on the way", "gate": "left alone", "clamped": "refused",
    }  # fmt: skip
    assert checklist.calls == {} and math.isnan(checklist.relative_error)
    (refused,) = checklist.refused
    assert (refused.module, refused.cls) == ("clamped", "tests.test_audit.Clamped") and "clamp" in refused.how


def test_a_refused_place_that_is_ignored_lets_the_others_be_answered():
    for ignore in ("clamped", lambda name: name == "clamped"):
        checklist = audit(mixed_model(), normal(2, 5, 16), ignore=ignore)
        assert states(checklist) == {
            "answered": "answered", "talking": "answered, changed on the way", "gate": "left alone", "clamped": "plain, ignored",
        }  # fmt: skip
        assert checklist.calls == {"answered": 1, "talking": 1} and checklist.ignored == {"clamped": 1} and not checklist.refused
        assert checklist.relative_error < 1e-5


def test_the_document_is_json_without_numbers_that_json_does_not_have():
    for ignore in ("", "clamped"):
        document = audit(mixed_model(), normal(2, 5, 16), ignore=ignore).document()
        assert json.loads(json.dumps(document, allow_nan=False)) == document
        assert document["attention_calls"] == (2 if ignore else 0) and (document["relative_error"] is None) is (not ignore)
        assert all(line["recognised_by"] and line["class"] for line in document["modules"])


@pytest.mark.parametrize("name", ZOO)
def test_the_checklist_has_one_line_for_each_place_and_a_summary(name):
    model, inputs = make(name)
    checklist = audit(model, *inputs)
    table, _, summary = str(checklist).partition("\n\n")
    head, *lines = table.splitlines()
    places = checklist.document()["modules"]
    assert [line.split()[0] for line in lines] == [place["module"] or "(root)" for place in places]
    assert len({(place["module"], place["state"]) for place in places}) == len(places)
    assert all(line[head.index("state") :].startswith(place["state"]) for line, place in zip(lines, places, strict=True))
    assert summary.startswith(f"{ZOO[name][1]} attention call") and f" {len(checklist.calls)} module" in summary


def test_the_summary_names_what_is_ignored_left_and_refused():
    text = str(audit(mixed_model(), normal(2, 5, 16)))
    assert "nothing was answered in this pass of Parts" in text and "1 place left alone" in text
    assert text.endswith("or keep it plain with ignore='clamped'")
    text = str(audit(mixed_model(), normal(2, 5, 16), ignore="clamped"))
    assert "2 attention calls in 2 modules answered" in text and "kept plain by ignore: clamped" in text and "refused" not in text


@pytest.mark.filterwarnings("ignore:.*random numbers of its own")
def test_random_operations_of_the_model_are_listed():
    model = Picked(Heads(by_hand), lambda inner, x: inner(x) + torch.empty_like(x).normal_()).eval()
    checklist = audit(model, normal(2, 5, 16))
    assert checklist.random == ("aten::normal_ in (root)",)
    assert checklist.document()["random_operations"] == list(checklist.random) and checklist.random[0] in str(checklist)
    assert audit(seeded(Heads, by_hand), normal(2, 5, 16)).random == ()


def test_arguments_are_those_that_an_ensemble_takes():
    model = seeded(Heads, by_hand)
    expected = audit(model, normal(2, 5, 16))
    for arguments in ((normal(2, 5, 16).double(),), (normal(2, 5, 16).numpy().astype(np.float64),)):
        assert audit(model, *arguments).entropy == pytest.approx(expected.entropy)
    assert audit(model, model_kwargs={"x": normal(2, 5, 16)}).calls == expected.calls
    with pytest.raises(ValueError, match="got x in model_kwargs and by name too"):
        audit(model, x=normal(2, 5, 16), model_kwargs={"x": normal(2, 5, 16)})
    with pytest.raises(ValueError, match="expected at least one input tensor"):
        audit(model)


def test_a_model_without_attention_and_one_that_rounds_too_much_are_errors():
    with pytest.raises(NoAttentionError, match="no attention was met in Linear"):
        audit(nn.Linear(3, 1), torch.zeros(2, 3))
    model, inputs = make("TimesFM 2.5")
    with pytest.raises(UnansweredAttentionError, match=r"relative difference .* at most 1e-12 expected"):
        audit(model, *inputs, tolerance=1e-12)
