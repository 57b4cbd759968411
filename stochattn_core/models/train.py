"""Trains the embedded weights anew: `python -m stochattn_core.models.train [NAME ...]`, all of them without a name.

The same seed gives the same weights on the same machine. Weights are written beside this file, whole or not at all.
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

from torch import nn
from tqdm import tqdm

from stochattn_core.datasets import load_dataset
from stochattn_core.datasets.base import Progress
from stochattn_core.datasets.planet import constants
from stochattn_core.datasets.quasi_geostrophic.fields import LATITUDE, VARIABLES
from stochattn_core.datasets.quasi_geostrophic.simulate import simulate
from stochattn_core.datasets.quasi_geostrophic.training import fields
from stochattn_core.models import climax_grid, ft_transformer
from stochattn_core.models.climax_training import Recipe, train_climax
from stochattn_core.models.table_training import train_table
from stochattn_core.models.timesfm import load_pretrained
from stochattn_core.models.timesfm_training import train_series
from stochattn_core.models.weights import EMBEDDED, cache_folder

SERIES = ("co2", "elnino", "sunspots")  # only their train parts are seen


def train_ft_transformer(dataset_name: str, folder: Path, progress: Progress, seed: int) -> Path:
    dataset = load_dataset(dataset_name)
    network = train_table(ft_transformer.TableNetwork.for_train, dataset.train, seed=seed, progress=progress)
    path = folder / f"ft_transformer_{dataset_name}.safetensors"
    ft_transformer.save(network, dataset, path)
    return path


def train_timesfm(folder: Path, progress: Progress, seed: int) -> Path:
    """The one for every series."""
    network = train_series([load_dataset(name).train for name in SERIES], seed=seed, progress=progress)
    return _save_series(network, folder / "timesfm", {})


def train_timesfm_for(dataset_name: str, folder: Path, progress: Progress, seed: int) -> Path:
    """The one for every series, trained further on the train part of one: for a set whose noise is all that may be wrong."""
    dataset = load_dataset(dataset_name)
    start = load_pretrained(folder / "timesfm")
    network = train_series([dataset.train], start=start, real_share=1.0, n_step=3000, rate=1.5e-3, seed=seed, progress=progress)
    return _save_series(network, folder / f"timesfm-{dataset_name}", {"dataset": dataset_name, "dataset_sha256": dataset.sha256})


def _save_series(network: nn.Module, path: Path, about: dict[str, str]) -> Path:
    """config.json and model.safetensors as on the hub, about.json beside them; each file whole or not at all."""
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
    """The small one for the simulated planet, an hour on one core. years: a folder of simulated years; without it twelve are simulated in the cache folder."""
    if years is None:
        years = cache_folder().parent / "planet-years"
        simulate(years, 12.0)  # goes on where it was stopped, and is over at once where it was not
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
    parser = argparse.ArgumentParser(prog="python -m stochattn_core.models.train", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"out of {', '.join(JOBS)}; all without one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=EMBEDDED, help="where the weights go (default: beside the code)")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in JOBS]
    if unknown:
        print(f"expected names out of {', '.join(JOBS)}, got {', '.join(unknown)}; pick out of these", file=sys.stderr)
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
