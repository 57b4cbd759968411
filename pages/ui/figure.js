// A Plotly figure that stays in the page. Every run of the script hands over the whole figure; here it is brought up to date in place,
// once, the ones on the screen first. The library comes from the app's own server, out of the Python package plotly.

const LIBRARY = "_stcore/bidi-components/plotly.library/plotly.min.js";
const CONFIG = { displayModeBar: false, scrollZoom: false };
const ON_GROUND = ["x", "y", "customdata"]; // where a mark may stand in place of an array
const NEAR = "150px"; // beyond the edge of the screen: a figure as near as this is drawn with those on it

const figures = new WeakMap(); // the element that the page gives to a figure -> Figure
const grounds = new Map(); // the element of a ground -> { mark: array }: what a figure is drawn on, sent once (figure.py)
const waiting = new Set(); // figures whose newest content is not drawn yet, in the order in which they came
let library = null;
let isDrawing = false;

function plotly() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const own = document.querySelector('script[src*="static/js/"]').src; // the app may be served under any path
    script.src = new URL(`../../${LIBRARY}`, own).href;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      library = null;
      reject(new Error(`expected the library that draws figures at ${script.src}, got no answer; reload the page`));
    };
    document.head.append(script);
  });
  return library;
}

/** The colours and the type of the page: what the names in a figure (theme.py) stand for here. */
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
  const axis = {
    gridcolor: line, zerolinecolor: line, tickcolor: line, tickfont: { color: muted, size: 11.25 }, title: { font: { color: muted, size: 13 } },
  };
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
    this.edge = new IntersectionObserver(
      (entries) => {
        this.isNear = entries.at(-1).isIntersecting;
        if (this.isNear && waiting.has(this)) drawWaiting();
      },
      { rootMargin: NEAR },
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
    this.place.style.height = `${this.spec.layout.height}px`;
    this.place.setAttribute("aria-label", (this.spec.layout.title?.text ?? "").replace(/<br>/g, ". ").replace(/<[^>]*>/g, ""));
    this.wait();
  }

  wait() {
    this.place.dataset.state = "waiting";
    waiting.delete(this);
    waiting.add(this);
    drawWaiting();
  }

  get isReady() {
    return this.place.clientWidth && this.spec.data.every((trace) => ON_GROUND.every((name) => typeof trace[name] !== "string" || onGround(trace[name])));
  }

  async draw(Plotly) {
    this.width = this.place.clientWidth;
    const layout = { ...this.spec.layout, width: this.width };
    // The library writes into what it is given: the next draw, for a new width, starts from the same figure.
    const data = this.spec.data.map((trace) => {
      const marked = ON_GROUND.filter((name) => typeof trace[name] === "string");
      return { ...trace, ...Object.fromEntries(marked.map((name) => [name, onGround(trace[name])])) };
    });
    await Plotly.react(this.place, data, layout, CONFIG);
    if (this.onBox && !this.listens) {
      this.listens = true;
      this.place.on("plotly_selected", (event) => event?.range && this.onBox(event.range));
    }
    if (!waiting.has(this)) this.place.dataset.state = "drawn";
  }

  remove() {
    waiting.delete(this);
    this.edge.disconnect();
    this.size.disconnect();
    if (window.Plotly) window.Plotly.purge(this.place);
    this.place.remove();
  }
}

/** One figure after the other, so that the browser shows each as soon as it is there and answers in between. */
async function drawWaiting() {
  if (isDrawing) return;
  isDrawing = true;
  try {
    const Plotly = await plotly();
    for (;;) {
      await new Promise((resume) => setTimeout(resume)); // what the same run still has to say comes first
      const ready = [...waiting].filter((figure) => figure.isReady);
      const next = ready.find((figure) => figure.isNear) ?? (ready.length ? await whenIdle(ready[0]) : null);
      if (!next) break;
      waiting.delete(next);
      await next.draw(Plotly);
    }
  } finally {
    isDrawing = false;
  }
}

/** A figure that nobody sees waits until the browser has nothing else to do; one that came into sight meanwhile goes first. */
async function whenIdle(figure) {
  await new Promise((resume) => requestIdleCallback(resume, { timeout: 1000 }));
  return [...waiting].find((one) => one.isNear && one.isReady) ?? (waiting.has(figure) ? figure : [...waiting][0]);
}

function onGround(mark) {
  for (const arrays of grounds.values()) if (mark in arrays) return arrays[mark];
  return null;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const text = new TextDecoder().decode(data);
  if (text.startsWith('{"ground"')) {
    grounds.set(parentElement, JSON.parse(text).ground);
    if (waiting.size) drawWaiting();
    return () => grounds.delete(parentElement);
  }
  let figure = figures.get(parentElement);
  if (!figure) {
    figure = new Figure(parentElement);
    figures.set(parentElement, figure);
  }
  figure.update(text, (range) => setTriggerValue("box", range));
  return () => {
    figure.remove();
    figures.delete(parentElement);
  };
}
