"""Tables on which papers on uncertainty compare methods; scikit-learn fetches them from OpenML into its cache (SCIKIT_LEARN_DATA)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.table_parts import table_dataset


@dataclass(frozen=True)
class Source:
    """One table on openml.org. data_id names one upload, which is never replaced. The table must have n_row rows and n_feature features."""

    data_id: int
    n_row: int
    n_feature: int
    target: str
    title: str
    units: str
    citation: str
    licence: str
    excluded: tuple[str, ...] = ()  # columns that are not the target and are not known beforehand


SOURCES = {
    "energy": Source(
        44960,
        768,
        8,
        "heating_load",
        "Heating load of buildings (UCI energy)",
        "kWh m-2",
        "Tsanas and Xifara (2012), Energy and Buildings 49, 560",
        "CC BY 4.0",
        excluded=("cooling_load",),
    ),
    "concrete": Source(
        44959,
        1030,
        8,
        "strength",
        "Compressive strength of concrete (UCI concrete)",
        "MPa",
        "Yeh (1998), Cement and Concrete Research 28, 1797",
        "CC BY 4.0",
    ),
    "wine": Source(
        44972,
        1599,
        11,
        "quality",
        "Quality of red wine (UCI wine)",
        "",
        "Cortez et al. (2009), Decision Support Systems 47, 547",
        "CC BY 4.0",
    ),
    "yacht": Source(
        42370,
        308,
        6,
        "Residuary.resistance",
        "Residuary resistance of yachts (UCI yacht)",
        "",
        "Gerritsma, Onnink, Versluis (1981), Delft University of Technology",
        "CC0 as stated on openml.org",
    ),
    "kin8nm": Source(
        44980,
        8192,
        8,
        "y",
        "Reach of a robot arm (kin8nm)",
        "",
        "DELVE, University of Toronto",
        "public, as stated on openml.org",
    ),
}


def load(name: str) -> Dataset:
    source = SOURCES[name]
    from sklearn.datasets import fetch_openml  # scikit-learn takes a second to import

    try:
        frame = fetch_openml(data_id=source.data_id, as_frame=True, parser="auto").frame
    except Exception as error:  # urllib, http, ssl, OpenML and checksum errors all mean the same to the user
        raise ValueError(
            f"expected to fetch {name!r} (number {source.data_id}) from openml.org, got {type(error).__name__}; connect to the internet once, or "
            "pick an embedded dataset or a CSV file of your own"
        ) from error
    if source.target not in frame:
        raise ValueError(
            f"expected the column {source.target!r} in {name!r} from openml.org, got {', '.join(map(str, frame.columns))}; report this"
        )
    features = frame.drop(columns=[source.target, *(column for column in source.excluded if column in frame)])
    if features.shape != (source.n_row, source.n_feature):
        raise ValueError(
            f"expected {source.n_row} rows and {source.n_feature} features in {name!r} from openml.org, got {features.shape[0]} and "
            f"{features.shape[1]}; empty scikit-learn's data folder and try again"
        )
    return table_dataset(
        features.apply(pd.to_numeric).to_numpy(dtype=np.float64),
        pd.to_numeric(frame[source.target]).to_numpy(dtype=np.float64),
        name=name,
        title=source.title,
        target_name=source.target.replace("_", " ").replace(".", " ").lower(),
        units=source.units,
        source=f"{source.citation}; openml.org/d/{source.data_id}",
        licence=source.licence,
        feature_names=tuple(str(column) for column in features.columns),
    )
