"""ERA5 at 5.625 degrees from WeatherBench 2's public Zarr store, read without an account.

Source: Hersbach et al. (2020), QJRMS 146, 1999; Rasp et al. (2024), JAMES 16, e2023MS004019. Contains modified Copernicus Climate Change
Service information. Nothing is shipped: four years are fetched at first use (about 0.5 GB) and kept in the cache folder as one NetCDF file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.download_folder import download_folder
from stochattn_core.readers.door.axes import rename_axes
from stochattn_core.readers.grid.address import open_address
from stochattn_core.readers.grid.dataset import CONSTANTS, grid_from_file
from stochattn_core.readers.grid.file import PathOrFile, open_grid, read_values

STORE = "weatherbench2/datasets/era5/1959-2023_01_10-6h-64x32_equiangular_conservative.zarr"
PERIOD = ("2015-01-01", "2018-12-31T18")
ENDS = ("2017-01-01", "2018-01-01")  # two years to train, one to calibrate, one to test
INPUTS = {"geopotential": (500,), "temperature": (850,), "2m_temperature": (), "10m_u_component_of_wind": (), "10m_v_component_of_wind": ()}


def load(variable: str = "geopotential_500", lead_time: int = 24) -> Dataset:
    """Return one of Z500, T850, T2m, U10 and V10 at one lead time in hours, forecast from these five at the init time."""
    path = download_folder("era5") / "2015-2018_5.625deg.nc"
    if not path.exists():
        try:
            store = open_address(f"gs://{STORE}")
        except ValueError as error:
            raise ValueError(
                "expected to fetch ERA5 (about 0.5 GB) from WeatherBench 2 (storage.googleapis.com), got "
                f"{type(error.__cause__ or error).__name__}; connect to the internet once, or pick an embedded dataset or a file of your own"
            ) from error
        fetch(store, path)
    return dataset_of(path, variable, lead_time)


def fetch(store: PathOrFile, path: Path, period: Sequence[str] = PERIOD) -> None:
    """Copy the five variables of this period and the constant fields from a store of WeatherBench 2's layout to a NetCDF file."""
    with open_grid(store) as (file, file_name):
        file = rename_axes(file).sel(time=slice(*period))
        fields = {}
        for name, levels in INPUTS.items():
            for level in levels:
                fields[f"{name}_{level}"] = file[name].sel(level=level, drop=True)
            if not levels:
                fields[name] = file[name]
        fields |= {name: file[name] for names in CONSTANTS.values() for name in names if name in file}
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")  # renamed when it is complete, so that no half-written file is ever read
        values = xr.Dataset({name: read_values(field, file_name).astype("float32").drop_encoding() for name, field in fields.items()})
        values.drop_encoding().to_netcdf(unfinished, engine="h5netcdf")
    unfinished.replace(path)


def dataset_of(path: Path, variable: str = "geopotential_500", lead_time: int = 24, ends: tuple[str, str] = ENDS) -> Dataset:
    """Return the Dataset of a file that `fetch` wrote."""
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
