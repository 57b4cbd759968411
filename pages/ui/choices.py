"""What a user can choose: the settings of the pages, their values as text in a link, and positions on the slider."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stochattn_core import corrections
from stochattn_core.datasets import planet
from stochattn_core.datasets.base import Dataset
from stochattn_core.figures.projection import PROJECTIONS
from stochattn_core.metrics.events import DEFAULT_EVENT, Event
from stochattn_core.metrics.regions import Region
from stochattn_core.models import MODELS
from stochattn_core.panels.field_map import FIELDS
from stochattn_core.settings import Setting

TASKS = {"series": "Series", "table": "Table", "grid": "Weather map"}
MEMBERS = (9, 19, 49, 99)  # M + 1 is a multiple of 10, so that ranks fall evenly into the bins of a histogram
GRID: tuple[float, ...] = (*sorted({float(round(2 ** (i / 2))) for i in range(25)}), math.inf)
FORECASTS = {20: "20", 40: "40", 0: "all"}  # of a grid: test starts that are forecast; 0 is every one
YES_NO = {"yes": True, "no": False}
OWN = "own-"  # names of datasets that a session brought


@dataclass(frozen=True, eq=False)
class Job:
    """What is computed: a model by its name, the data, and the setting of the ensemble."""

    model: str
    data: Dataset
    setting: Setting


@dataclass(frozen=True)
class Settings:
    """The choices of a user on all pages.

    lead: 0 for all lead times, else one of the dataset's.   case: a position in the test part.   correction: its text, as in
    `stochattn_core.corrections`.   Of grids alone: forecasts, the number of init times that are forecast (0: all); member, from 1 on;
    box, "south,north,west,east" in degrees or "".   event: the text of a threshold event, such as ">30" or ">q90".
    """

    task: str = "series"
    model: str = ""
    dataset: str = ""
    lead: int = 0
    members: int = 49
    nu: float = 4.0  # wide enough to be seen, cheap enough to be first
    seed: int = 0
    layers: str = ""
    correction: str = ""
    case: int = 0
    prefetch: bool = True  # compute the other concentrations of the slider before they are chosen
    variable: str = ""
    forecasts: int = 20
    projection: str = "robinson"
    view: str = "mean"
    member: int = 1
    wind: bool = False
    box: str = ""
    event: str = DEFAULT_EVENT.text

    @property
    def region(self) -> Region | None:
        """The box that the user drew."""
        return region_of(self.box) if self.box else None

    @property
    def dataset_name(self) -> str:
        """The name under which the dataset is loaded: that of the planet says which variable and lead time."""
        return planet.name_of(self.variable, self.lead) if self.variable else self.dataset

    def of_variable(self, name: str) -> Settings:
        """The same settings for another variable of the planet."""
        return replace(self, variable=name)

    @property
    def concentration(self) -> int | float:
        return math.inf if math.isinf(self.nu) else int(self.nu)

    @property
    def setting(self) -> Setting:
        return Setting(self.concentration, self.members, self.seed, self.layers, self.correction)

    def job(self, data: Dataset) -> Job:
        """Return what is computed for these settings. data: the dataset that they choose."""
        return Job(self.model, data, self.setting)


@dataclass(frozen=True)
class Search:
    """How the Tune page searches: the objective, the kind of search, and the largest number of passes and seconds; None is no limit."""

    objective: str = "pooled"
    search: str = "grid"
    passes: int | None = None
    seconds: int | None = None


def correction_text(correction: str) -> str:
    """Return a correction in words.

    >>> correction_text("inflation 3.21")
    'output inflation × 3.21'
    """
    return corrections.in_words(correction)


def models(task: str) -> dict[str, Any]:
    return {name: model for name, model in MODELS.items() if model.task == task}


def titled(title: str, need: str) -> str:
    """Return a title with what the model or the dataset needs, if it does not come with the app."""
    return title if need == "embedded" else f"{title} · {need}"


def default(task: str) -> Settings:
    """Return the settings with which a task begins; ensembles of weather maps begin small, because each member is large."""
    return Settings(task=task, members=19) if task == "grid" else Settings(task=task)


def unfolded(name: str) -> dict[str, Any]:
    """Return the settings that choose the dataset of this name, the inverse of Settings.dataset_name."""
    choice = planet.choice_of(name)
    return {"dataset": "planet", "variable": choice[0], "lead": choice[1]} if choice else {"dataset": name, "variable": "", "lead": 0}


def as_text(name: str, value: Any) -> str:
    """Return a value as it stands in a link."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ("inf" if math.isinf(value) else str(int(value))) if name == "nu" else str(value)


