"""stochattn list: the tables of models, datasets and baselines."""

from __future__ import annotations

import argparse

from stochattn_core.commands.base import Answer, Command


def _add_options(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def _run(options: argparse.Namespace) -> Answer:
    from stochattn_core.baselines import BASELINES
    from stochattn_core.datasets import DATASETS
    from stochattn_core.models import MODELS

    models = [{"name": name, "task": m.task, "title": m.title, "availability": m.need} for name, m in MODELS.items()]
    datasets = [{"name": name, "task": e.task, "title": e.title, "availability": e.availability} for name, e in DATASETS.items()]
    baselines = [{"name": name, "title": entry.title, "availability": "embedded"} for name, entry in BASELINES.items()]
    tables = {"models": models, "datasets": datasets, "baselines": baselines}
    text = "\n".join(
        f"{kind}\n" + "\n".join(f"  {r['name']:<20} {r.get('task', ''):<7} {r['availability']:<42} {r['title']}" for r in rows)
        for kind, rows in tables.items()
    )
    return Answer(tables, text)


LIST = Command("list", "Models, datasets and other ways to an ensemble.", _add_options, _run)
