"""Bad text files: each is refused in one ValueError of one sentence (expected, got, what to do), or is read with a note."""

import gzip
import io
import os
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest

from stochattn_core.readers import columns_of, series_from_csv, table_from_csv
from stochattn_core.readers.text import file as csv_file


def table(n_row: int = 200) -> pd.DataFrame:
    x = np.random.default_rng(0).normal(size=(n_row, 3)).round(3)
    return pd.DataFrame(x, columns=["a", "b", "y"])


def monthly(n_row: int = 400) -> pd.DataFrame:
    t = np.arange(n_row)
    noise = np.random.default_rng(1).normal(size=n_row)
    return pd.DataFrame(
        {"date": pd.date_range("1980-01-01", periods=n_row, freq="MS"), "v": (10 + np.sin(t * np.pi / 6) + 0.1 * noise).round(3)}
    )


def upload(content, **options) -> io.BytesIO:
    data = content if isinstance(content, bytes) else content.to_csv(index=False, **options).encode()
    file = io.BytesIO(data)
    file.name = "upload.csv"
    return file


def with_value(frame: pd.DataFrame, row: int, column: str, value) -> pd.DataFrame:
    frame = frame.astype(object)
    frame.loc[row, column] = value
    return frame


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return out.getvalue()


NOT_TEXT = {
    "0 bytes": (b"", "has 0 bytes"),
    "blank lines": (b"\n \n\n", "blank lines only"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(200), "is a PNG image by its content; export the table as CSV"),
    "xlsx": (zipped(), "is an Excel workbook or a zip archive"),
    "gz": (gzip.compress(b"a,b\n1,2\n"), "is a gzip archive"),
    "pickle": (pickle.dumps({"a": 1}), "is a Python pickle, which is never opened"),
    "web page": (b"<!DOCTYPE html><html></html>", "is a web page"),
    "NetCDF": (b"CDF\x01" + bytes(40), "is a NetCDF file"),
    "binary": (b"12,3\x00\x00,4\n", "holds binary data"),
}


@pytest.mark.parametrize("kind", NOT_TEXT)
def test_a_file_that_is_no_text_is_refused_by_its_kind(kind):
    content, message = NOT_TEXT[kind]
    for read in (lambda file: table_from_csv(file, "y"), lambda file: series_from_csv(file, "date", "v"), columns_of):
        with pytest.raises(ValueError, match=message):
            read(upload(content))


BAD_TABLES = {
    "no such column": (lambda: table(), "price", "expected a column 'price' for the target.*its columns are 'a', 'b', 'y'"),
    "nearly the name": (lambda: table().rename(columns={"y": "strength"}), "Strength", "did you mean 'strength'"),
    "text in a feature": (
        lambda: with_value(table(), 7, "a", "abc"),
        "y",
        "expected numbers in the column 'a', got 'abc' in line 9; correct it",
    ),
    "text in the target": (lambda: with_value(table(), 7, "y", "abc"), "y", "expected numbers in the column 'y', got 'abc' in line 9"),
    "target of text": (lambda: table().assign(y="high"), "y", "target column 'y', got text such as 'high'; choose another"),
    "three rows": (lambda: table(3), "y", "expected at least 40 rows.*got 3"),
    "header only": (lambda: table(0), "y", "expected at least 40 rows.*got 0"),
    "constant target": (lambda: table().assign(y=2.5), "y", "expected a target that varies, 'y' is 2.5 in every row"),
    "too many missing": (
        lambda: table(60).assign(a=lambda f: f["a"].where(f.index < 30)),
        "y",
        "expected at least 40 rows without a missing",
    ),
    "no feature": (lambda: table()[["y"]].assign(who=lambda f: [f"n{i}" for i in f.index]), "y", "at least one column of numbers beside"),
    "constant feature": (lambda: table()[["y"]].assign(a=1.0), "y", "at least one column that varies beside"),
}


@pytest.mark.parametrize("kind", BAD_TABLES)
def test_a_bad_table_is_refused_in_one_sentence(kind):
    make, target, message = BAD_TABLES[kind]
    with pytest.raises(ValueError, match=message) as caught:
        table_from_csv(upload(make()), target)
    assert "\n" not in str(caught.value) and "; " in str(caught.value)


