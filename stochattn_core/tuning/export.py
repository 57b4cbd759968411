"""The file that a user takes away, from what was found and what it is worth."""

from __future__ import annotations

import math
from collections.abc import Iterable

from stochattn_core.datasets.base import Dataset
from stochattn_core.evaluate import Evaluation
from stochattn_core.settings import DatasetPart, EvidencePart, GroupPart, Interval, ModelPart, Scores, Setting, SplitPart, TunedSetting
from stochattn_core.tuning.found import Found
from stochattn_core.tuning.groups import Group
from stochattn_core.tuning.verdict import Verdict


def exported(found: Found, best: Setting, before: Evaluation, after: Evaluation, dataset: Dataset, judged: Verdict) -> TunedSetting:
    level, low, high = found.interval
    return TunedSetting(
        concentration=best.concentration,
        interval=Interval(level=level, low=low, high=high),
        intervals={name: Interval(level=level, low=low, high=high) for name, (low, high) in found.intervals.items()},
        objective=found.objective,
        search="thompson" if found.thompson else "grid",
        passes=found.passes,
        verdict=judged.word,
        sentence=judged.sentence,
        evidence={
            name: EvidencePart(**{key: _number(value) for key, value in one._asdict().items()}) for name, one in judged.evidence.items()
        },
        n_member=best.n_member,
        seed=best.seed,
        layers=best.layers,
        correction=best.correction,
        model=ModelPart(name=after.model, weights_sha256=after.weights_sha256, attention_calls=dict(after.calls)),
        dataset=DatasetPart(
            name=dataset.name, sha256=dataset.sha256, calibration=_split_part(dataset.calibration), test=_split_part(dataset.test)
        ),
        scores=Scores(before=_scores(before), after=_scores(after)),
        at_bound=found.at_bound,
        device=after.device,
    )


def with_groups(setting: TunedSetting, groups: Iterable[Group]) -> TunedSetting:
    """The same file with nu* by group in it."""
    return setting.model_copy(update={"groups": [GroupPart.model_validate(vars(one)) for one in groups]})


def _scores(evaluation: Evaluation) -> dict[str, float | int]:
    """The scores that a file carries: those that are numbers."""
    return {name: value for name, value in evaluation.scores.items() if math.isfinite(value)}


def _split_part(split) -> SplitPart:
    return SplitPart(n_case=len(split), first=str(split.index[0]), last=str(split.index[-1]))


def _number(value):
    return None if value != value else value
