"""Numbers of an ensemble file: missing values, whole numbers of any size, packed data, units, and targets repeated for each member."""

import numpy as np
import pytest

from stochattn_core.ensemble_file import read_ensemble
from stochattn_core.readers.door.units import CONVERSIONS, convert, same_unit
from tests.score_files import agree, dataset, numbers, on_map, score, stored


def with_gaps(target, places):
    """The target with NaN in these places."""
    target = target.copy()
    target.reshape(-1)[list(places)] = np.nan
    return target


@pytest.mark.parametrize("fill", (9.969209968386869e36, 1e20, 1e35, -9999.0, -999.9, np.inf))
@pytest.mark.parametrize("kind", ("f4", "f8"))
def test_fill_values_of_targets_without_an_attribute_are_missing_and_counted(fill, kind):
    members, target = (values.astype(kind) for values in numbers())
    gaps = with_gaps(target, (3, 77, 200))
    values, notes = score(
        dataset(members, np.where(np.isnan(gaps), np.array(fill, kind), target)), encoding={"target": {"_FillValue": None}}
    )
    assert agree(values, on_map(members, gaps)) and values["n"] == target.size - 3
    assert "3" in notes[0] and "missing" in notes[0] and "3 of 360 targets are missing and not scored" in notes


def test_default_fills_of_integers_are_missing():
    members, target = (np.round(10 * values) for values in numbers())
    gaps = with_gaps(target, (0, 9))
    for kind, fill in (("i4", -2147483647), ("i2", -32767), ("i8", -9223372036854775808), ("i4", -2147483648)):
        data = dataset(members.astype(kind), np.where(np.isnan(gaps), fill, target).astype(kind))
        assert agree(score(data)[0], on_map(members, gaps))


def test_codes_in_forecasts_are_missing_and_noted():
    members, target = numbers()
    broken = members.copy()
    broken[:, 2, 3, 1], broken[1, 11, 0, 0], broken[2, 11, 0, 1] = -9999.0, -9999.0, 9.969209968386869e36
    gaps = with_gaps(target, (2 * 30 + 3 * 6 + 1, 11 * 30, 11 * 30 + 1))
    values, notes = score(dataset(broken, target))
    assert agree(values, on_map(members, gaps))
    assert any("-9999 occurs 6 times in 'forecast'" in note for note in notes)
    assert "1 of 360 elements have a target and no forecast; they are not scored" in notes
    assert "2 of 360 elements have a target and lack some of the members; they are not scored" in notes


def test_a_code_that_appears_in_a_late_chunk_is_missing_in_all():
    members, target = numbers()
    broken = members.copy()
    broken[:, 0, 0, :6], broken[:, 0, 1, :2], broken[:, 9, 1, 1] = -9999.0, -9999.0, -9999.0
    data = dataset(broken, target).isel(latitude=[0, 1], longitude=slice(0, 6))
    whole, in_chunks = (score(data, budget=budget)[0] for budget in (2**26, 1))
    assert whole["n"] == 24 * 6 - 9 and agree(in_chunks, {key: whole[key] for key in ("rmse", "spread", "crps_fair", "n")})


def test_land_is_left_out_where_forecast_and_target_are_missing_alike():
    members, target = numbers()
    land = np.zeros((5, 6), bool)
    land[1:3, 2:5] = True
    masked = np.where(land, np.nan, target)
    values, notes = score(dataset(np.where(land, np.nan, members), masked))
    assert agree(values, on_map(members, masked)) and notes == [
        "72 of 360 elements are missing in forecast and target alike, as land is; the rest is scored"
    ]
    only_forecast, notes = score(dataset(np.where(land, np.nan, members), target))
    assert agree(only_forecast, on_map(members, masked)) and any("no forecast" in note for note in notes)
    most = np.ones((5, 6), bool)
    most[0] = False
    assert score(dataset(np.where(most, np.nan, members), target))[0]["n"] == 72  # a mask, however large, is no gap
    whole = read_ensemble(stored(dataset(np.where(land, np.nan, members), masked)))
    assert np.isfinite(whole.members).all() and np.isnan(whole.target[:, land]).all()


def test_forecasts_that_are_mostly_missing_are_refused_and_read_without_the_member_that_is():
    members, target = numbers()
    broken = members.copy()
    broken[3] = np.nan
    broken[3, 0] = 0.0
    with pytest.raises(
        ValueError, match=r"lack members \(members number 3, counted from 0, have hardly any value\); leave incomplete members"
    ):
        score(dataset(broken, target))
    kept = [0, 1, 2, 4]
    assert agree(score(dataset(broken, target).isel(member=kept))[0], on_map(members[kept], target))
    gone = np.where(np.arange(12)[:, None, None] % 3 > 0, np.nan, members)
    with pytest.raises(ValueError, match=r"expected forecasts for most targets in 'e\.nc', 240 of 360 are missing"):
        score(dataset(gone, target))
    assert agree(score(dataset(gone, target).isel(init_time=slice(0, None, 3)))[0], on_map(members[:, ::3], target[::3]))


