// What happens over time: the window of time that all charts share, the canvases, and the hand that
// moves them (pointer, wheel, keys). The charts themselves are in stream.js and memory.js.

/** Colours of the style sheet as canvases need them; read again when light turns dark. */
const ink = { stages: [] };
const readInk = () => {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ink", "soft", "card", "line", "grid", "sunken", "accent", "reserved", "loose", "spilled", "limit"]) {
    ink[name] = style.getPropertyValue(`--${name}`).trim();
  }
  ink.stages = Array.from({ length: KINDS }, (_, i) => style.getPropertyValue(`--s${i}`).trim());
  ink.sans = getComputedStyle(document.body).fontFamily;
};
const stageInk = (s) => ink.stages[((s % KINDS) + KINDS) % KINDS];

/** The window of time that is shown, in seconds; `mode` says what it follows. */
const view = {
  from: 0, to: 1, mode: "all", hover: null, drag: null, stale: true,
  LAST: 5,
  follow(model) {
    const end = Math.max(model.now, 1e-4);
    if (this.mode === "all") [this.from, this.to] = [0, end];
    if (this.mode === "last") [this.from, this.to] = [Math.max(0, end - this.LAST), Math.max(end, this.LAST)];
    this.end = end;
  },
  set(from, to) {
    const least = 2e-5;
    const span = Math.max(least, Math.min(to - from, this.end));
    const start = Math.max(0, Math.min(from + (to - from - span) / 2, this.end - span));
    [this.from, this.to] = [start, start + span];
    this.mode = start <= 0 && start + span >= this.end * 0.9999 ? "all" : "free";
    this.changed();
  },
  zoom(by, around = (this.from + this.to) / 2) {
    this.set(around - (around - this.from) * by, around + (this.to - around) * by);
  },
  pan(by) {
    const d = Math.max(-this.from, Math.min((this.to - this.from) * by, this.end - this.to));
    this.set(this.from + d, this.to + d);
  },
  changed() { this.stale = true; ask(); },
};

/** A canvas that keeps the size of its box, in device pixels. */
const surface = (id, height) => {
  const canvas = byId(id);
  const s = { canvas, pen: canvas.getContext("2d"), width: 0, height: 0, left: 0 };
  s.fit = () => {
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [canvas.clientWidth, Math.round(height())];
    if (canvas.style.height !== `${h}px`) canvas.style.height = `${h}px`;
    const [dw, dh] = [Math.round(w * ratio), Math.round(h * ratio)];
    if (canvas.width !== dw || canvas.height !== dh) [canvas.width, canvas.height] = [dw, dh];
    [s.width, s.height, s.left] = [w, h, gutter(w)];
    s.pen.setTransform(dw / Math.max(w, 1), 0, 0, dh / h, 0, 0);
    s.pen.clearRect(0, 0, w, h);
  };
  s.x = (t) => s.left + ((t - view.from) / (view.to - view.from)) * (s.width - s.left);
  s.time = (x) => view.from + ((x - s.left) / Math.max(1, s.width - s.left)) * (view.to - view.from);
  return s;
};
/** Room at the left for the names of rows and axes: the same in all charts, so that times align. */
const gutter = (width) => (width < 560 ? 58 : 82);

/** Steps of an axis: 1, 2 or 5 times a power of ten, or of powers of two for bytes. */
const steps = (span, most, binary) => {
  const base = binary ? 1024 ** Math.floor(Math.log(Math.max(span / most, 1)) / Math.log(1024)) : 1;
  const raw = span / most / base;
  const ten = 10 ** Math.floor(Math.log10(Math.max(raw, 1e-12)));
  const nice = (binary ? [1, 2, 4, 8, 10] : [1, 2, 5, 10]).find((m) => m * ten >= raw * 0.999) * ten;
  return nice * base;
};
const tickText = (t, step) => {
  if (step >= 1) return t >= 600 ? `${Math.floor(t / 60)}:${String(Math.round(t % 60)).padStart(2, "0")}` : `${Math.round(t)} s`;
  const digits = Math.min(6, Math.ceil(-Math.log10(step)));
  return `${t.toFixed(digits)} s`;
};

/** Lines of the time axis, and their names below if there is room for them. */
const drawTimes = (s, top, bottom, named) => {
  const { pen } = s;
  const step = steps(view.to - view.from, Math.max(2, (s.width - s.left) / 110));
  pen.strokeStyle = ink.grid;
  pen.fillStyle = ink.soft;
  pen.font = `11px ${ink.sans}`;
  pen.textAlign = "center";
  pen.lineWidth = 1;
  pen.beginPath();
  for (let i = Math.ceil(view.from / step); i * step <= view.to; i++) {
    const x = Math.round(s.x(i * step)) + 0.5;
    pen.moveTo(x, top);
    pen.lineTo(x, bottom);
    if (named && x < s.width - 14) pen.fillText(tickText(i * step, step), Math.max(x, s.left + 8), bottom + 14);
  }
  pen.stroke();
};
/** The moment under the pointer, and the span that is being drawn out. */
const drawHand = (s, top, bottom) => {
  const { pen } = s;
  if (view.drag) {
    const [a, b] = [s.x(Math.min(...view.drag)), s.x(Math.max(...view.drag))];
    pen.globalAlpha = 0.16;
    pen.fillStyle = ink.accent;
    pen.fillRect(a, top, b - a, bottom - top);
    pen.globalAlpha = 1;
  }
  if (view.hover != null && view.hover >= view.from && view.hover <= view.to) {
    const x = Math.round(s.x(view.hover)) + 0.5;
    pen.strokeStyle = ink.soft;
    pen.setLineDash([3, 3]);
    pen.beginPath();
    pen.moveTo(x, top);
    pen.lineTo(x, bottom);
    pen.stroke();
    pen.setLineDash([]);
  }
};

