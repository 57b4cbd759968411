"""Elements that Streamlit lacks, as HTML with their style: title, tiles, sentence under a figure, verdict, table, steps."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from pages.ui import figure
from stochattn_core.figures.theme import DARK, LIGHT
from stochattn_core.metrics.scores import Grade
from stochattn_core.panels.tiles import Tile

_ICON = str(Path(__file__).with_name("icon.svg"))  # a local file, because a material icon would be fetched from another host
ROLES = ("ensemble", "truth", "plain", "error", "reference", "band90", "band50", "good", "doubtful", "bad", "paper")
_COLOURS = "".join(f"--{role}: light-dark({getattr(LIGHT, role)}, {getattr(DARK, role)});" for role in (*ROLES, "text"))


_STYLE = (
    """
<style>
.stApp { """
    + _COLOURS
    + """ --line: light-dark(#e2e2dc, #2b333e); --tile: light-dark(#f6f6f2, #181e26); }

[class*="st-key-"][class*="-ground"] { display: none; }
.sa-figure { width: 100%; overflow: hidden; }
.sa-figure svg tspan[style*="font-weight: 400"] { fill-opacity: 0.66; }
.stMainBlockContainer { max-width: 1500px; padding-left: 2.2rem; padding-right: 2.2rem; }
.stApp, .stApp table { font-variant-numeric: tabular-nums; }
[data-testid="stSidebar"][aria-expanded="true"] { min-width: 310px !important; }
[data-testid="stSidebar"] input[role="combobox"] { text-overflow: ellipsis; }
.st-key-task [role="radiogroup"], .st-key-view [role="radiogroup"] { flex-wrap: nowrap; }
.st-key-task [data-baseweb="button-group"], .st-key-view [data-baseweb="button-group"] { flex-wrap: nowrap; }
.st-key-task button, .st-key-view button { padding-left: 0.4rem; padding-right: 0.4rem; min-width: 0; }
.st-key-nu [data-testid="stSliderTickBar"] { display: none; }
[data-testid="stHeader"] { background: transparent; }
.sa-title { line-height: 1.25; }
.sa-title b { font-size: 1.3rem; font-weight: 650; letter-spacing: -0.01em; }
.sa-title span { display: block; color: var(--text); font-size: 0.93rem; margin-top: 0.15rem; }
.sa-strip { display: grid; grid-template-columns: repeat(auto-fit, minmax(158px, 1fr)); gap: 0.6rem; }
.sa-tile { background: var(--tile); border: 1px solid var(--line); border-left: 3px solid var(--line); border-radius: 0.5rem;
  padding: 0.5rem 0.75rem 0.55rem; min-width: 0; }
.sa-tile.good { border-left-color: var(--good); } .sa-tile.doubtful { border-left-color: var(--doubtful); }
.sa-tile.bad { border-left-color: var(--bad); }
.sa-name { color: var(--text); font-size: 0.82rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.sa-value { font-size: 1.5rem; font-weight: 600; line-height: 1.3; white-space: nowrap; }
.sa-value small { font-size: 0.82rem; font-weight: 400; color: var(--text); margin-left: 0.25rem; }
.sa-word { font-size: 0.84rem; font-weight: 600; }
.good .sa-word { color: var(--good); } .doubtful .sa-word { color: var(--doubtful); } .bad .sa-word { color: var(--bad); }
.sa-beside { font-size: 0.82rem; color: var(--text); margin-top: 0.1rem; }
.sa-reading { border-left: 2px solid var(--band90); padding-left: 0.6rem; font-size: 0.93rem; line-height: 1.45; margin: 0 0 0.4rem; }
.sa-verdict { border: 1px solid var(--line); border-left: 4px solid var(--line); border-radius: 0.5rem; background: var(--tile);
  padding: 0.8rem 1rem; font-size: 1rem; line-height: 1.5; }
.sa-verdict b { display: block; font-size: 1.05rem; margin-bottom: 0.15rem; }
.sa-then { display: block; margin-top: 0.3rem; }
.sa-verdict.good { border-left-color: var(--good); } .sa-verdict.doubtful { border-left-color: var(--doubtful); }
.sa-verdict.bad { border-left-color: var(--bad); }
.sa-verdict.good b { color: var(--good); } .sa-verdict.doubtful b { color: var(--doubtful); } .sa-verdict.bad b { color: var(--bad); }
.sa-label b { font-weight: 600; } .sa-label span { color: var(--text); font-size: 0.9rem; margin-left: 0.4rem; }
.sa-label em { font-style: normal; color: var(--text); font-size: 0.84rem; float: right; }
.st-key-instrument { border: 1px solid var(--line); border-radius: 0.6rem; padding: 0.7rem 1rem 0.9rem; }
.sa-steps { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 1rem; margin-top: 1rem; }
.sa-step { border-top: 2px solid var(--band90); padding-top: 0.6rem; color: var(--text); line-height: 1.5; }
.sa-step i { font-style: normal; color: var(--ensemble); font-weight: 650; margin-right: 0.5rem; }
.sa-step b { display: inline; font-weight: 600; color: light-dark(#16191f, #e9e7e1); } .sa-step b::after { content: ""; display: block; height: 0.2rem; }
.sa-table { border-collapse: collapse; width: 100%; font-size: 0.92rem; }
.sa-scroll { overflow-x: auto; }
.sa-table th { text-align: right; font-weight: 500; color: var(--text); border-bottom: 1px solid var(--line); padding: 0.35rem 0.6rem; }
.sa-table td { text-align: right; border-bottom: 1px solid var(--line); padding: 0.35rem 0.6rem; }
.sa-table td { white-space: nowrap; }
.sa-table th:first-child, .sa-table td:first-child { text-align: left; padding-left: 0; white-space: normal; min-width: 7rem; }
.sa-facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1rem; margin: 0.4rem 0; font-size: 0.93rem; line-height: 1.45; }
.sa-facts span { color: var(--text); }
@media (max-width: 640px) {
  .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
  .sa-strip { grid-template-columns: 1fr 1fr; }
  .sa-strip .sa-tile:last-child:nth-child(odd) { grid-column: 1 / -1; }
  .sa-value { white-space: normal; line-height: 1.15; }
  .sa-table { font-size: 0.82rem; }
  .sa-table th, .sa-table td { padding: 0.3rem 0.3rem; white-space: normal; }
  .st-key-view button { padding-left: 0.15rem; padding-right: 0.15rem; }
  .st-key-view button p { font-size: 0.8rem; }
}
</style>
"""
)


def style() -> None:
    st.set_page_config(page_title="Stochastic attention", page_icon=_ICON, layout="wide")
    st.html(_STYLE)


def title(text: str, beneath: str) -> None:
    st.html(f'<div class="sa-title"><b>{escape(text)}</b><span>{escape(beneath)}</span></div>')


def strip(tiles: list[Tile]) -> None:
    st.html(f'<div class="sa-strip">{"".join(_tile(tile) for tile in tiles)}</div>')


def reading(sentence: str) -> None:
    st.html(f'<p class="sa-reading">{escape(sentence)}</p>')


def verdict(grade: Grade, heading: str, sentence: str, then: str = "") -> None:
    """Draw a heading in the colour of its grade, the reason, and what to do next."""
    more = f'<span class="sa-then">{escape(then)}</span>' if then else ""
    st.html(f'<div class="sa-verdict {grade}"><b>{escape(heading)}</b>{escape(sentence)}{more}</div>')


def table(head: list[str], rows: list[list[str]]) -> None:
    """Draw a table with names on the left and numbers aligned on the right; it scrolls sideways on a narrow screen."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    st.html(f'<div class="sa-scroll"><table class="sa-table"><tr>{top}</tr>{body}</table></div>')


def facts(rows: list[list[str]]) -> None:
    """Draw a list of labels and what is so, in two columns."""
    cells = "".join(f"<span>{escape(label)}</span><div>{escape(text)}</div>" for label, text in rows)
    st.html(f'<div class="sa-facts">{cells}</div>')


def plot(drawn: go.Figure, sentence: str | None = None, *, key: str, on_box: Callable[[], None] | None = None) -> None:
    """Draw a figure as wide as its column and the sentence under it. on_box: see figure.draw."""
    figure.draw(drawn, key=key, on_box=on_box)
    if sentence:
        reading(sentence)


def _tile(tile: Tile) -> str:
    judgement = tile.judgement
    grade = judgement.grade if judgement else ""
    word = f"{judgement.mark} {escape(judgement.word)}" if judgement else "&nbsp;"
    units = f"<small>{escape(tile.units)}</small>" if tile.units else ""
    return (
        f'<div class="sa-tile {grade}" title="{escape(tile.explanation)}"><div class="sa-name">{escape(tile.name)}</div>'
        f'<div class="sa-value">{escape(tile.value)}{units}</div><div class="sa-word">{word}</div>'
        f'<div class="sa-beside">{escape(tile.beside)}</div></div>'
    )


def capital(text: str) -> str:
    """Return the text with a capital first letter; the other letters stay as they are."""
    return text[:1].upper() + text[1:]


def label(name: str, beneath: str, aside: str = "") -> None:
    st.html(f'<div class="sa-label"><b>{escape(name)}</b> <span>{escape(beneath)}</span><em>{escape(aside)}</em></div>')


def steps(named: tuple[tuple[str, str], ...]) -> None:
    """Draw numbered steps side by side."""
    cells = "".join(f'<div class="sa-step"><i>{i}</i><b>{escape(name)}</b>{escape(text)}</div>' for i, (name, text) in enumerate(named, 1))
    st.html(f'<div class="sa-steps">{cells}</div>')
