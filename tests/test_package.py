"""The package as it is installed: what the wheel carries, where its files are found, and what is said where an extra is missing."""

import importlib
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import stochattn_core
from stochattn_core import data_files
from stochattn_core.commands import app
from stochattn_core.extras import EXTRA_OF, MissingExtraError, explained_extras

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names of the files in a wheel that is built from a copy of the clone, so that nothing is left in the clone."""
    copy, out = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in set(filter(None, tracked.stdout.decode().split("\0"))):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).symlink_to(ROOT / name)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(out)], cwd=copy, capture_output=True, check=True)
    (path,) = out.glob("*.whl")
    with zipfile.ZipFile(path) as file:
        return set(file.namelist())


def test_the_wheel_carries_every_file_that_the_code_reads(wheel):
    moved = {"data": "stochattn_core/data", "pages": "stochattn_core/dashboard/pages"}
    for folder, target in {**moved, "stochattn_core": "stochattn_core"}.items():
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix not in (".pyc", ".nbc", ".nbi")]
        missing = {f"{target}/{path.relative_to(ROOT / folder).as_posix()}" for path in files} - wheel
        assert files and not missing
    assert {"stochattn_core/dashboard/app.py", "stochattn_core/dashboard/.streamlit/config.toml"} <= wheel


def test_the_wheel_has_one_top_level_package_and_nothing_of_the_project(wheel):
    assert {name.split("/")[0] for name in wheel if ".dist-info/" not in name} == {"stochattn_core"}
    assert not [name for name in wheel if re.search(r"setup\.py|(^|/)(tests|benchmarks|docs)/", name)]


def test_there_is_one_version(wheel):
    (about,) = {name.split("/")[0] for name in wheel if ".dist-info/" in name}
    assert about == f"stochattn-{stochattn_core.__version__}.dist-info"
    assert "version" not in PROJECT and re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?", stochattn_core.__version__)
    assert f"({stochattn_core.__version__.split('.dev')[0]})" in (ROOT / "CHANGELOG.md").read_text()


def test_files_of_data_are_found_in_a_clone_and_in_an_installed_package(tmp_path, monkeypatch):
    assert data_files.data_file("coastline_110m.npz").is_file() and data_files.DATA_FOLDER == ROOT / "data"
    (tmp_path / "stochattn_core" / "data").mkdir(parents=True)
    module = tmp_path / "stochattn_core" / "data_files.py"
    module.write_text(Path(data_files.__file__).read_text())
    installed = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location("installed_data_files", module))
    spec.loader.exec_module(installed)
    assert installed.data_file("x.npz") == tmp_path / "stochattn_core" / "data" / "x.npz"


def test_the_dashboard_is_found_in_a_clone_and_in_an_installed_package(tmp_path, monkeypatch):
    assert app.dashboard() == ROOT / "app.py"
    (tmp_path / "dashboard").mkdir()
    (tmp_path / "dashboard" / "app.py").touch()
    monkeypatch.setattr(app, "_PACKAGE", tmp_path)
    assert app.dashboard() == tmp_path / "dashboard" / "app.py"


def test_every_package_of_an_extra_is_declared_and_none_is_pinned():
    extras = PROJECT["optional-dependencies"]
    assert {"app", "maps", "series", "tables", "files", "grib", "gpu", "dev"} == set(extras) >= set(EXTRA_OF.values())
    names = {"sklearn": "scikit-learn", "h5py": "h5netcdf", "cf_xarray": "cf-xarray"}
    for package, extra in EXTRA_OF.items():
        assert names.get(package, package) in {Requirement(line).name for line in extras[extra]}, package
    assert not [line for lines in (PROJECT["dependencies"], *extras.values()) for line in lines if "==" in line.split(";")[0]]


def test_the_pinned_versions_are_those_that_the_package_allows():
    pinned = {}
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = [line for line in (ROOT / name).read_text().splitlines() if "==" in line]
        pinned |= {each.name: next(iter(each.specifier)).version for each in map(Requirement, lines)}
    for line in (*PROJECT["dependencies"], *(line for lines in PROJECT["optional-dependencies"].values() for line in lines)):
        allowed = Requirement(line)
        if allowed.name not in ("stochattn", "pre-commit"):
            assert allowed.specifier.contains(pinned[allowed.name]), line


def test_a_missing_extra_is_one_sentence():
    sentence = r"expected the package cartopy, which is not installed; pip install 'stochattn\[maps\]'"
    with pytest.raises(MissingExtraError, match=sentence), explained_extras():
        raise ModuleNotFoundError("No module named 'cartopy.crs'", name="cartopy.crs")
    with pytest.raises(ModuleNotFoundError, match="a module of ones own"), explained_extras():
        raise ModuleNotFoundError("a module of ones own", name="own")


PLAIN = """
import argparse, sys
MISSING = ("xarray", "h5netcdf", "zarr", "cf_xarray", "plotly", "cartopy", "matplotlib", "transformers", "statsmodels", "sklearn", "streamlit")
sys.modules.update(dict.fromkeys(MISSING))  # None: an import raises ModuleNotFoundError
from stochattn_core import Setting, evaluate, load_model
from stochattn_core.commands.case import dataset_of
from stochattn_core.datasets.base import thinned
options = argparse.Namespace(grid=None, csv=None, dataset="planet", target=None, time=None, variable=None)
scores = evaluate(load_model("climax"), thinned(dataset_of(options), 2), Setting(4, 2)).scores
print(scores["spread"] > 0)
"""


def test_without_any_extra_the_planet_is_evaluated(tmp_path):
    """The packages of the extras are hidden: what is left is what a plain `pip install` brings."""
    environment = os.environ | {"STOCHATTN_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", PLAIN], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.strip() == "True", done.stderr[-800:]
