"""The table of panels: the views and tabs of Explore, the Tune page, the report and the exports loop over it.

A new panel is one file here and one line in PANELS.
"""

from __future__ import annotations

from stochattn_core.panels import (
    aggregates,
    cases,
    coverage,
    event_discrimination,
    event_reliability,
    event_table,
    event_value,
    fan,
    field_map,
    fitted,
    gains,
    lag_correlation,
    lead_time,
    map_association,
    objectives,
    optima,
    period_maps,
    pit,
    provenance,
    ratio_curve,
    regions,
    single_passes,
    slices,
    spaghetti,
    spectra,
    spread_skill,
    vector_scores,
)
from stochattn_core.panels.base import Drawn, OneForecast, Panel, Place, View

__all__ = ["PANELS", "Drawn", "OneForecast", "Panel", "Place", "View", "shown", "tabs"]

PANELS: dict[str, Panel] = {
    panel.key: panel
    for panel in (
        fan.panel,
        fan.panel_at_lead,
        fitted.panel,
        field_map.panel,
        spaghetti.panel,
        pit.panel,
        spread_skill.panel,
        period_maps.rmse,
        period_maps.spread,
        period_maps.ratio,
        map_association.panel,
        lead_time.panel,
        regions.box_panel,
        regions.panel,
        spectra.panel,
        coverage.panel,
        slices.panel,
        slices.pit_panel,
        event_reliability.panel,
        event_discrimination.panel,
        event_value.panel,
        event_table.panel,
        aggregates.panel,
        vector_scores.panel,
        lag_correlation.panel,
        cases.panel,
        provenance.references,
        provenance.parts,
        provenance.layers,
        provenance.groups,
        provenance.scores,
        objectives.panel,
        ratio_curve.panel,
        single_passes.panel,
        optima.panel,
        gains.panel,
    )
}


def shown(view: View, *places: Place) -> list[Panel]:
    """Return the panels of these places that are shown for a view, in the order of the table."""
    return [panel for panel in PANELS.values() if panel.place in places and panel.shows(view)]


def tabs(view: View) -> dict[str, list[Panel]]:
    """Return the panels of each tab, by the title of the tab."""
    by_title: dict[str, list[Panel]] = {}
    for panel in shown(view, "tab"):
        by_title.setdefault(panel.tab, []).append(panel)
    return by_title
