"""The tuned setting that is exported: a search result, its verdict and its scores, in the form of tuned.json."""

from __future__ import annotations

import math
from collections.abc import Iterable

from stochattn_core.datasets.base import Dataset, Split
from stochattn_core.evaluate import Evaluation
from stochattn_core.tuned_setting import (
    DatasetPart,
    EvidencePart,
    GroupPart,
    IntervalPart,
    ModelPart,
    ReferencePart,
    ScoresPart,
    SplitPart,
    TunedSetting,
)
from stochattn_core.tuning.groups import Group
from stochattn_core.tuning.search_result import SearchResult
from stochattn_core.verdict import Verdict


def tuned_setting_of(result: SearchResult, before: Evaluation, after: Evaluation, dataset: Dataset, judged: Verdict) -> TunedSetting:
    """The tuned setting with everything it depends on.

    before, after: of the test part, with the plain model and with the setting that is exported.   judged: the verdict on `after`.
    """
    setting, (level, low, high) = after.setting, result.interval
    evidence = {
        name: EvidencePart(
            estimate=_number(test.estimate),
            low=_number(test.low),
            high=_number(test.high),
            rule=test.rule,
            n_effective=_number(test.n_effective),
        )
        for name, test in judged.evidence.items()
    }
    return TunedSetting(
        concentration=int(setting.concentration),
        optimum=_number(result.optimum),
        interval=IntervalPart(level=level, low=low, high=high, n_effective=_number(result.n_effective)),
        objective=result.objective,
        search="thompson" if result.thompson else "grid",
        passes=result.passes,
        verdict=judged.word,
        sentence=judged.sentence,
        worst_slice=judged.worst,
        evidence=evidence,
        n_member=setting.n_member,
        seed=setting.seed,
        layers=setting.layers,
        correction=setting.correction,
        model=ModelPart(name=after.model, weights_sha256=after.weights_sha256, attention_calls=dict(after.calls)),
        dataset=DatasetPart(
            name=dataset.name, sha256=dataset.sha256, calibration=_split_part(dataset.calibration), test=_split_part(dataset.test)
        ),
        scores=ScoresPart(before=_scores(before), after=_scores(after)),
        references=_reference_part(after),
        at_bound=result.at_bound,
        device=after.device,
    )


def with_groups(setting: TunedSetting, groups: Iterable[Group]) -> TunedSetting:
    """The same tuned setting with nu* by group in it."""
    return setting.model_copy(update={"groups": [GroupPart.model_validate(vars(group)) for group in groups]})


def _scores(evaluation: Evaluation) -> dict[str, float | None]:
    """The scores that a file carries: those that are numbers."""
    return {name: value for name, value in evaluation.scores.items() if math.isfinite(value)}


def _reference_part(evaluation: Evaluation) -> ReferencePart | None:
    best = evaluation.best_reference
    if best is None:
        return None
    ratio, low, high, n_effective = (_number(value) for value in best.mean)
    all_rmse = {name: _number(value) for name, value in evaluation.references.items()}
    return ReferencePart(
        name=best.name,
        rmse=best.rmse,
        ratio=ratio,
        low=low,
        high=high,
        level=best.level,
        n_effective=n_effective,
        sentence=best.sentence,
        all_rmse=all_rmse,
    )


def _split_part(split: Split) -> SplitPart:
    return SplitPart(n_case=len(split), first=str(split.index[0]), last=str(split.index[-1]))


def _number(value: float) -> float | None:
    """None for NaN and infinity, which JSON does not have."""
    return value if math.isfinite(value) else None
