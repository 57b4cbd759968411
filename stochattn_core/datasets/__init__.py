"""The table of datasets: a new one is a new file and a new line here; pages, commands and contract tests read the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from stochattn_core.datasets import diabetes, ett, planet, statsmodels_series, synthetic, uci
from stochattn_core.datasets.base import Dataset, Task
from stochattn_core.extras import explained_extras


@dataclass(frozen=True)
class Entry:
    """One line of the table. availability is "embedded", or in words what has to be fetched first."""

    title: str
    task: Task
    load: Callable[[], Dataset]
    availability: str = "embedded"


def _era5() -> Dataset:
    from stochattn_core.datasets import era5  # reads Zarr, which takes long to import: nobody waits for it who does not need it

    return era5.load()


DATASETS: dict[str, Entry] = {
    "diabetes": Entry("Diabetes progression", "table", diabetes.load),
    "synthetic-table": Entry("Synthetic table, true spread known", "table", synthetic.load_table),
    "elnino": Entry("El Nino sea surface temperature", "series", statsmodels_series.load_elnino),
    "co2": Entry("Carbon dioxide at Mauna Loa", "series", statsmodels_series.load_co2),
    "sunspots": Entry("Yearly sunspot numbers", "series", statsmodels_series.load_sunspots),
    "synthetic-series": Entry("Synthetic tide, true spread known", "series", synthetic.load_series),
    **{name: Entry(title, "grid", load) for name, (title, load) in planet.ENTRIES.items()},
    **{name: Entry(source.title, "table", partial(uci.load, name), uci.AVAILABILITY) for name, source in uci.SOURCES.items()},
    "era5": Entry("ERA5 at 5.625 degrees, Z500 24 h ahead", "grid", _era5, "a download of about 0.5 GB at first use"),
    **{name: Entry(f"Transformer oil temperature, {name}", "series", partial(ett.load, name), ett.AVAILABILITY) for name in ett.SHA256},
}


def load_dataset(name: str) -> Dataset:
    """The dataset of that name, ready for a model of the same task. Embedded ones need no network.

    The planet has more names than its lines in the table: planet-VARIABLE-LEADh, see planet.name_of.
    """
    if name not in DATASETS and (choice := planet.choice_of(name)):
        return planet.load(*choice)
    if name not in DATASETS:
        raise ValueError(f"expected the name of a dataset, one of {', '.join(DATASETS)}, got {name!r}; pick one of these")
    with explained_extras():
        return DATASETS[name].load()
