"""ERA5 at 5.625 degrees from WeatherBench 2's public Zarr store, read without an account.

Source: Hersbach et al. (2020), QJRMS 146, 1999; Rasp et al. (2024), JAMES 16, e2023MS004019. Contains modified Copernicus Climate Change
Service information. Nothing is shipped: the years asked for are fetched (about 0.5 GB) and kept in the cache folder as one NetCDF file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.grid_address import located
from stochattn_core.datasets.grid_axes import renamed
from stochattn_core.datasets.grid_file import PathOrFile, open_grid, read_values
from stochattn_core.datasets.grids import CONSTANTS, grid_from_file
from stochattn_core.store import cache_folder

STORE = "weatherbench2/datasets/era5/1959-2023_01_10-6h-64x32_equiangular_conservative.zarr"
PERIOD = ("2015-01-01", "2018-12-31T18")
ENDS = ("2017-01-01", "2018-01-01")  # two years to train, one to calibrate, one to test
INPUTS = {"geopotential": (500,), "temperature": (850,), "2m_temperature": (), "10m_u_component_of_wind": (), "10m_v_component_of_wind": ()}


def load(variable: str = "geopotential_500", lead_time: int = 24) -> Dataset:
    """Z500 (or another of Z500, T850, T2m, U10, V10) at one lead time in hours, from these five at the start."""
    kept = cache_folder() / "era5" / "2015-2018_5.625deg.nc"
    if not kept.exists():
        try:
            store = located(f"gs://{STORE}")
        except ValueError as error:
            raise ValueError(
                "expected to fetch ERA5 (about 0.5 GB) from WeatherBench 2 (storage.googleapis.com), got "
                f"{type(error.__cause__ or error).__name__}; connect to the internet once, or pick an embedded dataset or a file of your own"
            ) from error
        fetch(store, kept)
    return dataset_of(kept, variable, lead_time)


def fetch(store: PathOrFile, kept: Path, period: Sequence[str] = PERIOD) -> None:
    """Copies the five variables of that period and the constant fields from a store of WeatherBench 2's layout to NetCDF."""
    with open_grid(store) as (file, called):
        file = renamed(file).sel(time=slice(*period))
        fields = {}
        for name, levels in INPUTS.items():
            for level in levels:
                fields[f"{name}_{level}"] = file[name].sel(level=level, drop=True)
            if not levels:
                fields[name] = file[name]
        others = [other for each in CONSTANTS.values() for other in each if other in file]
        fields |= {other: file[other] for other in others}
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part")
        whole = xr.Dataset({name: read_values(field, called).astype("float32").drop_encoding() for name, field in fields.items()})
        whole.drop_encoding().to_netcdf(part, engine="h5netcdf")
    part.replace(kept)


def dataset_of(path: Path, variable: str = "geopotential_500", lead_time: int = 24, ends: tuple[str, str] = ENDS) -> Dataset:
    """The Dataset of a file that `fetch` wrote."""
    names = [f"{name}_{levels[0]}" if levels else name for name, levels in INPUTS.items()]
    if variable not in names:
        raise ValueError(f"expected a variable of ERA5 among {', '.join(names)}, got {variable!r}; pick one of these")
    return grid_from_file(
        path,
        variable,
        lead_time=lead_time,
        inputs=names,
        ends=ends,
        name="era5" if (variable, lead_time) == ("geopotential_500", 24) else f"era5-{variable}-{lead_time}h",
        title=f"ERA5 at 5.625 degrees: {variable.replace('_', ' ')}, {lead_time} h ahead",
        origin="ERA5, Hersbach et al. (2020), QJRMS 146, 1999; WeatherBench 2, Rasp et al. (2024), JAMES 16, e2023MS004019",
        licence="CC BY 4.0 (Copernicus)",
    )
