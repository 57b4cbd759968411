"""Names the kinds of grid that are refused: curvilinear, rotated, projected, unstructured, spectral, single fields and climatologies."""

from __future__ import annotations

import xarray as xr

UNSTRUCTURED = ("cell", "cells", "ncells", "ncell", "ncol", "node", "nod2", "values", "points", "gridpoint", "station", "location", "rgrid")
SPECTRAL = ("spectral", "nsp", "wave", "wavenumber", "spc")
GRIB_KINDS = {
    "reduced_gg": "a reduced Gaussian grid",
    "reduced_ll": "a reduced grid",
    "unstructured_grid": "an unstructured grid",
    "sh": "spherical harmonics",
}
MONTHS = ("month", "month_of_year", "dayofyear", "day_of_year", "doy", "season", "hour_of_day")
REGRID = "put the fields on a regular grid, for example with cdo {method},r180x90 FILE NEW"


def refuse_axes(dataset: xr.Dataset, array: xr.DataArray, file: str) -> None:
    """Raise a ValueError that names the kind of grid, where time, latitude or longitude is not among the axes of the array.

    dataset: the variable and its coordinates, with the names of this project.   array: the variable, without axes of length 1.
    """
    if "latitude" not in array.dims or "longitude" not in array.dims:
        axis = "latitude" if "latitude" not in array.dims else "longitude"
        came, cure = _kind_of_places(dataset, array, axis)
        raise ValueError(f"expected an axis of {axis} for {array.name!r} in {file!r}, got {came}; {cure}")
    if "time" in array.dims:
        if "time" in array.coords and "climatology" in array["time"].attrs:
            raise ValueError(
                f"expected dates for {array.name!r} in {file!r}, got a climatology ({array.sizes['time']} times, each the mean over many years); "
                "bring the fields of single dates, from which it was computed"
            )
        return
    months = next((str(dim) for dim in array.dims if str(dim).lower() in MONTHS), None)
    if months is not None:
        raise ValueError(
            f"expected an axis of time for {array.name!r} in {file!r}, got the axis {months!r} ({array.sizes[months]} values without a year), a "
            "climatology; bring the fields of single dates, from which it was computed"
        )
    raise ValueError(
        f"expected an axis of time for {array.name!r} in {file!r}, got axes {_axes(array)}; add an axis called time, with the fields of at least 60 dates"
    )


def _kind_of_places(dataset: xr.Dataset, array: xr.DataArray, axis: str) -> tuple[str, str]:
    """Return what came in place of latitude or longitude, and what to do."""
    axes, coordinate = f"axes {_axes(array)}", dataset.coords.get(axis)
    kind = str(array.attrs.get("GRIB_gridType", ""))
    names = [str(dim).lower() for dim in array.dims]
    if any(name.startswith("phony_dim") for name in names):
        return f"{array.ndim} axes without names", "write the file again with names and values of its axes, as xarray's to_netcdf does"
    if kind == "sh" or any(name in SPECTRAL for name in names):
        return f"{axes} of spherical harmonics", "transform the fields to a regular grid, for example with cdo sp2gp FILE NEW"
    if any(str(dataset[dim].attrs.get("standard_name", "")).startswith("grid_l") for dim in array.dims if dim in dataset.coords):
        return f"{axes} of a rotated pole", REGRID.format(method="remapbil")
    if coordinate is not None and coordinate.ndim > 1:
        mapping = str(array.attrs.get("grid_mapping", "")).lower()
        what = "rotated" if "rotated" in mapping or "rlat" in names else "projected" if mapping else "curvilinear"
        return f"{axis} over {coordinate.ndim} dimensions", f"{REGRID.format(method='remapbil')}, because this one is {what}"
    if kind in GRIB_KINDS or any(name in UNSTRUCTURED for name in names) or _is_list_of_points(dataset, array):
        return f"{axes} of {GRIB_KINDS.get(kind, 'an unstructured grid')}", REGRID.format(method="remapdis")
    metres = [dim for dim in array.dims if dim in dataset.coords and _is_distance(dataset[dim])]
    if metres:
        units = dataset[metres[0]].attrs.get("units", "m")
        return f"{axes} of a projected grid ({metres[0]} in {units})", REGRID.format(method="remapbil")
    return axes, f"add an axis called {axis}"


def _is_list_of_points(dataset: xr.Dataset, array: xr.DataArray) -> bool:
    """Are latitude and longitude both given along one and the same axis?"""
    both = [dataset.coords.get(axis) for axis in ("latitude", "longitude")]
    dims = {coordinate.dims for coordinate in both if coordinate is not None and coordinate.ndim == 1}
    return len(dims) == 1 and all(coordinate is not None for coordinate in both) and next(iter(dims))[0] in array.dims


def _is_distance(coordinate: xr.DataArray) -> bool:
    standard_name = str(coordinate.attrs.get("standard_name", ""))
    return standard_name.startswith("projection_") or str(coordinate.attrs.get("units", "")).lower() in (
        "m",
        "km",
        "meter",
        "meters",
        "metre",
        "metres",
    )


def _axes(array: xr.DataArray) -> str:
    return ", ".join(map(str, array.dims)) or "none"