BAD_SERIES = {
    "no such time": (lambda: monthly(), "Date", "v", "did you mean 'date'"),
    "time is target": (lambda: monthly(), "date", "date", "expected two columns"),
    "three rows": (lambda: monthly(3), "date", "v", "expected at least 60 rows.*got 3"),
    "constant": (lambda: monthly().assign(v=3.0), "date", "v", "expected a target that varies, 'v' is 3 in every row"),
    "text": (lambda: with_value(monthly(), 5, "v", "n/d"), "date", "v", "in the column 'v', got 'n/d' in line 7"),
    "target of text": (lambda: monthly().assign(v="x"), "date", "v", "target column 'v', got text such as 'x'"),
    "bad time": (lambda: with_value(monthly().astype(str), 5, "date", "noon"), "date", "v", "time column 'date', got 'noon' in line 7"),
    "no time": (lambda: with_value(monthly().astype(str), 5, "date", None), "date", "v", "line 7 has none"),
    "repeated": (
        lambda: pd.concat([monthly(), monthly()[5:8]]),
        "date",
        "v",
        r"more than one for 1980-06-01 \(3 rows too many\); keep one",
    ),
    "shuffled": (
        lambda: monthly().sample(frac=1, random_state=0),
        "date",
        "v",
        "expected rows in the order of 'date'.*sort the rows by time",
    ),
    "half missing": (
        lambda: monthly().assign(v=lambda f: f["v"].where(f.index < 200)),
        "date",
        "v",
        r"at most 20%.*200 of 400 values \(50%\)",
    ),
}


@pytest.mark.parametrize("kind", BAD_SERIES)
def test_a_bad_series_is_refused_in_one_sentence(kind):
    make, when, target, message = BAD_SERIES[kind]
    with pytest.raises(ValueError, match=message) as caught:
        series_from_csv(upload(make()), when, target)
    assert "\n" not in str(caught.value) and "; " in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"horizon": 0}, "horizon of 1 or more"), ({"horizon": 90}, "or a shorter horizon"), ({"context": 2.5}, "whole")],
)
def test_a_horizon_or_context_that_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        series_from_csv(upload(monthly(200)), "date", "v", **options)


def test_a_line_with_too_many_fields_is_named():
    with pytest.raises(ValueError, match=r"expected 3 fields in every line of 'upload\.csv', line 202 has 4 fields"):
        table_from_csv(upload(upload(table()).getvalue() + b"1,2,3,4\n"), "y")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match="found nothing there; check the path"):
        table_from_csv(tmp_path / "none.csv", "y")
    with pytest.raises(ValueError, match="found a folder there"):
        columns_of(tmp_path)


def test_rows_with_missing_or_infinite_numbers_are_left_out_and_counted():
    frame = table()
    frame.loc[:4, "a"], frame.loc[8, "b"], frame.loc[20, "y"] = np.nan, np.inf, -np.inf
    dataset = table_from_csv(upload(frame), "y")
    assert dataset.notes == (
        "7 of 200 rows have a missing or infinite number (2 infinite) and are left out; by column: 'y' 1, 'a' 5, 'b' 1",
    )
    used = sum(len(dataset.part(part)) for part in ("train", "calibration", "test"))
    assert used == 193


def test_missing_values_of_a_series_are_filled_in_inputs_and_never_scored():
    frame = monthly()
    frame.loc[[150, 151, 300], "v"] = np.nan
    dataset = series_from_csv(upload(frame), "date", "v")
    assert any(note.startswith("3 of 400 values of 'v' are missing") for note in dataset.notes)
    for part in ("train", "calibration", "test"):
        assert dataset.part(part).inputs.isfinite().all() and dataset.part(part).target.isfinite().all()
    first = dataset.calibration.index.min()
    assert dataset.train.index.max() < first


def test_gaps_in_time_become_missing_values():
    dataset = series_from_csv(upload(monthly().drop([50, 51, 200])), "date", "v")
    assert dataset.notes[0] == "3 times of 'date' are left out in the file, whose step is 1 month; the values are missing"


def test_rows_from_newest_to_oldest_are_turned_round():
    turned, plain = series_from_csv(upload(monthly()[::-1]), "date", "v"), series_from_csv(upload(monthly()), "date", "v")
    assert turned.sha256 == plain.sha256 and "turned round" in turned.notes[0]


@pytest.mark.parametrize("code", [-9999, -999, 1e20])
def test_missing_codes_become_missing_values_and_are_noted(code):
    frame = table()
    frame.loc[:4, "a"] = code
    dataset = table_from_csv(upload(frame), "y")
    assert dataset.notes[0].startswith(f"{code:g} occurs 5 times in 'a'") and dataset.train.inputs.abs().max() < 100
    series = monthly()
    series.loc[30:32, "v"] = code
    assert "taken as missing" in series_from_csv(upload(series), "date", "v").notes[0]


@pytest.mark.parametrize(("separator", "decimal"), [(";", "."), (";", ","), ("\t", "."), ("|", "."), (" ", ".")])
def test_separators_and_decimal_commas_are_recognised(separator, decimal):
    assert table_from_csv(upload(table(), sep=separator, decimal=decimal), "y").sha256 == table_from_csv(upload(table()), "y").sha256


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings_are_recognised(encoding):
    text = table().rename(columns={"a": "Höhe (µm)"}).to_csv(index=False)
    dataset = table_from_csv(upload(text.encode(encoding)), "y")
    assert dataset.feature_names == ("Höhe (µm)", "b") == columns_of(upload(text.encode(encoding)))[:2]
    assert dataset.sha256 == table_from_csv(upload(table()), "y").sha256
    assert ("read as Windows-1252" in " ".join(dataset.notes)) == (encoding == "latin-1")


