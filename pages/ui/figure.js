// A Plotly figure that stays in the page. Every run of the script sends the whole figure; here it is updated in place, once, and figures on the
// screen come first. The library comes from the server of the app, out of the Python package plotly.

const LIBRARY = "_stcore/bidi-components/plotly.library/plotly.min.js?PLOTLY_VERSION"; // figure.py writes the version
const CONFIG = { displayModeBar: false, scrollZoom: false };
const ON_GROUND = ["x", "y", "customdata"]; // where a mark may stand in place of an array
const NEAR = "150px"; // beyond the edge of the screen: a figure as near as this is drawn with those on it

const NARROW = 500; // pixels: the width of a figure on a phone
const AROUND_MAP = 140; // pixels above and below a map: title, colour bar or legend

const figures = new WeakMap(); // the element that the page gives to a figure -> Figure
const grounds = new Map(); // the element of a ground -> { mark: array }: what a figure is drawn on, sent once (figure.py)
const turns = new WeakMap(); // an element -> how often the page has called with it
const waiting = new Set(); // figures whose newest content is not drawn yet, in the order in which they came
let library = null;
let isDrawing = false;

function plotly() {
  library ??= loaded().catch((problem) => {
    library = null; // the next figure tries again
    throw problem;
  });
  return library;
}

async function loaded() {
  const own = document.querySelector('script[src*="static/js/"]'); // the app may be served under any path
  const address = own ? new URL(`../../${LIBRARY}`, own.src).href : LIBRARY;
  const source = await cachedAddress(address);
  const script = document.createElement("script");
  script.src = source;
  await new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = () => reject(new Error("the library that draws it did not come from the app's server; is it still running? Reload the page"));
    document.head.append(script);
  });
  if (source !== address) URL.revokeObjectURL(source);
  return window.Plotly;
}

/** Return an address of the library in the cache of the browser, by its version: the server sets no age, so it would be fetched at every visit. */
async function cachedAddress(address) {
  if (!window.caches) return address; // only secure addresses and this machine have it
  try {
    const cache = await caches.open("stochattn");
    let answer = await cache.match(address);
    if (!answer) {
      await Promise.all((await cache.keys()).map((older) => cache.delete(older)));
      answer = await fetch(address);
      if (!answer.ok) return address;
      await cache.put(address, answer.clone());
    }
    return URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type: "text/javascript" }));
  } catch {
    return address;
  }
}

/** Return the colours and fonts of the page, for which the names in a figure (theme.py) stand. */
function pageTheme(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(`--st-${name}`).trim();
  const text = read("text-color");
  const colours = { "#000036": faded(text, 0.78), "#000038": read("background-color") };
  read("chart-categorical-colors").split(",").forEach((colour, i) => {
    colours[`#${String(i + 1).padStart(6, "0")}`] = colour.trim();
  });
  return { colours, text, muted: faded(text, 0.78), line: faded(text, 0.12), paper: read("background-color"), font: read("font") };
}

function faded(hex, opacity) {
  const [red, green, blue] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return `rgba(${red},${green},${blue},${opacity})`;
}

function template({ text, muted, line, paper, font }) {
  const tickfont = { color: muted, size: 11.25 };
  const axis = { gridcolor: line, zerolinecolor: line, tickcolor: line, tickfont, title: { font: { color: muted, size: 13 } } };
  return {
    layout: {
      font: { family: font, color: muted, size: 11.25 },
      title: { font: { family: font, color: text, weight: 600 } },
      legend: { font: { color: text }, borderwidth: 0 },
      hoverlabel: { bgcolor: paper, bordercolor: line, font: { family: font, color: text, size: 12 } },
      xaxis: axis,
      yaxis: axis,
    },
  };
}

class Figure {
  constructor(parent) {
    this.place = document.createElement("div");
    this.place.className = "sa-figure";
    this.place.setAttribute("role", "img");
    parent.append(this.place);
    this.isNear = false;
    this.isRemoved = false;
    this.edge = new IntersectionObserver(
      (entries) => {
        this.isNear = entries.at(-1).isIntersecting;
        if (this.isNear && waiting.has(this)) drawWaiting();
      },
      { root: parent.closest("[data-testid=stMain]"), rootMargin: NEAR },
    );
    this.size = new ResizeObserver(() => {
      if (this.spec && this.place.clientWidth && this.place.clientWidth !== this.width) this.wait();
    });
    this.edge.observe(this.place);
    this.size.observe(this.place);
  }

