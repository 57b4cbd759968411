"""DATASETS, the table of datasets. A new one is a new file and a new line here; pages, commands and contract tests loop over the table.

A line names the module and function that load the dataset, and the module is imported when the dataset is loaded: the table itself is cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from stochattn_core.datasets.base import Dataset, Task
from stochattn_core.extras import explained_extras


@dataclass(frozen=True)
class Entry:
    """One line of the table.

    load: returns the dataset.   needs: what has to be fetched first, in words; "" for an embedded dataset, which needs no network.
    """

    title: str
    task: Task
    load: Callable[[], Dataset]
    needs: str = ""

    @property
    def embedded(self) -> bool:
        return not self.needs

    @property
    def availability(self) -> str:
        """ "embedded", or what has to be fetched first."""
        return self.needs or "embedded"


def _from(module: str, function: str = "load", *arguments: object) -> Callable[[], Dataset]:
    """Return a function that imports this module of the package and calls its function with these arguments."""

    def load() -> Dataset:
        dataset: Dataset = getattr(import_module(f"stochattn_core.{module}"), function)(*arguments)
        return dataset

    return load


_OPENML = "a download from openml.org at first use"
_GITHUB = "a download from github.com at first use"
_WEATHERBENCH = "a download of about 0.5 GB at first use"

DATASETS: dict[str, Entry] = {
    "diabetes": Entry("Diabetes progression", "table", _from("datasets.diabetes")),
    "synthetic-table": Entry("Synthetic table, true spread known", "table", _from("datasets.synthetic", "load_table")),
    "elnino": Entry("El Nino sea surface temperature", "series", _from("datasets.statsmodels_series", "load_elnino")),
    "co2": Entry("Carbon dioxide at Mauna Loa", "series", _from("datasets.statsmodels_series", "load_co2")),
    "sunspots": Entry("Yearly sunspot numbers", "series", _from("datasets.statsmodels_series", "load_sunspots")),
    "synthetic-series": Entry("Synthetic tide, true spread known", "series", _from("datasets.synthetic", "load_series")),
    "planet": Entry("Simulated planet, Z500 24 h ahead", "grid", _from("datasets.planet", "load", "geopotential_500", 24)),
    "planet-72h": Entry("Simulated planet, Z500 72 h ahead", "grid", _from("datasets.planet", "load", "geopotential_500", 72)),
    "energy": Entry("Heating load of buildings (UCI energy)", "table", _from("datasets.uci", "load", "energy"), _OPENML),
    "concrete": Entry("Compressive strength of concrete (UCI concrete)", "table", _from("datasets.uci", "load", "concrete"), _OPENML),
    "wine": Entry("Quality of red wine (UCI wine)", "table", _from("datasets.uci", "load", "wine"), _OPENML),
    "yacht": Entry("Residuary resistance of yachts (UCI yacht)", "table", _from("datasets.uci", "load", "yacht"), _OPENML),
    "kin8nm": Entry("Reach of a robot arm (kin8nm)", "table", _from("datasets.uci", "load", "kin8nm"), _OPENML),
    "era5": Entry("ERA5 at 5.625 degrees, Z500 24 h ahead", "grid", _from("readers.era5"), _WEATHERBENCH),
    "ETTh1": Entry("Transformer oil temperature, ETTh1", "series", _from("datasets.ett", "load", "ETTh1"), _GITHUB),
    "ETTh2": Entry("Transformer oil temperature, ETTh2", "series", _from("datasets.ett", "load", "ETTh2"), _GITHUB),
    "ETTm1": Entry("Transformer oil temperature, ETTm1", "series", _from("datasets.ett", "load", "ETTm1"), _GITHUB),
    "ETTm2": Entry("Transformer oil temperature, ETTm2", "series", _from("datasets.ett", "load", "ETTm2"), _GITHUB),
}


def load_dataset(name: str) -> Dataset:
    """Return the dataset with this name, ready for a model of the same task. Embedded ones need no network.

    The planet has more names than its lines in the table: planet-VARIABLE-LEADh, see planet.name_of.
    """
    if name in DATASETS:
        with explained_extras():
            return DATASETS[name].load()
    if name.startswith("planet"):
        from stochattn_core.datasets import planet  # loads spherical harmonics, which no other name needs

        choice = planet.choice_of(name)
        if choice is not None:
            return planet.load(*choice)
    raise ValueError(f"expected the name of a dataset, one of {', '.join(DATASETS)}, got {name!r}; pick one of these")
