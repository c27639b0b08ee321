// The header, the facts, warnings, and a bar for each stage.

/** What a person has chosen: one stage stands out in all panes. */
const chosen = {
  stage: null,
  listeners: [],
  toggle(stage) {
    this.stage = this.stage === stage ? null : stage;
    for (const f of this.listeners) f();
  },
};

const drawHeader = (model) => {
  const shown = model.lost ? "lost" : model.state;
  const state = byId("state");
  setText(state, model.lost ? "connection lost" : model.state);
  setClass(state, `pill ${shown}`);
  state.title = model.lingers ? "ddf stays until this page is closed" : "";
  const command = byId("command");
  setText(command, model.command);
  const percent = Math.round(100 * model.share);
  const bar = byId("overall");
  setClass(bar, `overall ${model.state}`);
  bar.setAttribute("aria-valuenow", percent);
  setWidth(bar.firstElementChild, model.share);
  const title = `${model.running ? `${percent} % ` : `${model.state}: `}${model.command}`;
  if (document.title !== title) document.title = title;
};

const drawTrouble = (() => {
  let before = "";
  return (model) => {
    const key = JSON.stringify([model.error, model.warnings]);
    if (key === before) return;
    before = key;
    const box = byId("trouble");
    box.replaceChildren();
    if (model.error) {
      box.append(el("p", { class: "trouble error", role: "alert" }, el("b", {}, "Error  "), model.error));
    }
    const n = model.warnings.length;
    if (n === 1) box.append(el("p", { class: "trouble" }, el("b", {}, "Warning  "), model.warnings[0]));
    if (n > 1) {
      const list = el("ul", {}, ...model.warnings.map((w) => el("li", {}, w)));
      box.append(el("div", { class: "trouble" }, el("b", {}, `${n} warnings`), list));
    }
  };
})();

const drawFacts = (() => {
  const tiles = new Map();
  const tile = (name, big, small, meter) => {
    let t = tiles.get(name);
    if (!t) {
      t = { big: el("div", { class: "big" }), small: el("div", { class: "small" }), bar: el("i"), track: null };
      t.track = el("div", { class: "meter", "aria-hidden": "true" }, t.bar);
      byId("facts").append(el("div", { class: "fact" }, el("dt", {}, name), el("dd", {}, t.big, t.small, t.track)));
      tiles.set(name, t);
    }
    setText(t.big, big);
    setText(t.small, small);
    t.track.hidden = meter == null;
    setWidth(t.bar, meter);
    setClass(t.track, meter > 0.9 && name === "Memory" ? "meter full" : "meter");
  };
  return (model) => {
    const [now, stages, last, rates] = [model.now, model.ordered, model.last, model.rates];
    const done = stages.filter((s) => s.state === "done").length;
    const lefts = stages.map((s) => stageLeft(s, now)).filter((x) => x != null);
    const left = lefts.length ? `stage: about ${seconds(Math.max(...lefts))} left` : "";
    const started = model.base.started ? new Date(model.base.started) : null;
    const when = started && !Number.isNaN(+started) ? started.toLocaleString() : "";
    tile("Elapsed", seconds(now), model.running ? left : when, null);
    tile("Stages", `${done} / ${stages.length}`, plural(stages.reduce((n, s) => n + s.done, 0), "task done", "tasks done"), model.share);
    tile("Rows read", count(last[5]), `${count(rates.rows)}/s`, null);
    tile("Bytes read", bytes(last[6]), `${bytes(rates.bytes)}/s`, null);
    const peak = model.samples.reduce((m, s) => Math.max(m, s[1]), 0);
    const of = model.limit ? `of ${bytes(model.limit)}, ` : "";
    tile("Memory", bytes(model.running ? last[1] : peak), model.running ? `${of}peak ${bytes(peak)}` : `peak resident${model.limit ? `, limit ${bytes(model.limit)}` : ""}`,
      model.limit ? (model.running ? last[1] : peak) / model.limit : null);
    tile("Spilled", bytes(model.running ? last[3] : last[4]), model.running ? `${bytes(last[4])} written in all` : "written to disk", null);
    const threads = model.busy / Math.max(now, 1e-6);
    tile("Threads busy", threads.toFixed(threads < 9.95 ? 2 : 1), `of ${model.threads}, mean of the run`, threads / model.threads);
  };
})();

const drawProgress = (() => {
  const rows = new Map();
  const make = (s) => {
    const r = {
      name: el("button", { class: "name", type: "button" }),
      share: el("span", { class: "share" }),
      bar: el("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, el("i")),
      more: el("div", { class: "more" }),
      facts: [],
    };
    r.root = el("div", {}, el("div", { class: "line" }, chip(s.id), r.name, r.share), r.bar, r.more);
    r.root.addEventListener("click", () => chosen.toggle(s.id));
    rows.set(s.id, r);
    byId("progress").append(r.root);
    return r;
  };
  return (model) => {
    const now = model.now;
    const all = model.ordered;
    for (const [id, r] of rows) if (!model.stages.has(id)) { r.root.remove(); rows.delete(id); }
    for (const s of all) {
      const r = rows.get(s.id) || make(s);
      const share = stageShare(s);
      setClass(r.root, `stage ${kind(s.id)} ${s.state}${chosen.stage === s.id ? " chosen" : ""}`);
      setText(r.name, s.name);
      r.name.title = s.name;
      r.name.setAttribute("aria-pressed", String(chosen.stage === s.id));
      r.bar.setAttribute("aria-label", `stage ${s.id}`);
      r.bar.setAttribute("aria-valuenow", Math.round(100 * share));
      setWidth(r.bar.firstElementChild, share);
      const tasks = s.tasks == null ? "" : `${whole(s.done)} / ${whole(s.tasks)}`;
      setText(r.share, s.state === "waiting" ? "waiting" : s.state === "failed" ? `failed after ${tasks}` : s.state === "done" ? `${plural(s.done, "task", "tasks")} ✓` : tasks);
      const time = stageTime(s, now);
      const left = stageLeft(s, now);
      const facts = s.state === "waiting" ? [] : [
        `${count(s.rows_in)} → ${count(s.rows_out)} rows`,
        s.bytes_read ? `${bytes(s.bytes_read)} read` : "",
        time > 0.05 && s.rows_in ? `${count(s.rows_in / time)} rows/s` : "",
        time > 0.05 && s.bytes_read ? `${bytes(s.bytes_read / time)}/s` : "",
        s.spilled ? `${bytes(s.spilled)} spilled` : "",
        time == null ? "" : seconds(time),
        left == null ? "" : `about ${seconds(left)} left`,
      ].filter(Boolean);
      while (r.facts.length < facts.length) { const f = el("span"); r.facts.push(f); r.more.append(f); }
      r.facts.forEach((f, i) => setText(f, facts[i] || ""));
    }
  };
})();
