"""Makes data/coastline_110m.npz: python -m stochattn_core.datasets.natural_earth land-110m.json

The file is package/land-110m.json of `npm pack world-atlas@2.0.2` (ISC licence): Natural Earth's land at 1:110 million (public
domain) as TopoJSON, in which an outline is a chain of arcs and an arc is a list of integer steps.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from stochattn_core.data_files import data_file


def outlines(topology: dict) -> list[np.ndarray]:
    """Return the closed outlines of the object "land", each (point, 2): longitude and latitude in degrees."""
    scale, corner = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    arcs = [np.cumsum(np.array(arc), axis=0) * scale + corner for arc in topology["arcs"]]
    rings = []
    for geometry in topology["objects"]["land"]["geometries"]:
        for polygon in geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]:
            for ring in polygon:
                # ~i means arc i backwards; each arc begins where the previous one ended
                pieces = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in ring]
                rings.append(np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])]))
    return rings


def write(rings: list[np.ndarray], path: Path) -> None:
    """Write outlines to a .npz file in hundredths of a degree (1.1 km), which is finer than outlines at this scale."""
    points = np.round(100 * np.concatenate(rings)).astype(np.int16)
    start = np.cumsum([0, *(len(ring) for ring in rings)]).astype(np.int32)
    np.savez_compressed(path, hundredth_degree=points, start=start)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("expected one file, land-110m.json of the npm package world-atlas; see the top of this module")
    write(outlines(json.loads(Path(sys.argv[1]).read_text())), data_file("coastline_110m.npz"))
