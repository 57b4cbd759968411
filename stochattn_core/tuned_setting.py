"""tuned.json: a tuned setting with its interval, verdict, evidence and origin, as a file that is written, read and checked here."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import tempfile
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from stochattn_core import corrections
from stochattn_core.settings import Setting

SCHEMA_VERSION = 3
RENAMED = {"mend": "correction"}  # fields of schemas 1 and 2, by their name in schema 3


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=True, ser_json_inf_nan="null")


class IntervalPart(_Part):
    level: float
    low: float
    high: float
    n_effective: float | None = None


class EvidencePart(_Part):
    """One test of the verdict: an estimate with its interval, and the rule that it was compared with."""

    estimate: float | None
    low: float | None
    high: float | None
    rule: str
    n_effective: float | None = None


class HeldOutPart(_Part):
    """One half of the test part judged with this word, and the other half holds this coverage and ratio."""

    verdict: str
    n_judged: int
    n_case: int
    coverage_90: EvidencePart
    ratio: EvidencePart


class GroupPart(_Part):
    """nu* of one lead time, region or variable. weight: that its own value has; the rest is the weight of the mean of all groups."""

    kind: str
    name: str
    concentration: int = Field(ge=1)
    optimum: float
    own: float
    low: float
    high: float
    weight: float


class ConformalPart(_Part):
    """Conformal intervals on top of the ensemble: [lower - offset, upper + offset]. offset: (level, lead), null where there are too few cases."""

    level: list[float]
    lead_time: list[int]
    offset: list[list[float | None]]


class ModelPart(_Part):
    name: str
    weights_sha256: str
    attention_calls: dict[str, int]


class SplitPart(_Part):
    n_case: int
    first: str
    last: str


class DatasetPart(_Part):
    name: str
    sha256: str
    calibration: SplitPart
    test: SplitPart


class ScoresPart(_Part):
    before: dict[str, float | None]
    after: dict[str, float | None]


class ReferencePart(_Part):
    """The best reference forecast on the test part.

    ratio: RMSE of the tuned ensemble mean over that of the reference, from low to high at this level.   all_rmse: of every reference, by name.
    """

    name: str
    rmse: float
    ratio: float | None
    low: float | None
    high: float | None
    level: float
    n_effective: float | None
    sentence: str
    all_rmse: dict[str, float | None] = Field(default_factory=dict)


class TunedSetting(_Part):
    """A tuned concentration and its origin, saved as JSON. Loaded back on the same device, it gives the same numbers.

    optimum is nu* with its interval, concentration the whole number beside it that is used; the verdict rests on evidence. Files of schema 1
    may lack correction, evidence, groups, conformal, search, passes and sentence; older files lack optimum,
    worst_slice and references, which is None where no reference forecast could be scored.
    """

    schema_version: int = SCHEMA_VERSION
    concentration: int = Field(ge=1)
    optimum: float | None = None
    interval: IntervalPart
    objective: str
    search: str = "grid"
    passes: int | None = None
    verdict: str
    sentence: str = ""
    worst_slice: str = ""
    evidence: dict[str, EvidencePart] = Field(default_factory=dict)
    held_out: list[HeldOutPart] = Field(default_factory=list)
    groups: list[GroupPart] = Field(default_factory=list)
    conformal: ConformalPart | None = None
    n_member: int = Field(ge=2)
    seed: int = Field(ge=0)
    layers: str = ""
    correction: str = ""
    model: ModelPart
    dataset: DatasetPart
    scores: ScoresPart
    references: ReferencePart | None = None
    at_bound: bool
    device: str = "cpu"
    software: dict[str, str] = Field(default_factory=lambda: software_versions())
    created: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @field_validator("correction")
    @classmethod
    def _is_a_correction(cls, text: str) -> str:
        return corrections.parse(text).text if text else ""

    @property
    def setting(self) -> Setting:
        """The setting to evaluate with."""
        return Setting(self.concentration, self.n_member, self.seed, self.layers, self.correction)

    def dumps(self) -> str:
        """The content of the file, JSON."""
        return self.model_dump_json(indent=2) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file in one step: if the disk is full or the program stops, an older file stays as it was."""
        path = Path(path)
        try:
            with tempfile.TemporaryDirectory(prefix=".tuned-", dir=path.parent) as folder:
                fresh = Path(folder) / path.name
                fresh.write_text(self.dumps(), encoding="utf-8")
                os.replace(fresh, path)
        except OSError as error:
            raise ValueError(
                f"expected to write {path}, got: {error.strerror}; give a path in a folder that exists and can be written"
            ) from None

    @classmethod
    def load(cls, source: str | os.PathLike[str] | BinaryIO) -> TunedSetting:
        """Read a file or an upload. ValueError, in one sentence, for anything that is not a whole tuned setting of a known schema."""
        path = Path(source) if isinstance(source, str | os.PathLike) else Path(getattr(source, "name", "the file"))
        name = path.name
        try:
            raw = path.read_bytes() if isinstance(source, str | os.PathLike) else source.read()
        except OSError as error:
            raise ValueError(f"expected a tuned setting in {name}, got: {error.strerror}; check the path") from None
        return cls.loads(raw, name)

    @classmethod
    def loads(cls, text: str | bytes, name: str = "the file") -> TunedSetting:
        """Read the content of a file. name: of the file, for the error."""
        if not text.strip():
            raise ValueError(f"expected a tuned setting, {name} is empty; export it again from the Tune page")
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(
                f"expected a tuned setting in JSON, {name} is not whole or not JSON; export it again from the Tune page"
            ) from None
        if not isinstance(content, dict) or "schema_version" not in content:
            raise ValueError(f"expected a tuned setting, {name} is another JSON file (it has no schema_version); choose a tuned.json")
        if type(content["schema_version"]) is not int or not 1 <= content["schema_version"] <= SCHEMA_VERSION:
            raise ValueError(
                f"expected a tuned setting of schema {SCHEMA_VERSION} or older, {name} has schema {content['schema_version']!r}; update this program"
            )
        content = {RENAMED.get(field, field): value for field, value in content.items()} | {"schema_version": SCHEMA_VERSION}
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(
                f"expected a whole tuned setting, {name} has a problem at {where}: {first['msg']}; export it again from the Tune page"
            ) from None

    def check(self, model_name: str, weights_sha256: str, dataset_sha256: str) -> None:
        """ValueError when this setting was tuned for another model, other weights or other data."""
        if model_name != self.model.name:
            raise ValueError(
                f"this setting was tuned for model {self.model.name!r}, not {model_name!r}; choose that model, or tune this one"
            )
        if weights_sha256 != self.model.weights_sha256:
            raise ValueError(
                f"this setting was tuned for other weights of {model_name!r} (sha256 {self.model.weights_sha256[:12]}, here {weights_sha256[:12]}); tune again"
            )
        if dataset_sha256 != self.dataset.sha256:
            raise ValueError(
                f"this setting was tuned on {self.dataset.name!r}, and the data here are others; load that dataset, or tune on this one"
            )


def software_versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on; a package that is not installed is left out."""
    versions = {"python": platform.python_version()}
    for name in ("torch", "numpy", "transformers"):
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
