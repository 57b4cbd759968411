"""Faults that were found by searching for them: each file once gave wrong numbers, lost rows, or ended in another error, without a word."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from stochattn_core.readers.text.choices import CsvChoices
from stochattn_core.readers.text.look import look_at_table
from stochattn_core.readers.text.series import read_series
from stochattn_core.readers.text.table import read_table

N = 120
VALUES = (10 + np.random.default_rng(0).normal(size=N)).round(2)
DAYS = pd.date_range("2020-01-01", periods=N)
DATES = DAYS.strftime("%Y-%m-%d")
HOURS = pd.date_range("2020-01-20", periods=N, freq="h")
ROWS = [f"{date},{value}" for date, value in zip(DATES, VALUES, strict=True)]
WIDE_ROWS = [f"{row},{i}" for i, row in enumerate(ROWS)]


def upload(content: str) -> io.BytesIO:
    file = io.BytesIO(content.encode())
    file.name = "mine.csv"
    return file


def changed(rows, **others):
    rows = list(rows)
    for place, row in others.items():
        rows[int(place.removeprefix("row"))] = row
    return rows


# Files whose rows are all there, with their target.
WHOLE = {
    "a line break in the header": ("\n".join(['date,"v\n(C)"', *ROWS]), "date", "v\n(C)"),
    "a title of two lines": ("\n".join(['"A long\ntitle"', "", "date,v,w", *WIDE_ROWS]), "date", "v"),
    "a form feed in the title": ("\n".join(["Report\x0cpage", "date,v", *ROWS]), "date", "v"),
    "titles as wide as the table": ("\n".join(["Station,Berlin", "Lat,52.5", "date,v", *ROWS]), "date", "v"),
    "a line above the names": ("\n".join([",Berlin,", "date,v,w", *WIDE_ROWS]), "date", "v"),
    "lines of another level below the names": ("\n".join(["Price,Close,High", "Ticker,AAPL,AAPL", "Date,,", *WIDE_ROWS]), "Price", "Close"),
    "a header wider than its rows": ("\n".join(["date,v,note,by", *ROWS]), "date", "v"),
    "a header called CDF": ("\n".join(["date,CDF", *ROWS]), "date", "CDF"),
    "a name that ends in 0": ("\n".join(["date,extra 0", *(f"{row}," for row in ROWS)]), "date", "extra 0"),
    "lines that end with a return, and one newline": ("\r".join(["date,v", *ROWS]) + "\n", "date", "v"),
    "an unfinished quotation in a comment": ("\n".join(['# the "quoted', "date,v", *ROWS]), "date", "v"),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_no_row_is_lost_and_none_is_shifted(kind):
    content, time, target = WHOLE[kind]
    series = read_series(upload(content), time, target)
    np.testing.assert_array_equal(series.values, VALUES)
    assert series.axis.times.equals(pd.DatetimeIndex(DAYS)) or (series.axis.times == DAYS).all()


REFUSED = {
    "a field too many in the first row": (
        "\n".join(["date,v,w", *changed(WIDE_ROWS, row0="2020-01-01,1,234.5,20")]),
        "line 2 has 4 fields",
    ),
    "one line too long and one too short": (
        "\n".join(["date,v,w", *changed(WIDE_ROWS, row50="2020-02-20,1,234.5,20", row119="2020-04-29,9.9")]),
        "line 52 has 4 fields",
    ),
    "a quotation mark without its partner": (
        "\n".join(["date,v,w", *changed(WIDE_ROWS, row30=f'{DATES[30]},"5,1', row40=f'{DATES[40]},5,1"')]),
        "quotation marks in pairs",
    ),
    "a blank cell between white space": (
        "\n".join(["date v w", *changed([row.replace(",", " ") for row in WIDE_ROWS], row30=f"{DATES[30]}       5")]),
        "line 32 has 2; write NA",
    ),
    "decimal commas beside commas": (
        "\n".join(["date,v", *(row.replace(".", ",") for row in ROWS if "." in row)]),
        "put quotes around texts",
    ),
    "percent and none": ("\n".join(["date,v", *(f"{row}{'%' if i % 2 else ''}" for i, row in enumerate(ROWS))]), "numbers of one unit"),
    "two currencies": (
        "\n".join(["date,v", *(row.replace(",", ",$" if i % 2 else ",\u20ac") for i, row in enumerate(ROWS))]),
        "numbers of one unit",
    ),
    "a bad value in the first row without a header": ("\n".join(["2020-01-01,trace", *ROWS[1:]]), "column 'date'|got 'trace' in line 1"),
    "a logger's first rows": ("\n".join(["date,v", "2020-01-01,INIT", *ROWS[1:]]), "got 'INIT' in line 2"),
    "a clock that was reset": (
        "\n".join(["date,v", "1999-01-01 00:00:00,5", *(f"2020-01-01 00:{i // 60:02d}:{i % 60:02d},{i % 7}" for i in range(119))]),
        "follow one another",
    ),
    "times of True and False": ("\n".join(["date,v", *(f"{i % 2 == 0},{v}" for i, v in enumerate(VALUES))]), "expected dates or numbers"),
    "a 13th month": (
        "\n".join(["date,v", *(f"{1973 + i // 13}{i % 13 + 1:02d},{v}" for i, v in enumerate(VALUES))]),
        "got 197313; .*totals",
    ),
    "days and months without a year": (
        "\n".join(["date,v", *(f"{day:%d-%b},{v}" for day, v in zip(DAYS, VALUES, strict=True))]),
        "got '01-Jan'",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_read_right_is_refused_in_one_sentence(kind):
    content, message = REFUSED[kind]
    time, target = ("column 1", "column 2") if kind.endswith("without a header") else ("date", "v")
    with pytest.raises(ValueError, match=message) as refusal:
        read_series(upload(content), time, target)
    assert str(refusal.value).startswith("expected ") and "; " in str(refusal.value) and "\n" not in str(refusal.value)


def test_lines_with_fewer_fields_are_counted_in_a_note():
    series = read_series(upload("\n".join(["date,v,w", *changed(WIDE_ROWS, row60=ROWS[60])])), "date", "v")
    assert "1 line has fewer fields than 'mine.csv' has columns" in " ".join(series.notes)


def test_a_series_is_chosen_by_the_text_that_stands_in_the_file():
    rows = [f"{key},{date},{value + 10 * (key == '1.10')}" for key in ("1.1", "1.10") for date, value in zip(DATES, VALUES, strict=True)]
    series = read_series(upload("\n".join(["code,date,v", *rows])), "date", "v", choices=CsvChoices(series=("code=1.1",)))
    np.testing.assert_array_equal(series.values, VALUES)


DATE_ORDERS = {"yy-mm-dd": "%y-%m-%d", "yy/mm/dd": "%y/%m/%d", "dd/mm/yy": "%d/%m/%y", "mm/dd/yy": "%m/%d/%y", "d-mmm-yy": "%d-%b-%y"}


@pytest.mark.parametrize("kind", DATE_ORDERS)
def test_two_digits_are_a_year_where_that_puts_the_days_in_order(kind):
    content = "\n".join(["date,v", *(f"{day.strftime(DATE_ORDERS[kind])},{value}" for day, value in zip(DAYS, VALUES, strict=True))])
    series = read_series(upload(content), "date", "v")
    assert (series.axis.times == DAYS).all() and any("two digits" in note for note in series.notes)


HOURLY = {
    "a date and a whole hour": ("date,hr,v", [f"{t:%Y-%m-%d},{t.hour}" for t in HOURS], "date,hr"),
    "day first and a whole hour": ("date,hour,v", [f"{t:%d/%m/%Y},{t.hour}" for t in HOURS], "date,hour"),
    "hours as 2300": ("year,month,day,hour,v", [f"{t.year},{t.month},{t.day},{t.hour * 100}" for t in HOURS], "year,month,day,hour"),
    "a minimum beside the parts": (
        "year,month,day,hour,min,v",
        [f"{t.year},{t.month},{t.day},{t.hour},7" for t in HOURS],
        "year,month,day,hour",
    ),
}


@pytest.mark.parametrize("kind", HOURLY)
def test_the_parts_of_a_time_are_found(kind):
    head, fields, parts = HOURLY[kind]
    content = "\n".join([head, *(f"{field},{value}" for field, value in zip(fields, VALUES, strict=True))])
    assert look_at_table(upload(content)).time == parts
    series = read_series(upload(content), parts, "v")
    assert (series.axis.times == HOURS).all() and (series.values == VALUES).all()


def test_numbers_that_are_no_dates_stay_numbers():
    for name, start in (("step", 1001), ("date", 21915), ("time", 58849)):
        content = "\n".join([f"{name},v", *(f"{start + i},{value}" for i, value in enumerate(VALUES))])
        assert read_series(upload(content), name, "v").axis.unit == "step"


def test_identifiers_among_numbers_are_texts_and_true_and_false_may_be_missing():
    rows = [f"{'A/5 ' + str(i) if i % 3 else 30000 + 7 * i},{['True', 'False', ''][i % 3]},{value}" for i, value in enumerate(VALUES)]
    table = read_table(upload("\n".join(["ticket,flag,y", *rows])), "y")
    assert list(table.columns) == ["y", "flag = True"] and len(table.columns) == 80
    assert any("'ticket' holds 120 different texts" in note for note in table.notes)


def test_a_header_longer_than_the_first_bytes_is_read_whole():
    names = [f"ENSG{i:011d}.7_sample" for i in range(3000)]
    content = "\n".join(
        [",".join(["y", *names]), *(",".join([str(value), *(str((i * j) % 7) for j in range(3000))]) for i, value in enumerate(VALUES))]
    )
    table = read_table(upload(content), "y")
    assert table.columns.columns[-1] == names[-1] and (table.columns[names[5]].to_numpy() == np.arange(N) * 5 % 7).all()


def test_a_field_with_a_comma_is_named_as_missing_as_the_refusal_says():
    from stochattn_core.readers.text.choices import fields_of

    rows = changed(ROWS, row7=f'{DATES[7]},"closed, no data"')
    with pytest.raises(ValueError, match="or give --missing") as refusal:
        read_series(upload("\n".join(["date,v", *rows])), "date", "v")
    argument = str(refusal.value).partition("--missing '")[2].partition("' where")[0]
    series = read_series(upload("\n".join(["date,v", *rows])), "date", "v", choices=CsvChoices(missing=fields_of(argument)))
    assert np.flatnonzero(np.isnan(series.values)).tolist() == [7]
