"""From options to model, dataset and setting, and to the work that several commands do with them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypedDict

from stochattn_core.commands.numbers import concentration_number, seconds, whole_number
from stochattn_core.commands.progress import ProgressBar

if TYPE_CHECKING:
    from stochattn_core.datasets.base import Dataset
    from stochattn_core.evaluate import Evaluation
    from stochattn_core.models import Model
    from stochattn_core.readers.text.choices import CsvChoices
    from stochattn_core.tuning import Tuning


def dataset_of(options: argparse.Namespace) -> Dataset:
    """Return the dataset that the options name. Its notes, on what was done to the data, are written to stderr."""
    dataset = _named_or_read(options)
    for note in dataset.notes:
        sys.stderr.write(f"note: {note}\n")
    return dataset


def _named_or_read(options: argparse.Namespace) -> Dataset:
    from stochattn_core import readers  # each reader is imported when it is used: a dataset of the list needs none
    from stochattn_core.datasets import load_dataset

    if options.grid is not None:
        if options.dataset or options.csv or not options.variable:
            raise ValueError(f"expected --variable NAME beside --grid {options.grid}, and no other dataset; name the variable to forecast")
        return readers.grid_from_file(options.grid, variable_of(options), lead_time=steps(options.lead_time, "--lead-time"))
    if options.csv is None:
        if not options.dataset:
            raise ValueError("expected --dataset NAME, --csv FILE or --grid FILE, got none; see the command list")
        if options.target or options.time:
            raise ValueError("expected --target and --time beside --csv alone; a dataset of the list has its own")
        return load_dataset(options.dataset)
    if options.dataset:
        raise ValueError(f"expected --dataset or --csv, got both ({options.dataset}, {options.csv}); leave one out")
    if not options.target:
        raise ValueError(f"expected --target COLUMN beside --csv {options.csv}, got none; name the column to forecast")
    if options.time:
        return readers.series_from_csv(options.csv, options.time, options.target, choices=choices_of(options), **lengths_of(options))
    return readers.table_from_csv(options.csv, options.target, choices=choices_of(options))


def choices_of(options: argparse.Namespace) -> CsvChoices:
    """Return how a text table is written, as the options say."""
    from stochattn_core.readers.text.choices import CsvChoices, fields_of

    return CsvChoices(
        decimal=options.decimal,
        thousands=options.thousands,
        missing=fields_of(options.missing or ""),
        dayfirst=None if options.dayfirst is None else options.dayfirst == "yes",
        timezone=options.timezone,
        header=options.header,
        series=tuple(options.series or ()),
        split=options.split,
    )


class Lengths(TypedDict):
    """Lengths in steps, None where they are not given."""

    horizon: int | None
    context: int | None
    season: int | None


def lengths_of(options: argparse.Namespace) -> Lengths:
    """Return horizon, context and season as the options say."""
    return Lengths(
        horizon=steps(options.horizon, "--horizon"),
        context=steps(options.context, "--context"),
        season=steps(options.season, "--season"),
    )


def steps(text: str | None, option: str) -> int | None:
    """Return the number of an option that may be left out."""
    return None if text is None else whole_number(text, option)


def variable_of(options: argparse.Namespace) -> str:
    """Return the variable with its level, as the grid reader takes it."""
    return str(options.variable) if options.level is None else f"{options.variable}_{options.level}"


def evaluation_of(options: argparse.Namespace, part: str) -> Evaluation:
    """Evaluate the model on one part of the dataset, at the setting of the options or of the file that --setting names."""
    from stochattn_core.evaluate import evaluate, network_of
    from stochattn_core.models import load_model, weights_sha256
    from stochattn_core.settings import Setting
    from stochattn_core.tuned_setting import TunedSetting

    model, dataset = load_model(options.model), dataset_of(options)
    with ProgressBar() as progress:
        if getattr(options, "setting", None):
            tuned = TunedSetting.load(options.setting)
            network = network_of(model, dataset, device=options.device, progress=progress)
            tuned.check(model.name, weights_sha256(network), dataset.sha256)
            setting = tuned.setting
        else:
            n_member = whole_number(options.members, "--members")
            setting = Setting(concentration_number(options.concentration), n_member, options.seed, options.layers, options.correction)
        return evaluate(model, dataset, setting, part=part, device=options.device, progress=progress)


def tuning_of(options: argparse.Namespace, progress: Callable[[int, int, str], None]) -> tuple[Model, Dataset, Tuning]:
    """Tune the model on the calibration part of the dataset; return model, dataset and tuning."""
    from stochattn_core.models import load_model
    from stochattn_core.tuning import Budget, tune

    budget = Budget(
        passes=None if options.max_passes is None else whole_number(options.max_passes, "--max-passes"),
        seconds=None if options.max_seconds is None else seconds(options.max_seconds),
    )
    model, dataset = load_model(options.model), dataset_of(options)
    tuning = tune(
        model,
        dataset,
        objective=options.objective,
        search=options.search,
        n_member=whole_number(options.members, "--members"),
        seed=options.seed,
        layers=options.layers,
        budget=budget,
        device=options.device,
        progress=progress,
    )
    return model, dataset, tuning
