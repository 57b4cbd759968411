"""What cannot be found out is asked for in one sentence, and the option that it names settles it."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd
import pytest

from pages.ui.csv_choices import in_words_of_the_page
from stochattn_core.commands.case import choices_of
from stochattn_core.commands.program import _parser, _with_negative_values
from stochattn_core.readers import series_from_csv, table_from_csv
from stochattn_core.readers.text.choices import CsvChoices
from stochattn_core.readers.text.series import read_series
from stochattn_core.readers.text.table import read_table

N = 240
VALUES = (10 + np.sin(np.arange(N) * np.pi / 6) + 0.1 * np.random.default_rng(0).normal(size=N)).round(2)
MONTHS = pd.date_range("1990-01-01", periods=N, freq="MS")


def upload(content: str) -> io.BytesIO:
    file = io.BytesIO(content.encode())
    file.name = "mine.csv"
    return file


def series(fields, times=None, head="date,v") -> str:
    times = MONTHS.strftime("%Y-%m-%d") if times is None else times
    return "\n".join([head, *(f"{time},{field}" for time, field in zip(times, fields, strict=True))]) + "\n"


SQUARES = np.random.default_rng(0).permutation([f"{a:02d}/{b:02d}/2020" for a in range(1, 13) for b in range(1, 13)])
STATIONS = "date,station,v\n" + "".join(
    f"{time:%Y-%m-%d},{name},{value}\n" for time, value in zip(MONTHS, VALUES, strict=True) for name in "AB"
)
KEYS = "date,place,sex,v\n" + "".join(
    f"{time:%Y-%m-%d},{place},{sex},{value}\n" for time, value in zip(MONTHS, VALUES, strict=True) for place in ("FR", "IT") for sex in "fm"
)
CLOCKS = "date,clock,v\n" + "".join(
    f"{time:%Y-%m-%d},{time:%H:%M},{value}\n" for time, value in zip(pd.date_range("2020-01-01", periods=N, freq="h"), VALUES, strict=True)
)
WIDE = "country,code," + ",".join(str(year) for year in range(1940, 2020)) + "\n"
WIDE += "".join(
    f"{name},{code}," + ",".join(f"{x:.2f}" for x in VALUES[i : i + 80]) + "\n"
    for i, (name, code) in enumerate([("Peru", "a"), ("Peru", "b")])
)

# A file that is refused, its time and target, and what the refusal says.
ASKED = {
    "thousands or decimals": (series([f'"{value:.3f}"'.replace(".", ",") for value in VALUES]), "date", "v", "may be either"),
    "points beside tabs": (series([f"{v:.3f}" for v in VALUES]).replace(",", "\t"), "date", "v", "may be either"),
    "a code of letters": (series(["M" if i % 20 == 3 else v for i, v in enumerate(VALUES)]), "date", "v", "got 'M' in line 5 and 11 more"),
    "two series": (STATIONS, "date", "v", "holds 2 in its column 'station'"),
    "four series": (KEYS, "date", "v", "2 in its column 'place' .* and 2 in its column 'sex'"),
    "a date and a clock": (CLOCKS, "date", "v", "writes its times in several columns"),
    "rows of one name": (WIDE, "header", "Peru", "got 2 that differ in 'code'"),
}


@pytest.mark.parametrize("kind", ASKED)
def test_the_option_that_a_refusal_names_settles_it(kind):
    content, time, target, message = ASKED[kind]
    with pytest.raises(ValueError, match=message) as refusal:
        series_from_csv(upload(content), time, target)
    assert "\n" not in str(refusal.value) and str(refusal.value).startswith("expected ") and "; " in str(refusal.value)
    options = options_in(str(refusal.value))
    assert options
    time = options.pop("time", time)
    found = read_series(upload(content), time, target, choices=choices(options))
    assert np.isfinite(found.values).sum() >= 60


def test_dates_that_can_be_read_in_two_ways_are_asked_for():
    """All days of the first twelve of each month, in a table in any order: neither reading is in order or more even."""
    content = "date,a,y\n" + "".join(f"{date},{value},{2 * value}\n" for date, value in zip(SQUARES, VALUES[:144], strict=True))
    with pytest.raises(ValueError, match=r"read in one way.*give --dayfirst yes or --dayfirst no"):
        read_table(upload(content), "y")
    for day_first in (True, False):
        times = read_table(upload(content), "y", choices=CsvChoices(dayfirst=day_first)).time
        assert times.is_monotonic_increasing and times.nunique() == 144


def options_in(sentence: str) -> dict[str, list[str]]:
    """The options that a sentence tells the user to give; of alternatives, the first."""
    advice = sentence.rpartition("; ")[2] if "--" in sentence.rpartition("; ")[2] else sentence
    options: dict[str, list[str]] = {}
    for name, quoted, bare in re.findall(r"--([a-z]+) (?:\"([^\"]*)\"|(\S+))", advice.split(" or --")[0]):
        options.setdefault(name, []).append(quoted or bare)
    return {name: values if name == "series" else values[0] for name, values in options.items()}


def choices(options) -> CsvChoices:
    """The choices that the command line makes of these options."""
    words = [
        word
        for name, given in options.items()
        for value in (given if isinstance(given, list) else [given])
        for word in (f"--{name}", value)
    ]
    return choices_of(_parser().parse_args(_with_negative_values(["look", "mine.csv", *words])))


# A note on something recognised, and the choice with which the other reading is taken.
CHANGED = {
    "a code": (series(np.where(np.arange(N) % 20 == 3, -99, VALUES)), CsvChoices(missing=("none",)), lambda found: found.values.min() == -99),
    "a far number": (series(np.where(np.arange(N) % 20 == 3, 0, VALUES)), CsvChoices(missing=("0",)), lambda found: np.isnan(found.values).sum() == 12),
    "a code that may be a value": (
        series(np.where(np.arange(N) % 20 == 3, 99, np.round(35 + 34 * np.sin(np.arange(N) * np.pi / 6)))),
        CsvChoices(missing=("99",)),
        lambda found: np.isnan(found.values).sum() == 12,
    ),
    "the order": (
        series(VALUES, MONTHS.strftime("%d/%m/%Y")), CsvChoices(dayfirst=False), lambda found: found.axis.times[1] == pd.Timestamp("1990-01-02")
    ),
    "the decimal mark": (series([f"{v:.3f}" for v in VALUES]), CsvChoices(thousands="."), lambda found: found.values.min() > 8000),
    "summer time": (
        series(VALUES, pd.date_range("2021-03-24", periods=N, freq="h", tz="Europe/Berlin").strftime("%Y-%m-%d %H:%M")),
        CsvChoices(timezone="UTC"),
        lambda found: np.isnan(found.values).sum() == 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHANGED)
def test_the_choice_that_a_note_names_changes_what_was_recognised(kind):
    content, changed, is_so = CHANGED[kind]
    found = read_series(upload(content), "date", "v")
    assert not is_so(found)
    option = next(iter(changed.given()))
    assert any(f"--{option}" in note for note in found.notes)
    assert is_so(read_series(upload(content), "date", "v", choices=changed))


def test_a_table_with_times_is_split_in_time_and_at_random_on_demand():
    days = pd.date_range("2020-01-01", periods=N)[::-1]
    content = "when,a,y\n" + "".join(f"{day:%m/%d/%Y},{value},{2 * value}\n" for day, value in zip(days, VALUES, strict=True))
    table = table_from_csv(upload(content), "y")
    lines = [set(table.part(part).index) for part in ("train", "calibration", "test")]
    assert min(lines[0]) > max(lines[1]) and min(lines[1]) > max(lines[2])  # the file runs backwards in time
    assert table.feature_names == ("a",) and any("split in time" in note for note in table.notes)
    shuffled = table_from_csv(upload(content), "y", choices=CsvChoices(split="random"))
    assert min(shuffled.train.index) < max(shuffled.test.index) and "when" not in "".join(shuffled.feature_names)


def test_rows_of_one_time_stay_in_one_part():
    days = np.repeat(pd.date_range("2020-01-01", periods=N // 8).strftime("%Y-%m-%d"), 8)
    content = "when,a,y\n" + "".join(f"{day},{value},{2 * value}\n" for day, value in zip(days, VALUES, strict=True))
    table = table_from_csv(upload(content), "y")
    parts = [set(days[np.asarray(table.part(part).index) - 2]) for part in ("train", "calibration", "test")]
    assert not parts[0] & parts[1] and not parts[1] & parts[2] and sum(map(len, parts)) == N // 8


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_with_too_many_fields_is_refused_in_a_series_of_two_columns_too(end):
    """It was skipped in silence where only some columns were read."""
    rows = [f"{time:%Y-%m-%d},{value},1" for time, value in zip(MONTHS, VALUES, strict=True)]
    rows[99] = "1998-04-01,1,073,1"
    with pytest.raises(ValueError, match=r"expected 3 fields in every line of 'mine\.csv', line 101 has 4 fields"):
        series_from_csv(upload(end.join(["date,v,w", *rows])), "date", "v")


def test_a_header_with_one_name_too_few_is_refused_where_the_first_fields_are_no_row_names():
    content = "a,name,y\n" + "".join(f"{value},Smith, J,{value}\n" for value in VALUES)
    with pytest.raises(ValueError, match="has 3 names and its rows have 4 fields; put quotes"):
        read_table(upload(content), "y")


def test_values_whose_differences_32_bits_cannot_hold_are_refused():
    with pytest.raises(ValueError, match=r"differences numbers of 32 bits can hold.*subtract a constant") as refusal:
        series_from_csv(upload(series([2**53 + i % 12 for i in range(N)])), "date", "v")
    assert "\n" not in str(refusal.value)
    assert series_from_csv(upload(series([i % 12 for i in range(N)])), "date", "v").period == 12  # what the sentence says works


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decimal": "x"}, "decimal mark"), ({"thousands": "x"}, "thousands mark"), ({"decimal": ",", "thousands": ","}, "different marks"),
        ({"timezone": "Europe/Berln"}, "such as Europe/Berlin"), ({"series": ("A",)}, "COLUMN=VALUE"), ({"split": "half"}, "'time' or 'random'"),
    ],
)  # fmt: skip
def test_a_choice_that_is_none_is_refused_in_one_sentence(options, message):
    with pytest.raises(ValueError, match=message) as refusal:
        CsvChoices(**options)
    assert "; " in str(refusal.value)


def test_a_time_that_the_clock_of_the_zone_skips_is_refused_and_the_zone_that_it_names_works():
    content = series(VALUES, pd.date_range("2021-03-24", periods=N, freq="h").strftime("%Y-%m-%d %H:%M"))
    with pytest.raises(ValueError, match=r"got 2021-03-28 02:00, which that clock skips; .* --timezone UTC"):
        read_series(upload(content), "date", "v", choices=CsvChoices(timezone="Europe/Berlin"))
    assert np.isfinite(read_series(upload(content), "date", "v", choices=CsvChoices(timezone="UTC")).values).all()


def test_the_page_says_controls_where_the_command_line_says_options():
    for content, time, target, _ in ASKED.values():
        with pytest.raises(ValueError, match="--") as refusal:
            series_from_csv(upload(content), time, target)
        assert "--" not in in_words_of_the_page(str(refusal.value))
    for content, _, _ in CHANGED.values():
        assert not any("--" in in_words_of_the_page(note) for note in read_series(upload(content), "date", "v").notes)