def region_of(text: str) -> Region:
    """Return the region of the box "south,north,west,east", in degrees. ValueError says what was expected."""
    try:
        edges = [float(part) for part in text.split(",")]
        if len(edges) != 4 or not all(map(math.isfinite, edges)):
            raise ValueError
    except ValueError:
        raise ValueError("expected a box south,north,west,east in degrees, such as 30,60,-20,40") from None
    return Region("Your box", *edges)


def from_text(name: str, text: str, task: str, datasets: Mapping[str, str], data: Callable[[], Dataset]) -> Any:
    """Return the value of a setting from its text in a link. ValueError says what was expected if it cannot be used.

    datasets: titles by name of the datasets of the task.   data: loads the chosen dataset, and is called only where its shape matters.
    """
    if name == "task":
        return _one_of(text, TASKS, "one of")
    if name == "model":
        return _one_of(text, models(task), f"a model for a {task}:")
    if name == "dataset":
        if text.startswith(OWN) and text not in datasets:
            raise ValueError("a file of another session; load it again on Bring your own")
        return _one_of(text, datasets, f"a dataset that is a {task}:")
    if name == "members":
        return int(_one_of(text, [str(n) for n in MEMBERS], "one of"))
    if name == "nu":
        return math.inf if text == "inf" else float(_whole(text, 1, 4096, ", or inf"))
    if name == "seed":
        return _whole(text, 0, 2**31 - 1)
    if name == "variable":
        return _one_of(text, planet.VARIABLES, "a variable of the simulated planet:")
    if name == "forecasts":
        return int(_one_of(text, [str(n) for n in FORECASTS], "one of"))
    if name in ("projection", "view"):
        return _one_of(text, {"projection": PROJECTIONS, "view": FIELDS}[name], "one of")
    if name == "member":
        return _whole(text, 1, MEMBERS[-1])
    if name in ("wind", "prefetch"):
        return YES_NO[_one_of(text, YES_NO, "one of")]
    if name == "box":
        return (region_of(text), text)[1] if text else ""
    if name == "event":
        return Event.parse(text).text
    if name == "correction":
        return corrections.parse(text).text if text else ""
    if name == "case":
        return _whole(text, 0, len(data().test) - 1)
    if name == "lead" and task == "grid":
        return int(_one_of(text, [str(lead) for lead in planet.LEAD_TIMES], "hours, one of"))
    if name == "lead":
        leads = data().lead_time
        if text != "0" and not leads:
            raise ValueError("a table has no lead time; leave the lead out")
        return 0 if text == "0" else _whole(text, leads[0], leads[-1])
    if name == "layers" and len(text) > 200:
        raise ValueError("expected a pattern over module names of at most 200 characters, such as *")
    return text.strip()


def slider_position(nu: float, options: list[float]) -> float:
    """Return the position of a concentration on the slider: 0 is the left end, and each option is 1 further; between two, by logarithm."""
    finite = [option for option in options if math.isfinite(option)]
    if not math.isfinite(nu) or nu >= finite[-1]:
        return float(len(finite) if not math.isfinite(nu) else len(finite) - 1)
    above = next(i for i, option in enumerate(finite) if option > nu)
    left, right = math.log(finite[above - 1]), math.log(finite[above])
    return above - 1 + (math.log(max(nu, finite[above - 1])) - left) / (right - left)


def _one_of(text: str, known: Any, what: str) -> str:
    if text not in known:
        raise ValueError(f"expected {what} {', '.join(known)}")
    return text


def _whole(text: str, low: int, high: int, more: str = "") -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12 or not low <= int(text) <= high:
        raise ValueError(f"expected a whole number from {low} to {high}{more}")
    return int(text)
