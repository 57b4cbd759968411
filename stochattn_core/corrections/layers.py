"""A group of layers: only some of the attention layers are sampled. Few groups are tried, so that the best of them is not best by chance."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from stochattn_core.answering_mode import sampled_by
from stochattn_core.corrections.base import Correction, Fitted, Workbench


def layer_groups(entropy: Mapping[str, float], current: str = "*") -> dict[str, str]:
    """The pattern of each group for Setting.layers, by the title of the group. The group that is sampled now is left out, and no group comes twice.

    entropy: mean row entropy by name of the attention layer, in the order of the pass (`audit`). Blocks are the layers whose names differ
    only in a number. Rows of high entropy carry the most noise.

    >>> layer_groups({"lift": 0.9, "blocks.0.attn": 0.5, "blocks.1.attn": 0.7})
    {'blocks only': 'blocks.*.attn', 'last half of the blocks': 'blocks.1.attn'}
    """
    names = list(entropy)
    form, _ = Counter(map(_form, names)).most_common(1)[0]
    blocks = [name for name in names if _form(name) == form]
    last = blocks[len(blocks) // 2 :] if len(blocks) > 1 else []
    diffuse = sorted(blocks, key=lambda name: -entropy[name])[: len(blocks) // 2]
    groups = {
        "all layers": names,
        "blocks only": blocks,
        "last half of the blocks": last,
        "blocks of highest entropy": [name for name in blocks if name in diffuse],
    }
    patterns, known = {}, [set(_matching(current, names))]
    for title, group in groups.items():
        if group and set(group) not in known:
            known.append(set(group))
            patterns[title] = _pattern(group, names)
    return patterns


def _form(name: str) -> str:
    return re.sub(r"\d+", "*", name)


def _pattern(group: Sequence[str], names: Sequence[str]) -> str:
    """The shortest pattern that matches the group and no other layer."""
    short = next((text for text in ("*", _form(group[0])) if _matching(text, names) == list(group)), None)
    return short or ",".join(group)


def _matching(pattern: str, names: Sequence[str]) -> list[str]:
    return list(filter(sampled_by(pattern), names))


def variants(workbench: Workbench) -> Mapping[str, str]:
    """The title of each group, by its pattern."""
    return {pattern: title for title, pattern in layer_groups(workbench.entropy(), workbench.layers).items()}


def fit(workbench: Workbench, variant: str) -> Fitted:
    """The concentration that a search with these layers finds."""
    searched = workbench.search(layers=variant)
    return Fitted(searched.whole, searched.passes, layers=variant)


CORRECTION = Correction(
    key="layers",
    title="Group of layers",
    description="Only a group of the attention layers is sampled; the others stay plain.",
    cost="one search of the concentration for each group",
    source="this project",
    fit=fit,
    variants=variants,
)
