"""Train the embedded weights again: `python -m tools.train_weights [NAME ...]`, all of them without a name.

The same seed gives the same weights on the same machine. Each file is written whole or not at all.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from stochattn_core.datasets import load_dataset
from stochattn_core.datasets.base import Progress
from stochattn_core.datasets.planet import constants
from stochattn_core.datasets.quasi_geostrophic.fields import LATITUDE, VARIABLES
from stochattn_core.datasets.quasi_geostrophic.simulate import simulate
from stochattn_core.datasets.quasi_geostrophic.training import fields
from stochattn_core.models import climax_grid, table_training
from stochattn_core.models.climax_training import Recipe
from stochattn_core.models.timesfm import load_pretrained
from stochattn_core.models.weight_files import EMBEDDED, cache_folder
from tools.climax_training import train_climax
from tools.timesfm_training import train_series

if TYPE_CHECKING:
    from transformers import TimesFm2_5ModelForPrediction

SERIES = ("co2", "elnino", "sunspots")  # only their train parts are used


def train_ft_transformer(dataset_name: str, folder: Path, progress: Progress, seed: int) -> Path:
    dataset = load_dataset(dataset_name)
    network = table_training.train_table(dataset.train, seed=seed, progress=progress)
    path = folder / f"ft_transformer_{dataset_name}.safetensors"
    table_training.save(network, dataset, path)
    return path


def train_timesfm(folder: Path, progress: Progress, seed: int) -> Path:
    """Train the network for every series."""
    network = train_series([load_dataset(name).train for name in SERIES], seed=seed, progress=progress)
    return _save_series(network, folder / "timesfm", {})


def train_timesfm_for(dataset_name: str, folder: Path, progress: Progress, seed: int) -> Path:
    """Train the network for every series further on one train part: for a synthetic set, whose forecast errors are to be noise alone."""
    dataset = load_dataset(dataset_name)
    start: Any = load_pretrained(folder / "timesfm")
    network = train_series([dataset.train], start=start, real_share=1.0, n_step=3000, rate=1.5e-3, seed=seed, progress=progress)
    return _save_series(network, folder / f"timesfm-{dataset_name}", {"dataset": dataset_name, "dataset_sha256": dataset.sha256})


def _save_series(network: TimesFm2_5ModelForPrediction, path: Path, about: dict[str, str]) -> Path:
    """Write config.json and model.safetensors as on the hub, and about.json beside them; each file whole or not at all."""
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
        network.save_pretrained(temporary)
        (Path(temporary) / "about.json").write_text(json.dumps(about, indent=1) + "\n")
        for name in ("config.json", "model.safetensors", "about.json"):
            written = Path(temporary) / name
            written.chmod(0o644)
            os.replace(written, path / name)
    return path


def train_climax_planet(folder: Path, progress: Progress, seed: int, *, years: Path | None = None, recipe: Recipe | None = None) -> Path:
    """Train the small network for the simulated planet, an hour on one core.

    years: a folder of simulated years; None simulates twelve in the cache folder.
    """
    if years is None:
        years = cache_folder().parent / "planet-years"
        simulate(years, 12.0)  # continues a simulation that was stopped, and returns at once after one that was finished
    recipe = recipe or Recipe(seed=seed)
    network = train_climax(
        list(fields(years)),
        VARIABLES,
        LATITUDE.tolist(),
        constants(),
        emphasis={"geopotential_500": 4.0},
        recipe=recipe,
        resume=years / f"climax_training_{recipe.seed}.pt",
        progress=progress,
    )
    path = folder / "climax_planet.safetensors"
    climax_grid.save(path, network, {"model": "climax", "dataset": "planet"})
    return path


JOBS: dict[str, Callable[[Path, Progress, int], Path]] = {
    "climax": train_climax_planet,
    "ft_transformer-diabetes": partial(train_ft_transformer, "diabetes"),
    "ft_transformer-synthetic-table": partial(train_ft_transformer, "synthetic-table"),
    "timesfm": train_timesfm,
    "timesfm-synthetic-series": partial(train_timesfm_for, "synthetic-series"),  # after timesfm, from which it starts
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.train_weights", description="Train the embedded weights again, from nothing.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"among {', '.join(JOBS)}; all if none is given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=EMBEDDED, help="where the weights are written (default: beside the code)")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in JOBS]
    if unknown:
        print(f"expected names among {', '.join(JOBS)}, got {', '.join(unknown)}; choose among these", file=sys.stderr)
        return 2
    for name in chosen.names or JOBS:
        with tqdm(desc=name, unit="step", file=sys.stderr) as bar:

            def progress(done: int, total: int, what: str, bar: tqdm = bar) -> None:
                bar.total = total
                bar.set_description(what, refresh=False)
                bar.update(done - bar.n)

            path = JOBS[name](chosen.folder, progress, chosen.seed)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
