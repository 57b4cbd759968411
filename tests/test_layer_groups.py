"""Groups of attention layers: what they match, and how layers are named."""

import fnmatch

import numpy as np
import pytest

from stochattn_core import Setting, evaluate
from stochattn_core.corrections.layers import layer_groups


@pytest.mark.parametrize(
    ("names", "current"),
    (
        (["lift", *(f"blocks.{i}.attn" for i in range(12))], "*"),
        (["var_agg", *(f"net.blocks.{i}.attn" for i in range(4))], "*blocks*"),
        (["a", "b"], "*"),
        (["attention"], "*"),
    ),
)
def test_groups_match_what_they_say_differ_and_are_not_what_is_sampled_now(names, current):
    entropy = {name: (7 * i % 5) / 5 for i, name in enumerate(names)}
    groups = layer_groups(entropy, current)

    def matching(pattern):
        return {name for name in names if any(fnmatch.fnmatchcase(name, part) for part in pattern.split(","))}

    sets = [matching(pattern) for pattern in groups.values()]
    assert all(sets) and matching(current) not in sets and all(sets.count(group) == 1 for group in sets)
    blocks = [name for name in names if "blocks" in name]
    if blocks:
        assert matching(groups["last half of the blocks"]) == set(blocks[len(blocks) // 2 :])
        diffuse = matching(groups["blocks of highest entropy"])
        assert min(entropy[name] for name in diffuse) >= max(entropy[name] for name in set(blocks) - diffuse)
    assert ("all layers" in groups) == (current != "*")


def test_layers_may_be_several_patterns(model, diabetes):
    names = list(evaluate(model, diabetes, Setting(4, 3)).calls)
    both, single, whole = (
        evaluate(model, diabetes, Setting(4, 3, layers=text)).ensemble.members for text in (", ".join(names), names[1], "*")
    )
    assert np.array_equal(both, whole) and not np.array_equal(single, whole)


def test_a_comma_in_brackets_is_a_part_of_its_pattern(model, diabetes):
    name = list(evaluate(model, diabetes, Setting(4, 3)).calls)[1]
    bracketed = f"{name[:-1]}[{name[-1]},?]"
    first, second = (evaluate(model, diabetes, Setting(4, 3, layers=text)).ensemble.members for text in (name, bracketed))
    assert np.array_equal(first, second)
    assert "all layers" not in layer_groups({"ab": 0.5, "ac": 0.7}, "a[b,c]")
