"""Tuning: the concentration at which one stochastic pass strays from the plain output as far as the plain output errs.

    d0 = || y - f ||,  d = || f_nu - f ||,  nu* = argmin E[(d - d0)^2]

Norms are pooled over all calibration outputs: a norm per sample of a scalar would settle 36% under-dispersed. Everything here is
computed on the calibration part; what is reported as a result is from the test part.
# DIFFERS: the authors search with one pass at each of 40 concentrations; here ten passes (four of maps) with common random numbers are run
at each of the points of a log grid that are nearest the crossing: a smooth curve to look at, and the law is fitted where it holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import nn

from stochattn_core import power_law
from stochattn_core.by_hand import AttentionClass
from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.evaluate import Evaluation, ensemble_of, evaluate, layers_of, network_of
from stochattn_core.metrics import Statistics, scores
from stochattn_core.metrics.dispersion import deviation_by_block
from stochattn_core.metrics.significance import block_counts
from stochattn_core.models.base import Model
from stochattn_core.settings import DatasetPart, Interval, ModelPart, Scores, Setting, SplitPart, TunedSetting
from stochattn_core.verdict import Verdict, judge

GRID = tuple(2**k for k in range(13))
N_NEAR = 7  # grid points that are computed, the nearest to the crossing
N_PASS, N_PASS_OF_MANY = 10, 4  # stochastic passes at each concentration of the grid; of more outputs than MANY each is known well
MANY = 50_000
LEVEL = 0.9  # of the interval on nu*
N_REPLICATE = 1000
OBJECTIVE = "pooled dispersion"


@dataclass(frozen=True, eq=False)
class Tuning:
    """The outcome. grid: (point,) those computed.   deviation: (point, pass) d.   error: d0.   objective: (point,) mean (d - d0)^2.   ratio: (point,)
    spread-skill on the calibration part.   optimum: nu* before it is rounded.   interval: (level, low, high), within the grid.
    law: the fitted power law.   passes: stochastic passes over the calibration part.   before, after: the test part.
    """

    concentration: int
    optimum: float
    interval: tuple[float, float, float]
    grid: np.ndarray
    deviation: np.ndarray
    error: float
    objective: np.ndarray
    ratio: np.ndarray
    law: power_law.PowerLaw
    at_bound: bool
    passes: int
    judged: Verdict
    before: Evaluation = field(repr=False)
    after: Evaluation = field(repr=False)
    setting: TunedSetting = field(repr=False)

    @property
    def verdict(self) -> str:
        return self.judged.word

    @property
    def sentence(self) -> str:
        return self.judged.sentence

    @property
    def slope(self) -> float:
        return self.law.slope


def tune(
    model: Model | nn.Module,
    dataset: Dataset,
    *,
    n_member: int = 49,
    seed: int = 0,
    layers: str = "",
    grid: tuple[int, ...] = GRID,
    n_pass: int | None = None,
    attention_classes: Sequence[AttentionClass] = (),
    device: str = "auto",
    progress: Progress | None = None,
) -> Tuning:
    """Tune the concentration of a model on dataset.calibration, and score it on dataset.test.

    n_member and seed are those of the ensembles that are scored; the search itself takes n_pass passes at each concentration of the grid,
    10 when not given, 4 for the many outputs of maps.
    progress(done, total, what) may raise to stop; what was computed until then is kept and found again.
    Raises ValueError when the parts hold nothing to tune on.
    """
    setting = Setting(n_member=n_member, seed=seed, layers=layers)
    network = network_of(model, dataset, device=device, progress=progress)
    layers = layers_of(model, setting)
    if not bool(dataset.calibration.target.isfinite().any()):
        raise ValueError(f"expected calibration targets in {dataset.name!r}, found none that is a number; give more data")
    if len(set(grid)) < 3:
        raise ValueError(f"expected a grid of at least 3 concentrations, got {tuple(grid)}; leave grid out for powers of 2")
    if n_pass is not None and n_pass < 2:
        raise ValueError(f"expected at least 2 passes at each concentration, got n_pass={n_pass}; leave it out for {N_PASS}")
    n_pass = n_pass or (N_PASS if dataset.calibration.target.numel() <= MANY else N_PASS_OF_MANY)
    n_point = min(len(grid), N_NEAR)

    def passes_at(concentration: int, n_done: int) -> Statistics:
        step = _share(progress, min(n_done, n_point), n_point + 2, f"concentration {concentration}")
        search = Setting(concentration, n_pass, seed)
        return ensemble_of(
            network, dataset, search, part="calibration", layers=layers, attention_classes=attention_classes, progress=step
        ).pooled

    points = _points_about_the_crossing(np.array(sorted(grid)), passes_at, n_point)
    grid, found = np.array(list(points)), _search(np.array(list(points)), list(points.values()), seed)
    best = Setting(found["concentration"], n_member, seed, setting.layers)
    plain = Setting(math.inf, n_member, seed, setting.layers)
    target = model if isinstance(model, Model) else network
    before = evaluate(
        target,
        dataset,
        plain,
        attention_classes=attention_classes,
        device=device,
        progress=_share(progress, n_point, n_point + 2, "plain model"),
    )
    after = evaluate(
        target,
        dataset,
        best,
        attention_classes=attention_classes,
        device=device,
        progress=_share(progress, n_point + 1, n_point + 2, "test part"),
    )
    at_low, at_high = found["optimum"] <= grid[0], found["optimum"] >= grid[-1]
    judged = judge(after.ensemble.pooled, at_low=at_low, at_high=at_high)
    exported = _exported(found, best, before, after, dataset, judged, at_low or at_high)
    return Tuning(
        **found,
        grid=grid,
        at_bound=at_low or at_high,
        passes=len(points) * n_pass,
        judged=judged,
        before=before,
        after=after,
        setting=exported,
    )


def _points_about_the_crossing(grid: np.ndarray, passes_at: Callable[[int, int], Statistics], n_point: int) -> dict[int, Statistics]:
    """The sums at the n_point grid points nearest the crossing of deviation and error, found from the middle outwards; ascending.

    Large concentrations cost most and tell nothing when the crossing is at small ones: they are left out then.
    """
    points: dict[int, Statistics] = {}
    log_grid = np.log(grid)
    crossing = log_grid[len(grid) // 2]
    while True:
        nearest = np.argsort(np.abs(log_grid - crossing), kind="stable")[:n_point]
        missing = [int(grid[i]) for i in nearest if int(grid[i]) not in points]
        if not missing:
            return dict(sorted((concentration, point) for concentration, point in points.items() if concentration in grid[nearest]))
        points[missing[0]] = passes_at(missing[0], len(points))
        crossing = _crossing(points)


def _crossing(points: dict[int, Statistics]) -> float:
    """The logarithm of the concentration where the deviation equals the error, by the points so far; slope -1/2 beyond them."""
    known = np.array(sorted(points))
    member, error = zip(*(_lengths(points[concentration].total()) for concentration in known), strict=True)
    excess = np.log(np.maximum([x.mean() for x in member], 1e-300)) - math.log(max(float(error[0][0]), 1e-300))
    log_known = np.log(known)
    if excess[0] <= 0:
        return float(log_known[0] + 2 * excess[0])
    if excess[-1] >= 0:
        return float(log_known[-1] + 2 * excess[-1])
    return float(np.interp(0.0, -excess, log_known))


def _search(grid: np.ndarray, points: list[Statistics], seed: int) -> dict:
    """nu* with its interval from the sums at every concentration of the grid."""
    deviation, errors = (np.stack(x) for x in zip(*map(_lengths, (point.total() for point in points)), strict=True))
    deviation, error = deviation[:, 0], float(errors[0, 0])
    if not deviation[0].any():
        raise ValueError(
            "expected passes that differ from the plain model, got a spread of exactly zero at every concentration; see the layers sampled"
        )
    law = power_law.fit(grid, deviation, error)
    optimum = float(law.minimiser(error))
    low, high = _interval(grid, points, law, error, seed)
    ratio = np.array([scores(point)["spread_skill_ratio"] for point in points])
    return {
        "concentration": _whole(optimum, low, high, grid, ratio),
        "optimum": optimum,
        "interval": (LEVEL, low, high),
        "deviation": deviation,
        "error": error,
        "objective": np.square(deviation - error).mean(1),
        "ratio": ratio,
        "law": law,
    }


def _whole(optimum: float, low: float, high: float, grid: np.ndarray, ratio: np.ndarray) -> int:
    """The whole number beside nu* at which the spread-skill ratio of the calibration part is nearer one; one in the interval goes first.

    The objective is nearly flat between two neighbours, while at small concentrations the spread is not; and it counts the drift of the
    mean as deviation, so that rounding it alone errs towards too narrow.
    """
    around = np.clip([math.floor(optimum), math.ceil(optimum)], grid[0], grid[-1])
    inside = around[(around >= low) & (around <= high)]
    around = inside if len(inside) else around
    off = np.abs(np.log(np.interp(np.log(around), np.log(grid), np.maximum(ratio, 1e-300))))
    return int(around[np.argmin(off)])


def _lengths(sums: Statistics) -> tuple[np.ndarray, np.ndarray]:
    """d of every pass and d0, for each entry of the leading axis: (entry, pass), (entry,)."""
    found = deviation_by_block(sums)
    return found.member.numpy(), found.error.numpy()


def _interval(grid: np.ndarray, points: list[Statistics], law: power_law.PowerLaw, error: float, seed: int) -> tuple[float, float]:
    """The wider of two: blocks of cases and passes drawn again (a finite calibration part), and the posterior of the law (finite passes)."""
    rng = np.random.default_rng(seed)
    counts = block_counts(points[0], N_REPLICATE, seed)
    lengths = [_lengths(point.resampled(counts)) for point in points]
    deviation = np.stack([member for member, _ in lengths], axis=1)  # (replicate, point, pass)
    n_pass = deviation.shape[2]
    found = []
    for again, error_again in zip(deviation, lengths[0][1], strict=True):
        again = again[:, rng.integers(n_pass, size=n_pass)]
        found.append(power_law.fit(grid, again, float(error_again)).minimiser(float(error_again)))
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    posterior = np.nan_to_num(law.posterior_minimiser(error, seed=seed), nan=float(law.minimiser(error)))
    ends = np.stack([np.quantile(found, tails), np.quantile(posterior, tails)])
    low, high = np.clip([ends[:, 0].min(), ends[:, 1].max()], grid[0], grid[-1])
    return float(low), float(high)


def _exported(
    found: dict, best: Setting, before: Evaluation, after: Evaluation, dataset: Dataset, judged: Verdict, at_bound: bool
) -> TunedSetting:
    level, low, high = found["interval"]
    return TunedSetting(
        concentration=best.concentration,
        interval=Interval(level=level, low=low, high=high),
        objective=OBJECTIVE,
        verdict=judged.word,
        n_member=best.n_member,
        seed=best.seed,
        layers=best.layers,
        model=ModelPart(name=after.model, weights_sha256=after.weights_sha256, attention_calls=dict(after.calls)),
        dataset=DatasetPart(
            name=dataset.name, sha256=dataset.sha256, calibration=_split_part(dataset.calibration), test=_split_part(dataset.test)
        ),
        scores=Scores(before=exported_scores(before), after=exported_scores(after)),
        at_bound=at_bound,
        device=after.device,
    )


def exported_scores(evaluation: Evaluation) -> dict[str, float | int]:
    """The scores that a file carries: those with a name of their own in the exported setting."""
    return {name: value for name, value in evaluation.scores.items() if value == value}


def _split_part(split) -> SplitPart:
    return SplitPart(n_case=len(split), first=str(split.index[0]), last=str(split.index[-1]))


def _share(progress: Progress | None, part: int, n_part: int, what: str) -> Progress | None:
    """Progress of one part of the work as progress of the whole, in thousandths."""
    if progress is None:
        return None
    return lambda done, total, _: progress(int(1000 * (part + done / max(total, 1))), 1000 * n_part, what)
