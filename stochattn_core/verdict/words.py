"""The words of a verdict, the grade of each, and the next step that it asks for."""

from __future__ import annotations

from stochattn_core.metrics.scores import Grade

CALIBRATED = "calibrated"
NEARLY = "nearly calibrated"
FEW = "too few independent cases"
ON_AVERAGE = "calibrated on average, but not everywhere"
NARROW = "too narrow"
WIDE = "too wide"
BIASED = "biased"
SHAPE = "wrong shape"
MISPLACED = "spread in the wrong places"
UNREACHED = "no ν reaches the spread"
OVER = "too wide at every ν"
DRIFTED = "spread reached only with a drifted mean"

GRADES: dict[str, Grade] = {CALIBRATED: "good", NEARLY: "doubtful", FEW: "doubtful"}  # every other word is "bad"
COMPARE = "compare the corrections"
NEXT = {
    CALIBRATED: "use this setting on cases like these",
    NEARLY: "use it with this margin in mind, or judge it on more cases",
    FEW: "add test cases, or read the intervals and decide yourself",
    ON_AVERAGE: "do not trust the spread there",
    NARROW: f"tune again if this ν was not tuned on these data, or {COMPARE}",
    WIDE: f"tune again if this ν was not tuned on these data, or {COMPARE}",
    BIASED: "no spread corrects a bias: train the model further, or subtract the bias of the calibration part",
    SHAPE: f"do not rely on the tails: {COMPARE}",
    MISPLACED: f"do not trust the spread of a single case: {COMPARE}",
    UNREACHED: COMPARE,
    OVER: COMPARE,
    DRIFTED: COMPARE,
}
WORDS = tuple(NEXT)