  update(text, onBox) {
    const theme = pageTheme(this.place);
    const content = text.replace(/#0000(?:0\d|10|36|38)/g, (name) => theme.colours[name] ?? name);
    const look = JSON.stringify(theme);
    this.onBox = onBox;
    if (content === this.content && look === this.look) return;
    Object.assign(this, { content, look, spec: JSON.parse(content) });
    this.spec.layout.template = template(theme);
    this.place.style.height = `${heightOf({ ...this.spec.layout, width: this.place.clientWidth || Infinity })}px`;
    this.place.setAttribute("aria-label", (this.spec.layout.title?.text ?? "").replace(/<br>/g, ". ").replace(/<[^>]*>/g, ""));
    this.wait();
  }

  wait() {
    this.place.dataset.state = "waiting";
    waiting.delete(this);
    waiting.add(this);
    drawWaiting();
  }

  /** It has a width and everything that it is drawn on. */
  get isReady() {
    return this.place.clientWidth > 0 && this.spec.data.every((trace) => marked(trace).every((name) => onGround(trace[name])));
  }

  async draw(Plotly) {
    if (this.problem) this.place.textContent = this.problem = "";
    this.width = this.place.clientWidth;
    // The library writes into a layout: the next draw, for a new width, starts from the same one.
    const layout = { ...structuredClone(this.spec.layout), width: this.width };
    layout.height = heightOf(layout);
    this.place.style.height = `${layout.height}px`;
    const data = this.spec.data.map((trace) => ({ ...trace, ...Object.fromEntries(marked(trace).map((name) => [name, onGround(trace[name])])) }));
    await Plotly.react(this.place, data, layout, CONFIG);
    if (this.isRemoved) return Plotly.purge(this.place);
    if (layout.dragmode === "select" && !this.listens) {
      this.listens = true;
      this.place.on("plotly_selected", (event) => event?.range && this.onBox(event.range));
    }
    if (!waiting.has(this)) this.place.dataset.state = "drawn";
  }

  /** One sentence where the figure would be. The next content, or a new width, tries again. */
  fail(problem) {
    if (this.isRemoved) return;
    if (window.Plotly) window.Plotly.purge(this.place);
    this.problem = `This figure could not be drawn: ${problem.message}.`;
    this.place.textContent = this.problem;
    this.place.dataset.state = "failed";
    this.content = this.width = this.listens = null;
  }

  remove() {
    this.isRemoved = true;
    waiting.delete(this);
    this.edge.disconnect();
    this.size.disconnect();
    if (window.Plotly && this.place.dataset.state === "drawn") window.Plotly.purge(this.place);
    this.place.remove();
  }
}

/** Return the height of a figure: on a narrow screen a map, whose axes have one scale, is no higher than it needs to be. */
function heightOf({ width, height, xaxis, yaxis }) {
  if (width > NARROW || !yaxis?.scaleanchor || !xaxis?.range || !yaxis.range) return height;
  const aspect = (yaxis.range[1] - yaxis.range[0]) / (xaxis.range[1] - xaxis.range[0]);
  return Math.min(height, Math.round(width * aspect + AROUND_MAP));
}

/** The names of a trace's arrays of which a mark stands for the array. */
function marked(trace) {
  return ON_GROUND.filter((name) => typeof trace[name] === "string");
}

function onGround(mark) {
  for (const arrays of grounds.values()) if (mark in arrays) return arrays[mark];
  return null;
}

/** One figure after the other, so that the browser shows each as soon as it is there and answers in between. */
async function drawWaiting() {
  if (isDrawing) return;
  isDrawing = true;
  try {
    const Plotly = await plotly();
    for (let hasRested = false; ; ) {
      await new Promise((resume) => setTimeout(resume)); // what the same run still has to say comes first
      const ready = [...waiting].filter((figure) => figure.isReady);
      const next = ready.find((figure) => figure.isNear) ?? (hasRested ? ready[0] : null);
      if (next) {
        waiting.delete(next);
        await next.draw(Plotly).catch((problem) => next.fail(problem));
        hasRested = false;
      } else if (ready.length) {
        // What nobody sees waits until the browser has nothing else to do.
        await new Promise((resume) => (window.requestIdleCallback ?? setTimeout)(resume, { timeout: 1000 }));
        hasRested = true;
      } else break;
    }
  } catch (problem) {
    for (const figure of waiting) figure.fail(problem);
    waiting.clear();
  } finally {
    isDrawing = false;
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const turn = (turns.get(parentElement) ?? 0) + 1;
  turns.set(parentElement, turn);
  // The page may take back a call after it has made the next one: only the latest has something to take away.
  const unlessCalledAgain = (takeAway) => () => turns.get(parentElement) === turn && takeAway();

  const text = new TextDecoder().decode(data);
  if (text.startsWith('{"ground"')) {
    grounds.set(parentElement, JSON.parse(text).ground);
    if (waiting.size) drawWaiting();
    return unlessCalledAgain(() => grounds.delete(parentElement));
  }
  if (!figures.has(parentElement)) figures.set(parentElement, new Figure(parentElement));
  figures.get(parentElement).update(text, (range) => setTriggerValue("box", range));
  return unlessCalledAgain(() => {
    figures.get(parentElement)?.remove();
    figures.delete(parentElement);
  });
}
