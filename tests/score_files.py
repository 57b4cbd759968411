"""A field of forecasts and targets as files of many layouts, and its scores from slow definitions."""

import io

import numpy as np
import xarray as xr

from stochattn_core.ensemble_file import score_file

N_MEMBER, N_CASE, LATITUDE, LONGITUDE = 5, 12, np.array([-75.0, -40.0, 0.0, 35.0, 60.0]), np.array([0.0, 60.0, 120.0, 180.0, 240.0, 300.0])
DAYS = np.datetime64("2020-01-01", "ns") + np.arange(N_CASE) * np.timedelta64(1, "D")
DIMS = ("member", "init_time", "latitude", "longitude")


def numbers(seed=0, n_member=N_MEMBER, shape=(N_CASE, 5, 6)):
    """Members (member, case, latitude, longitude) and target (case, latitude, longitude), larger errors towards the poles, float64."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=shape) + 10
    scale = 1 + np.abs(LATITUDE)[:, None] / 30 if shape[-2:] == (5, 6) else 1.0
    return truth + 0.3 + scale * rng.normal(size=(n_member, *shape)), truth + scale * rng.normal(size=shape)


def dataset(members, target, *, forecast_attrs=None, target_attrs=None, **coordinates):
    """The field with the names of this project."""
    usual = {
        "init_time": DAYS,
        "latitude": ("latitude", LATITUDE, {"units": "degrees_north"}),
        "longitude": ("longitude", LONGITUDE, {"units": "degrees_east"}),
    }
    return xr.Dataset(
        {"forecast": (DIMS, members, forecast_attrs or {}), "target": (DIMS[1:], target, target_attrs or {})}, {**usual, **coordinates}
    )


def stored(data, name="e.nc", encoding=None, engine="h5netcdf"):
    """The dataset as a NetCDF file in memory, with a name."""
    file = io.BytesIO()
    data.to_netcdf(file, engine=engine, encoding=encoding)
    file.name = name
    file.seek(0)
    return file


def score(data, truth=None, encoding=None, engine="h5netcdf", **options):
    """Scores and notes of a dataset, through a file. truth: a dataset too."""
    result = score_file(
        stored(data, encoding=encoding, engine=engine), truth=None if truth is None else stored(truth, "truth.nc"), **options
    )
    return result.values, list(result.notes)


def areas(latitude):
    """Area of each row of cells, mean 1: edges half-way between rows, outermost rows as wide outwards as inwards, cut at the poles."""
    latitude = np.asarray(latitude, float)
    inner = (latitude[1:] + latitude[:-1]) / 2
    edges = np.array([latitude[0] - (inner[0] - latitude[0]), *inner, latitude[-1] + (latitude[-1] - inner[-1])])
    area = np.abs(np.diff(np.sin(np.deg2rad(np.clip(edges, -90, 90)))))
    return area / area.mean()


def expected(members, target, weights=None):
    """RMSE, spread, fair CRPS, bias and 50% coverage over the elements with a target. weights: (*event) or broadcast to it."""
    members, target = np.asarray(members, float), np.asarray(target, float)
    weights = np.broadcast_to(1.0 if weights is None else weights, target.shape) * np.isfinite(target)
    m = len(members)

    def mean(values):
        return float((np.where(np.isfinite(target), values, 0) * weights).sum() / weights.sum())

    between = sum(np.abs(members[i] - members[j]) for i in range(m) for j in range(m)) / (m * (m - 1))
    return {
        "rmse": mean((members.mean(0) - target) ** 2) ** 0.5,
        "spread": mean(members.var(0, ddof=1)) ** 0.5,
        "crps_fair": mean(np.abs(members - target).mean(0) - between / 2),
        "bias": mean(members.mean(0) - target),
        "n": int(np.isfinite(target).sum()),
    }


def on_map(members, target):
    """The expected scores of the field above, cells by their area."""
    return expected(members, target, areas(LATITUDE)[:, None])


def agree(values, wanted, tolerance=1e-12):
    """Are these scores those wanted? Raises with the first that is not."""
    for name, number in wanted.items():
        assert abs(values[name] - number) <= tolerance * max(1, abs(number)), f"{name}: {values[name]!r}, not {number!r}"
    return True
