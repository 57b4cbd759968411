"""Imports inside the core run one way."""

import pytest

from tests.import_graph import circles, imports_by_module, imports_by_part

OWN = ("settings", "tuned_setting", "ensemble_data", "forecasts", "evaluate", "corrections", "compare", "tuning")


def test_a_circle_is_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert circles({"a": {"b"}, "b": set()}) == []


def test_no_part_of_the_core_imports_itself_by_way_of_another():
    assert circles(imports_by_part(imports_by_module())) == []


@pytest.mark.parametrize("part", OWN)
def test_no_module_between_settings_and_the_comparison_is_in_a_circle(part):
    for circle in circles(imports_by_module()):
        assert not [name for name in circle if name.startswith(f"stochattn_core.{part}")]


def test_the_chain_from_the_comparison_to_the_sampler_runs_down():
    graph = imports_by_part(imports_by_module())
    order = ["compare", "tuning", "evaluate", "forecasts", "settings", "corrections", "ensemble_data"]
    for place, part in enumerate(order):
        assert not graph[part] & set(order[:place]), part
    for part in ("metrics", "models", "datasets", "baselines", "sampling"):
        assert not graph[part] & set(order), part
