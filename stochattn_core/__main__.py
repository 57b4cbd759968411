"""The command line: everything the app does, for scripts and clusters. A user's mistake is one line and exit code 2."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{self.prog}: {message}; see {self.prog} --help\n")
        raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _Parser(prog="python -m stochattn_core", description="Calibrated ensembles from trained transformers.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    _add_list(commands)
    _add_sample(commands)
    _add_score(commands)
    _add_evaluate(commands)
    _add_tune(commands)
    options = parser.parse_args(arguments)
    from stochattn_core.device import use_half_the_cores

    use_half_the_cores()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: sys.stderr.write(f"note: {message}\n")
            result, text = options.run(options)
    except ValueError as error:
        sys.stderr.write(f"{parser.prog} {options.command}: {' '.join(str(error).split())}\n")
        return 2
    except OSError as error:
        sys.stderr.write(
            f"{parser.prog} {options.command}: expected files that can be read and written, got: {error}; check the path and the disk\n"
        )
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("stopped; whole results that were computed before are kept\n")
        return 130
    print(json.dumps(_plain_json(result), indent=2, allow_nan=False) if options.json else text)
    return 0


def _add(commands: Any, name: str, run: Callable, help: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help, description=help)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout and nothing else")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="auto takes the best there is")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random stream")
    return parser


def _add_list(commands: Any) -> None:
    _add(commands, "list", _list, "Models, datasets and other ways to an ensemble.")


def _add_sample(commands: Any) -> None:
    parser = _add(commands, "sample", _sample, "An ensemble and its targets as NetCDF.")
    _add_case(parser)
    _add_setting(parser)
    parser.add_argument("--part", default="test", metavar="train|calibration|test")
    parser.add_argument("--out", required=True, type=Path, metavar="E.nc")


def _add_score(commands: Any) -> None:
    parser = _add(commands, "score", _score, "Every score of an ensemble file, whoever made it: forecast (member, ...), target (...).")
    parser.add_argument("file", type=Path, metavar="E.nc")


def _add_evaluate(commands: Any) -> None:
    parser = _add(commands, "evaluate", _evaluate, "Scores of a model at one concentration on the test part.")
    _add_case(parser)
    _add_setting(parser)
    parser.add_argument(
        "--setting", type=Path, metavar="tuned.json", help="a tuned setting, instead of --concentration, --members, --seed and --mend"
    )


def _add_tune(commands: Any) -> None:
    parser = _add(commands, "tune", _tune, "The concentration at which the spread matches the error, with its interval and a verdict.")
    _add_case(parser)
    parser.add_argument("--members", default="49", metavar="K")
    parser.add_argument("--layers", default="", metavar="GLOB")
    parser.add_argument("--out", type=Path, metavar="tuned.json")


def _add_case(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="a name from `list`")
    parser.add_argument("--dataset", help="a name from `list`; or your own file:")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="a table or, with --time, a series of your own")
    parser.add_argument("--target", metavar="COLUMN")
    parser.add_argument("--time", metavar="COLUMN")
    parser.add_argument("--grid", metavar="FILE_OR_ZARR", help="maps of your own (NetCDF or Zarr, a path or an address), with --variable")
    parser.add_argument("--variable", metavar="NAME")


def _add_setting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--concentration", default="64", metavar="N", help="a positive whole number, or inf for the plain model")
    parser.add_argument("--members", default="49", metavar="K")
    parser.add_argument("--layers", default="", metavar="GLOB", help="which attention layers are sampled, by module name")
    parser.add_argument("--mend", default="", metavar="TEXT", help='a mend such as "inflation 3.2", "fractional 5.4" or "shared"')


def _list(options: argparse.Namespace) -> tuple[Any, str]:
    from stochattn_core.baselines import BASELINES
    from stochattn_core.datasets import DATASETS
    from stochattn_core.models import MODELS

    models = [{"name": name, "task": m.task, "title": m.title, "availability": m.need} for name, m in MODELS.items()]
    datasets = [{"name": name, "task": e.task, "title": e.title, "availability": e.availability} for name, e in DATASETS.items()]
    baselines = [{"name": name, "title": entry.title, "availability": "embedded"} for name, entry in BASELINES.items()]
    rows = [("models", models), ("datasets", datasets), ("baselines", baselines)]
    text = "\n".join(
        f"{kind}\n" + "\n".join(f"  {r['name']:<20} {r.get('task', ''):<7} {r['availability']:<42} {r['title']}" for r in found)
        for kind, found in rows
    )
    return dict(rows), text


def _sample(options: argparse.Namespace) -> tuple[Any, str]:
    from stochattn_core.ensemble_file import check_writable, write_ensemble

    check_writable(options.out)
    evaluation = _evaluated(options, part=options.part)
    write_ensemble(evaluation, options.out)
    shape = dict(zip(("member", *evaluation.ensemble.dims), evaluation.ensemble.members.shape, strict=True))
    return {"out": str(options.out), "shape": shape}, f"{options.out}: " + ", ".join(f"{n} {name}" for name, n in shape.items())


def _score(options: argparse.Namespace) -> tuple[Any, str]:
    from stochattn_core.ensemble_file import read_ensemble
    from stochattn_core.metrics import scores

    ensemble = read_ensemble(options.file)
    found = scores(ensemble.pooled)
    return found, _score_text(found, ensemble.units)


def _evaluate(options: argparse.Namespace) -> tuple[Any, str]:
    evaluation = _evaluated(options, part="test")
    found = {"model": evaluation.model, "dataset": evaluation.dataset, "part": "test", "concentration": evaluation.setting.concentration}
    found |= {
        "seed": evaluation.setting.seed,
        "mend": evaluation.setting.mend,
        "references": dict(evaluation.references),
        **evaluation.scores,
    }
    references = "\n".join(f"  rmse of {name:<24} {value:.6g}" for name, value in evaluation.references.items())
    return found, _score_text(evaluation.scores, evaluation.ensemble.units) + "\n" + references


def _tune(options: argparse.Namespace) -> tuple[Any, str]:
    from stochattn_core.ensemble_file import check_writable
    from stochattn_core.models import load_model
    from stochattn_core.tuning import tune

    if options.out:
        check_writable(options.out)
    model, dataset = load_model(options.model), _dataset(options)
    members = _whole(options.members, "--members")
    with _Bar() as progress:
        found = tune(model, dataset, n_member=members, seed=options.seed, layers=options.layers, device=options.device, progress=progress)
    if options.out:
        found.setting.save(options.out)
    level, low, high = found.interval
    return json.loads(found.setting.dumps()), (
        f"concentration {found.concentration} ({level:.0%} interval {low:.3g} to {high:.3g}), {found.passes} passes\n"
        f"{found.verdict}: {found.sentence}\n{_score_text(found.after.scores, found.after.ensemble.units)}"
    )


def _evaluated(options: argparse.Namespace, part: str) -> Any:
    from stochattn_core.evaluate import evaluate, network_of
    from stochattn_core.models import load_model
    from stochattn_core.models.base import weights_sha256
    from stochattn_core.settings import Setting, TunedSetting

    model, dataset = load_model(options.model), _dataset(options)
    with _Bar() as progress:
        if getattr(options, "setting", None):
            tuned = TunedSetting.load(options.setting)
            network = network_of(model, dataset, device=options.device, progress=progress)
            tuned.check(model.name, weights_sha256(network), dataset.sha256)
            setting = tuned.setting
        else:
            members = _whole(options.members, "--members")
            setting = Setting(_concentration(options.concentration), members, options.seed, options.layers, options.mend)
        return evaluate(model, dataset, setting, part=part, device=options.device, progress=progress)


def _dataset(options: argparse.Namespace) -> Any:
    from stochattn_core.datasets import grids, load_dataset, own_csv

    if options.grid is not None:
        if options.dataset or options.csv or not options.variable:
            raise ValueError(f"expected --variable NAME beside --grid {options.grid}, and no other dataset; name the variable to forecast")
        return _noted(grids.grid_from_file(options.grid, options.variable))
    if options.csv is None:
        if not options.dataset:
            raise ValueError("expected --dataset NAME, --csv FILE or --grid FILE, got none; see the command list")
        if options.target or options.time:
            raise ValueError("expected --target and --time beside --csv alone; a dataset of the list has its own")
        return _noted(load_dataset(options.dataset))
    if options.dataset:
        raise ValueError(f"expected --dataset or --csv, got both ({options.dataset}, {options.csv}); leave one out")
    if not options.target:
        raise ValueError(f"expected --target COLUMN beside --csv {options.csv}, got none; name the column to forecast")
    if options.time:
        return _noted(own_csv.series_from_csv(options.csv, options.time, options.target))
    return _noted(own_csv.table_from_csv(options.csv, options.target))


def _noted(dataset: Any) -> Any:
    """What was done to the data on the way in is said, not done in silence."""
    for note in dataset.notes:
        sys.stderr.write(f"note: {note}\n")
    return dataset


def _concentration(text: str) -> int | float:
    from stochattn_core.attention import check_concentration

    value: int | float | str = text
    for kind in (float, int):
        with contextlib.suppress(ValueError):
            value = kind(text)
    return check_concentration(value)


def _whole(text: str, option: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{option} must be a whole number, got {text!r}; try 49")
    return int(text)


def _score_text(found: dict, units: str) -> str:
    return "\n".join(f"{name:<28} {value:.6g}" for name, value in found.items() if value == value) + (f"\nunits: {units}" if units else "")


def _plain_json(value: Any) -> Any:
    """JSON has no NaN and no infinity: what is unknown is null, the plain model's concentration is "inf"."""
    if isinstance(value, dict):
        return {str(key): _plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "inf" if value == math.inf else None
    return value


class _Bar:
    """A progress bar on stderr that fits the progress protocol, and clears itself."""

    def __enter__(self) -> Callable[[int, int, str], None]:
        self.bar = tqdm(
            total=1, file=sys.stderr, leave=False, disable=None, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
        )
        return self.show

    def show(self, done: int, total: int, what: str) -> None:
        self.bar.total = total
        self.bar.set_description_str(what, refresh=False)
        self.bar.n = min(done, total)
        self.bar.refresh()

    def __exit__(self, *_: object) -> None:
        self.bar.close()


if __name__ == "__main__":
    raise SystemExit(main())