def test_a_file_without_header_gets_names():
    dataset = table_from_csv(upload(table(), header=False), "column 3")
    assert dataset.feature_names == ("column 1", "column 2") and "no header" in dataset.notes[0]


def test_text_columns_become_columns_of_0_and_1_and_names_are_left_out():
    frame = table().assign(
        colour=lambda f: np.array(["red", "green", "blue"])[f.index % 3], sex=lambda f: np.array(["m", "f"])[f.index % 2]
    )
    dataset = table_from_csv(upload(frame.assign(who=[f"n{i}" for i in frame.index])), "y")
    assert dataset.feature_names == ("a", "b", "colour = blue", "colour = green", "colour = red", "sex = m")
    assert torch_set(dataset.train.inputs[:, 2:]) == {0.0, 1.0}
    assert dataset.notes[-1] == "'who' holds 200 different texts, more than the 20 that become 0/1 columns, and is left out"


def torch_set(values) -> set[float]:
    return set(values.flatten().tolist())


@pytest.mark.parametrize(
    ("times", "unit", "period"),
    [
        (pd.date_range("2000-01-31", periods=400, freq="ME"), "month", 12),
        (pd.date_range("2000-01-01", periods=400, freq="QS"), "quarter", 1),
        (pd.date_range("2020-01-01", periods=400, freq="10min"), "10 min", 1),
        (pd.date_range("2020-01-01", periods=400, freq="2h"), "2 h", 12),
        (pd.date_range("2020-03-01", periods=400, freq="h", tz="Europe/Berlin"), "h", 24),
        (pd.date_range("1980-01-01", periods=400, freq="MS").strftime("%d.%m.%Y"), "month", 12),
        ([f"{1500 + i}-01-01" for i in range(400)], "year", 1),
        (np.arange(1500, 1900), "year", 1),
        (np.arange(400) * 0.5, "step", 1),
        (pd.bdate_range("2000-01-01", periods=400), "step", 1),
    ],
    ids=["month end", "quarter", "10 min", "2 h", "time zone", "German", "before 1677", "year number", "number", "working days"],
)
def test_the_step_and_the_season_are_found(times, unit, period):
    dataset = series_from_csv(upload(monthly().assign(date=times)), "date", "v")
    assert (dataset.lead_unit, dataset.period) == (unit, period)


def test_an_upload_stays_open_and_can_be_read_again():
    file = upload(table())
    first = table_from_csv(file, "y")
    assert columns_of(file) == ("a", "b", "y")
    assert table_from_csv(file, "y").sha256 == first.sha256 and not file.closed


def test_many_rows_are_read_in_chunks_and_drawn_at_random(monkeypatch):
    """The draw does not depend on the size of a chunk, every row is equally likely, and a note says that rows were drawn."""
    content = table(50_000).assign(place=np.arange(50_000))
    at_once = table_from_csv(upload(content), "y")
    monkeypatch.setattr(csv_file, "CHUNK", 7_000)
    in_chunks = table_from_csv(upload(content), "y")
    assert in_chunks.sha256 == at_once.sha256
    assert "the file has 50,000 rows, 10,000 of them are used, drawn at random with seed 0" in at_once.notes
    drawn = at_once.train.inputs[:, 2]
    assert abs(float(drawn.mean()) - 25_000) < 4 * 50_000 / np.sqrt(12 * len(drawn))


def test_a_long_series_is_read_whole_and_cut_into_few_windows():
    n = 300_000
    frame = pd.DataFrame(
        {"t": pd.date_range("2000-01-01", periods=n, freq="min").strftime("%Y-%m-%d %H:%M"), "v": np.sin(np.arange(n) / 50).round(4)}
    )
    dataset = series_from_csv(upload(frame), "t", "v")
    assert len(dataset.test) <= 300 and dataset.test.index.max() > pd.Timestamp("2000-01-01") + pd.Timedelta(minutes=0.99 * n)


@pytest.mark.skipif(not os.environ.get("STOCHATTN_SLOW"), reason="half a minute and 300 MB of disk: set STOCHATTN_SLOW=1 to run it")
def test_five_million_rows_are_read(tmp_path):
    n = 5_000_000
    x = np.random.default_rng(0).normal(size=(n, 3)).round(3)
    path = tmp_path / "big.csv"
    pd.DataFrame(x, columns=["a", "b", "y"]).assign(t=np.arange(n)).to_csv(path, index=False)
    assert len(table_from_csv(path, "y").test) == 2000
    assert len(series_from_csv(path, "t", "y").test) <= 300