const tip = {
  box: byId("tip"),
  show(x, y, ...children) {
    this.box.replaceChildren(...children);
    this.box.hidden = false;
    const { width, height } = this.box.getBoundingClientRect();
    const [w, h] = [document.documentElement.clientWidth, window.innerHeight];
    this.box.style.left = `${Math.max(4, x + 16 + width > w ? x - width - 16 : x + 16)}px`;
    this.box.style.top = `${Math.max(4, y + 18 + height > h ? y - height - 12 : y + 18)}px`;
  },
  hide() { this.box.hidden = true; },
};
const facts = (pairs) => el("table", {}, el("tbody", {}, ...pairs.filter((p) => p[1] !== "").map(([a, b]) => el("tr", {}, el("td", {}, a), el("td", {}, b)))));

/** Lets a pointer draw out a span, two fingers pinch, and all look; `look(x, y, event)` shows a tip. */
const hand = (s, look) => {
  const { canvas } = s;
  const fingers = new Map(); // where each is, in pixels
  let held = null; // the moments that two fingers hold
  const place = (e) => { const r = canvas.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top]; };
  /** The window of time in which the moments that are held are below the fingers. */
  const pinch = () => {
    const [[a, b], [x, y], width] = [held, [...fingers.values()], Math.max(1, s.width - s.left)];
    if (Math.abs(x - y) < 8 || (b - a) * (y - x) <= 0) return;
    const span = ((b - a) / (y - x)) * width;
    const from = a - ((x - s.left) / width) * span;
    view.set(from, from + span);
  };
  canvas.addEventListener("pointerdown", (e) => {
    if (e.button !== 0) return;
    const [x] = place(e);
    fingers.set(e.pointerId, x);
    canvas.setPointerCapture(e.pointerId);
    view.drag = fingers.size === 1 && x >= s.left ? [s.time(x), s.time(x)] : null;
    held = fingers.size === 2 ? [...fingers.values()].map(s.time) : null;
    tip.hide();
  });
  canvas.addEventListener("pointermove", (e) => {
    const [x, y] = place(e);
    const t = s.time(Math.max(s.left, x));
    if (fingers.has(e.pointerId)) fingers.set(e.pointerId, x);
    if (held) return pinch();
    view.hover = x >= s.left ? t : null;
    if (view.drag) view.drag[1] = Math.min(t, view.end);
    else look(x, y, e);
    view.changed();
  });
  const done = (e) => {
    fingers.delete(e.pointerId);
    held = null;
    const drag = view.drag;
    view.drag = null;
    if (!drag) return;
    const [a, b] = [Math.min(...drag), Math.max(...drag)];
    if (e.type === "pointerup" && s.x(b) - s.x(a) > 6) view.set(a, b);
    else if (e.type === "pointerup") look(...place(e), e);
    view.changed();
  };
  canvas.addEventListener("pointerup", done);
  canvas.addEventListener("pointercancel", done);
  // a finger leaves as soon as it is lifted: what it asked for stays until the next touch
  canvas.addEventListener("pointerleave", (e) => {
    view.hover = null;
    if (e.pointerType !== "touch") tip.hide();
    view.changed();
  });
  canvas.addEventListener("dblclick", () => { view.mode = "all"; view.changed(); });
  canvas.addEventListener("wheel", (e) => {
    const sideways = Math.abs(e.deltaX) > Math.abs(e.deltaY) ? e.deltaX : e.shiftKey ? e.deltaY : 0;
    if (e.ctrlKey || e.metaKey) view.zoom(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 120), s.time(place(e)[0]));
    else if (sideways && view.mode !== "all") view.pan(sideways / s.width);
    else return;
    e.preventDefault();
  }, { passive: false });
};

const zoomTools = () => {
  byId("zoom-in").addEventListener("click", () => view.zoom(0.5));
  byId("zoom-out").addEventListener("click", () => view.zoom(2));
  byId("zoom-all").addEventListener("click", () => { view.mode = "all"; view.changed(); });
  byId("zoom-last").addEventListener("click", () => { view.mode = "last"; view.changed(); });
};
const drawTools = (model) => {
  byId("zoom-all").setAttribute("aria-pressed", String(view.mode === "all"));
  byId("zoom-last").setAttribute("aria-pressed", String(view.mode === "last"));
  byId("zoom-last").hidden = !model.running && view.mode !== "last";
};