def test_sparse_targets_are_scored_where_they_are():
    members, target = numbers()
    sparse = np.where(np.random.default_rng(1).random(target.shape) < 0.9, np.nan, target)
    assert agree(score(dataset(members, sparse))[0], on_map(members, sparse))
    with pytest.raises(ValueError, match="found none; there is nothing to score"):
        score(dataset(members, np.full_like(target, np.nan)))


@pytest.mark.parametrize(
    ("kind", "base"), (("i8", 2**53 + 1), ("i8", -(2**62)), ("u8", 2**63 + 5), ("i8", 2**52), ("i4", 2**24 + 1), ("i8", 7))
)
def test_whole_numbers_of_any_size_keep_their_last_digit(kind, base):
    rng = np.random.default_rng(2)
    small, truth = rng.integers(0, 9, (5, 12, 5, 6)), rng.integers(0, 9, (12, 5, 6))
    data = dataset(small.astype(object) + base, truth.astype(object) + base)
    data = data.assign(forecast=data.forecast.astype(kind), target=data.target.astype(kind))
    values, notes = score(data)
    assert agree(values, on_map(small, truth))
    assert any("keep their last digits; no score depends on it" in note for note in notes) == (base != 7)


def test_whole_numbers_that_float64_cannot_hold_are_refused_and_their_quotients_scored():
    rng = np.random.default_rng(2)
    small, truth = rng.integers(0, 9, (5, 12, 5, 6)), rng.integers(0, 9, (12, 5, 6))
    far = dataset(small * 2**59, truth * 2**59)
    with pytest.raises(ValueError, match="which lose digits; write both as integers, or divide both by a common number"):
        score(far)
    assert agree(score(far // 2**40)[0], on_map(small * 2.0**19, truth * 2.0**19))
    beside = dataset(small + 2**60, truth + 2.0**60)
    with pytest.raises(ValueError, match="both as integers"):
        score(beside)
    assert agree(score(dataset(small + 2**60, truth + 2**60))[0], on_map(small, truth))
    filled = dataset(small + 2**60, truth + 2**60)
    encoding = {"target": {"_FillValue": -1}}
    with pytest.raises(ValueError, match="write both without _FillValue"):
        score(filled, encoding=encoding)
    assert agree(score(filled)[0], on_map(small, truth))


def test_packed_data_are_unpacked():
    members, target = (np.round(values, 2) for values in numbers())
    packing = {"dtype": "i2", "scale_factor": 0.01, "add_offset": 10.0, "_FillValue": -32768}
    assert agree(score(dataset(members, target), encoding={"forecast": packing, "target": packing})[0], on_map(members, target), 1e-6)


@pytest.mark.parametrize(
    ("forecast", "target", "turn"),
    (
        ("degC", "K", lambda x: x + 273.15),
        ("K", "Celsius", lambda x: x - 273.15),
        ("K", "degF", lambda x: x * 9 / 5 - 459.67),
        ("gpm", "m**2 s**-2", lambda x: x * 9.80665),
        ("m2 s-2", "m", lambda x: x / 9.80665),
        ("hPa", "Pa", lambda x: x * 100),
        ("mm", "m", lambda x: x / 1000),
        ("kg m-2", "mm", lambda x: x),
        ("kg kg**-1", "g/kg", lambda x: x * 1000),
        ("m s-1", "km/h", lambda x: x * 3.6),
        ("m/s", "kn", lambda x: x * 3600 / 1852),
        ("%", "1", lambda x: x / 100),
        ("kg/m^3", "kg m-3", lambda x: x),
    ),
)
def test_a_target_in_other_units_is_converted_to_those_of_the_forecast(forecast, target, turn):
    members, truth = numbers()
    values, notes = score(dataset(members, turn(truth), forecast_attrs={"units": forecast}, target_attrs={"units": target}))
    assert agree(values, on_map(members, truth), 1e-11)
    assert not notes if same_unit(forecast, target) else "the target is converted to" in notes[0]


def test_units_of_different_quantities_are_refused_and_another_target_scored():
    members, target = numbers()
    data = dataset(members, target, forecast_attrs={"units": "K"}, target_attrs={"units": "Pa"})
    with pytest.raises(ValueError, match=r"got 'forecast' of 'e.nc' in 'K' and 'target' of 'e.nc' in 'Pa'; choose another with --target"):
        score(data)
    assert agree(score(data.assign(t2m=data.target.assign_attrs(units="K")), target="t2m")[0], on_map(members, target))
    corrected = data.assign(target=data.target.assign_attrs(units="kelvin"))
    assert agree(score(corrected)[0], on_map(members, target))


def test_units_on_one_side_are_a_note_with_both_means():
    members, target = numbers()
    values, notes = score(dataset(members, target + 273.15, forecast_attrs={"units": "degC"}))
    assert values["rmse"] > 270 and "only the forecast states its units (degC)" in notes[0] and f"{target.mean() + 273.15:.6g}" in notes[0]


def test_conversions_go_there_and_back_and_the_other_way_is_refused():
    values = np.array([0.0, 1.0, 250.0])
    for unit, (quantity, *_) in CONVERSIONS.items():
        for other, (kind, *_) in CONVERSIONS.items():
            if kind == quantity:
                np.testing.assert_allclose(convert(convert(values, unit, other), other, unit), values, rtol=1e-12, atol=1e-9)
            else:
                with pytest.raises(ValueError, match="two units of the same quantity"):
                    convert(values, unit, other)


@pytest.mark.parametrize(
    ("value", "source", "to", "result"),
    (
        (100.0, "degC", "degF", 212.0),
        (1.0, "atm", "hPa", 1013.25),
        (760.0, "mmHg", "atm", 1.0),
        (29.92125984251969, "inHg", "mmHg", 760.0),
        (1.0, "kn", "km h-1", 1.852),
        (1.0, "mph", "m s-1", 0.44704),
        (1.0, "kg m-2 s-1", "mm/day", 86400.0),
        (3.6, "mm/h", "mm s-1", 0.001),
        (552.0, "dam", "gpm", 5520.0),
        (1.0, "ft", "in", 12.0),
        (50.0, "percent", "fraction", 0.5),
        (180.0, "degrees", "radians", np.pi),
        (1.5, "days", "hours", 36.0),
    ),
)
def test_conversions_give_known_values(value, source, to, result):
    assert float(convert(np.array([value]), source, to)[0]) == pytest.approx(result, rel=1e-12)


def test_a_target_that_is_repeated_for_each_member_is_used_once():
    members, target = numbers()
    gaps = with_gaps(target, (5,))
    data = dataset(members, gaps)
    repeated = data.assign(target=data.target.expand_dims(member=5).transpose("init_time", "member", ...))
    values, notes = score(repeated)
    assert agree(values, on_map(members, gaps)) and "'target' is repeated for each member; it is used once" in notes
    other = repeated.target.copy()
    other[3, 2] += 1
    with pytest.raises(ValueError, match="differs from member to member; choose another with --target"):
        score(data.assign(target=other, truth=data.target))
    assert agree(score(data.assign(target=other, truth=data.target), target="truth")[0], on_map(members, gaps))


def test_yes_and_no_are_scored_as_numbers():
    members, target = numbers()
    event = dataset((members > 10).astype("i1"), target > 10)
    assert agree(score(event)[0], on_map(members > 10, (target > 10).astype(float)))


def test_members_and_targets_of_two_widths_are_scored_together():
    members, target = numbers()
    values, _ = score(dataset(members.astype("f4"), target))
    assert agree(values, on_map(members.astype("f4"), target))


def test_means_far_apart_are_a_note_where_the_units_do_not_tell():
    members, target = numbers()
    for units in ({}, {"units": "K"}):
        _, notes = score(dataset(members, target + 273.15, forecast_attrs=units, target_attrs=units))
        assert len(notes) == 1 and "check that both are the same quantity in the same units" in notes[0]


def test_a_target_that_is_not_held_in_memory_gives_the_same_scores(monkeypatch):
    members, target = numbers()
    broken = np.where(np.isnan(with_gaps(target, (3, 77, 78, 200))), -9999.0, target)
    held, notes = score(dataset(members, broken))
    monkeypatch.setattr("stochattn_core.readers.ensemble.values.IN_MEMORY", 1)
    for budget in (1, 2**26):
        values, same_notes = score(dataset(members, broken), budget=budget)
        assert agree(values, {key: held[key] for key in ("rmse", "spread", "crps_fair", "w1", "n")}) and same_notes == notes


def test_chunks_that_are_read_many_times_are_said():
    members, target = numbers()
    encoding = {"forecast": {"chunksizes": (1, 12, 5, 6)}}
    values, notes = score(dataset(members, target), encoding=encoding, budget=1)
    assert agree(values, on_map(members, target)) and "stored in chunks of 12 cases, each of which is read 12 times" in notes[0]
    assert not score(dataset(members, target), encoding=encoding)[1]
