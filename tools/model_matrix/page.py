"""The results of the matrix in benchmarks/results/models.json, and the page docs/models.md made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import record
from tools.model_matrix.models import MODELS, NOT_INSTALLED

NAME = "models"  # benchmarks/results/models.json
PAGE = Path(__file__).parent.parent.parent / "docs" / "models.md"
HEAD = (
    "model",
    "package",
    "recognised by",
    "calls: answered / counted",
    "off - plain",
    "spread at nu = 16",
    "exponent",
    "folds",
    "verdict",
)


def read() -> dict[str, dict[str, Any]]:
    """Return the rows that were measured last; none before the first time."""
    return record.read(NAME)["rows"] if (record.FOLDER / f"{NAME}.json").exists() else {}


def write(rows: dict[str, dict[str, Any]]) -> None:
    """Write the results and docs/models.md; rows are in the order of MODELS, and those of models that are gone are left out."""
    record.record(NAME, packages=("transformers",), rows={name: rows[name] for name in MODELS if name in rows})
    PAGE.write_text(page(read()))


def page(rows: dict[str, dict[str, Any]]) -> str:
    """Return docs/models.md for these rows."""
    n_right = sum(row["verdict"] == "right" for row in rows.values())
    n_refused = sum(row["verdict"] == "right" and "refused" in row for row in rows.values())
    derivations = [f"- **{name}**: {_derivation(name)}." for name in rows]
    missing = [f"- {what}: {why}" for what, why in NOT_INSTALLED.items()]
    return "\n".join(
        [
            "# Models",
            "",
            "<!-- made by python -m tools.model_matrix; do not edit -->",
            "",
            f"{len(rows)} configurations of real models with random weights, and no class named: {n_right - n_refused} are sampled and right, "
            f"{n_refused} are rightly refused by name, where the list below says why, and {len(rows) - n_right} are wrong. "
            "`python -m tools.model_matrix` measures them again; `tools/model_matrix/requirements.txt` names the packages that it needs "
            "beside those of the app. Each number follows from `benchmarks/results/models.json`.",
            "",
            "- *calls*: attention calls that were answered in one pass, and those that an independent count of the plain pass found.",
            "- *off - plain*: largest difference between a pass with exact rows in every answered call and the plain pass, over the largest "
            "value of the plain pass.",
            "- *spread at nu = 16*: standard deviation over 24 members, over the standard deviation of the plain output.",
            "- *exponent*: slope of log spread over log nu for nu = 16, 64, 256. The law says -0.5 where the model is nearly linear in the noise. "
            "Where it is not, the number in brackets is the exponent for nu = 256, 1024, 4096.",
            "- *folds*: largest difference between 8 members computed in folds of 1, 3 and 8, over the largest value of the plain pass. "
            "A number of forecasts (member, case) after it is of those in which rounding moved a probability across a random number, so that one draw "
            "went to another key.",
            "",
            record.table(HEAD, [_cells(name, row) for name, row in rows.items()]),
            "",
            "## Where the numbers of calls come from",
            "",
            *derivations,
            "",
            "## Not measured",
            "",
            *missing,
            "",
        ]
    )


def _derivation(name: str) -> str:
    entry = MODELS[name]
    text = f"{entry.n_call}: {entry.because}"
    if entry.n_other:
        text += f"; {entry.n_other} further softmaxes are not attention: {entry.other}"
    if entry.attention_modules:
        text += f"; counted as calls of {', '.join(entry.attention_modules)}"
    text += f"; to be refused, because {entry.refused}" if entry.refused else ""
    text += f"; its spread may fall as nu^-1/4, because {entry.jumps}" if entry.jumps else ""
    return text + (f"; a refusal is right too, because {entry.refusable}" if entry.refusable else "")


def _cells(name: str, row: dict[str, Any]) -> tuple[str, ...]:
    further = row.get("further")
    verdict = row["verdict"] + (f" (refused: {row['refused'].split(':')[0]})" if row["verdict"] == "right" and "refused" in row else "")
    if further:
        verdict += f"; {further['n_right']} of {further['n']} further passes right"
    notes = [text for flag, text in (("one_by_one", "one member at a time"), ("own_randomness", "random by itself")) if row.get(flag)]
    return (
        name,
        f"{row['package']} {row['version']}",
        row.get("recognised") or row.get("way") or "",
        f"{row.get('answered', '-')} / {row.get('counted', '-')}",
        _number(row.get("off"), ".0e"),
        _number(row.get("spread"), ".2g"),
        _number(row.get("exponent"), ".2f") + (f" ({row['exponent_of_little_noise']:.2f})" if row.get("exponent_of_little_noise") else ""),
        _folds(row),
        "; ".join([_one_line(verdict), *notes]),
    )


def _folds(row: dict[str, Any]) -> str:
    apart = f"; {row['apart']:.0e} in {row['n_apart']} of {row['n_forecast']}" if row.get("n_apart") else ""
    return _number(row.get("folds"), ".0e") + apart


def _one_line(text: str) -> str:
    text = " ".join(text.split()).replace("|", "/")
    return text if len(text) < 160 else text[:157] + "..."


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
