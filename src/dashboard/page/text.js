// Numbers as people read them, and elements that only ever hold text: what comes from users
// (names of columns, paths, messages) never meets a parser of HTML.

const scaled = (n, step, units) => {
  let i = 0;
  while (Math.abs(n) >= step * 0.9995 && i + 1 < units.length) { n /= step; i++; }
  const digits = i === 0 || Math.abs(n) >= 99.95 ? 0 : 1;
  return [n.toFixed(digits), units[i]];
};
const spaced = ([number, unit]) => (unit ? `${number} ${unit}` : number);
const bytes = (n) => (n == null ? "–" : spaced(scaled(n, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"])));
const count = (n) => (n == null ? "–" : spaced(scaled(n, 1000, ["", "k", "M", "G", "T"])));
const whole = (n) => (n == null ? "–" : Math.round(n).toLocaleString("en").replaceAll(",", "\u202f"));
const seconds = (s) => {
  if (s == null || !Number.isFinite(s)) return "–";
  if (s < 0.0000005) return "0 s";
  if (s < 0.001) return `${Math.round(s * 1e6)} µs`;
  if (s < 0.0995) return `${(s * 1e3).toFixed(s < 0.00995 ? 2 : 1)} ms`;
  if (s < 9.995) return `${s.toFixed(2)} s`;
  if (s < 99.95) return `${s.toFixed(1)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(Math.floor(s % 60)).padStart(2, "0")} s`;
  return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
};
const plural = (n, one, many) => `${whole(n)} ${n === 1 ? one : many}`;

const byId = (id) => document.getElementById(id);

/** An element with attributes, and children that are elements or texts. */
const el = (tag, attributes, ...children) => {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (v != null) e.setAttribute(k, v);
  }
  e.append(...children);
  return e;
};
const SVG = "http://www.w3.org/2000/svg";
const svg = (tag, attributes, ...children) => {
  const e = document.createElementNS(SVG, tag);
  for (const [k, v] of Object.entries(attributes || {})) e.setAttribute(k, v);
  e.append(...children);
  return e;
};

/** Changes only what is different, so that a page that stands still costs nothing. */
const setText = (e, text) => { if (e.textContent !== text) e.textContent = text; };
const setClass = (e, name) => { if (e.getAttribute("class") !== name) e.setAttribute("class", name); };
const setWidth = (e, share) => {
  const w = `${(100 * Math.max(0, Math.min(1, share || 0))).toFixed(1)}%`;
  if (e.style.width !== w) e.style.width = w;
};

const KINDS = 8;
const kind = (stage) => `k${(((stage | 0) % KINDS) + KINDS) % KINDS}`;
const chip = (stage) => el("span", { class: `chip ${kind(stage)}` }, String(stage));

/** A button that copies a text, and says so. */
const copyButton = (button, text) => {
  button.addEventListener("click", async (event) => {
    event.stopPropagation();
    let said = "Copied";
    try { await navigator.clipboard.writeText(text()); } catch { said = "Not allowed"; }
    const label = button.dataset.label ?? (button.dataset.label = button.textContent);
    button.textContent = said;
    setTimeout(() => { button.textContent = label; }, 1200);
  });
};
