"""The tuned setting that is exported: a search result, its verdict and its scores, in the form of tuned.json."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from stochattn_core.datasets.base import Dataset, Split
from stochattn_core.evaluate import Evaluation
from stochattn_core.metrics.scores import Evidence
from stochattn_core.metrics.significance import Estimate
from stochattn_core.tuned_setting import (
    DatasetPart,
    EvidencePart,
    GroupPart,
    HeldOutPart,
    IntervalPart,
    ModelPart,
    ReferencePart,
    ScoresPart,
    SplitPart,
    TunedSetting,
)
from stochattn_core.tuning.groups import Group
from stochattn_core.tuning.held_out import HeldOut
from stochattn_core.tuning.search_result import SearchResult
from stochattn_core.verdict import Verdict


def tuned_setting_of(
    result: SearchResult,
    before: Evaluation,
    after: Evaluation,
    dataset: Dataset,
    judged: Verdict,
    halves: Sequence[HeldOut] = (),
) -> TunedSetting:
    """The tuned setting with everything it depends on.

    before, after: of the test part, with the plain model and with the setting that is exported.   judged: the verdict on `after`.
    halves: what one half of the test part reports of the verdict of the other.
    """
    setting, (level, low, high) = after.setting, result.interval
    evidence = {name: _evidence_part(test, test.rule) for name, test in judged.evidence.items()}
    held_out = [
        HeldOutPart(
            verdict=half.word,
            n_judged=half.n_judged,
            n_case=half.n_case,
            coverage_90=_evidence_part(half.coverage, judged.evidence["coverage_90"].rule),
            ratio=_evidence_part(half.ratio, judged.evidence["ratio"].rule),
        )
        for half in halves
    ]
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
        held_out=held_out,
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


def _evidence_part(found: Evidence | Estimate, rule: str) -> EvidencePart:
    numbers = (_number(value) for value in (found.estimate, found.low, found.high, found.n_effective))
    return EvidencePart(**dict(zip(("estimate", "low", "high", "n_effective"), numbers, strict=True)), rule=rule)


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
