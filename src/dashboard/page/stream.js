// The task stream: a row for each thread, a block for each task in the colour of its stage. Blocks
// that are narrower than two pixels are gathered by column, so that a hundred thousand of them cost
// no more than a few thousand and still show how busy the thread was.

const stream = (() => {
  const AXIS = 20;
  let model = null;
  let marked = null; // [lane, task] that the keyboard stands on
  const rowHeight = () => { const n = model ? model.lanes.length : 1; return n <= 4 ? 34 : n <= 8 ? 26 : n <= 16 ? 19 : n <= 48 ? 12 : Math.max(3, Math.floor(600 / n)); };
  const s = surface("stream", () => (model ? model.lanes.length : 1) * rowHeight() + AXIS);
  const over = surface("overview", () => 40);

  const faded = (stage) => chosen.stage != null && chosen.stage !== stage;

  const drawLane = (lane, top, height) => {
    const { pen } = s;
    const width = Math.max(1, s.width - s.left);
    const scale = width / (view.to - view.from);
    const columns = Math.ceil(width) + 1;
    const [cover, most, who] = [new Float32Array(columns), new Float32Array(columns), new Int32Array(columns)];
    const wide = [];
    for (let i = lane.after(view.from); i < lane.length && lane.begin[i] < view.to; i++) {
      const [a, b] = [(lane.begin[i] - view.from) * scale, (lane.end[i] - view.from) * scale];
      if (b - a >= 2) { wide.push(i); continue; }
      const c = Math.max(0, Math.floor(a));
      const share = Math.max(b - a, 0.02);
      cover[c] += share;
      if (share > most[c]) { most[c] = share; who[c] = lane.stage[i]; }
    }
    for (let c = 0; c < columns; c++) {
      if (!cover[c]) continue;
      pen.globalAlpha = (faded(who[c]) ? 0.15 : 1) * (0.35 + 0.65 * Math.min(1, cover[c]));
      pen.fillStyle = stageInk(who[c]);
      pen.fillRect(s.left + c, top, 1, height);
    }
    pen.font = `11px ${ink.sans}`;
    pen.textAlign = "left";
    for (const i of wide) {
      const a = Math.max(0, (lane.begin[i] - view.from) * scale);
      const b = Math.min(width, (lane.end[i] - view.from) * scale);
      pen.globalAlpha = faded(lane.stage[i]) ? 0.15 : 1;
      pen.fillStyle = stageInk(lane.stage[i]);
      pen.fillRect(s.left + a, top, Math.max(1, b - a - (b - a > 4 ? 1 : 0.35)), height);
      const n = lane.count[i];
      const name = n === 0 ? "hand over" : n > 1 ? `${n}×` : String(lane.part[i]);
      if (height >= 14 && b - a > 12 + name.length * 7) {
        pen.fillStyle = [0, 6].includes(lane.stage[i] % KINDS) && !matchMedia("(prefers-color-scheme: dark)").matches ? "#fff" : "#0b0d10";
        pen.fillText(name, s.left + a + 5, top + height / 2 + 4);
      }
    }
    pen.globalAlpha = 1;
  };

  const draw = (m) => {
    model = m;
    s.fit();
    const { pen } = s;
    const step = rowHeight();
    const gap = step > 12 ? 4 : step > 6 ? 2 : 1;
    const bottom = m.lanes.length * step;
    pen.textAlign = "left";
    m.lanes.forEach((lane, i) => {
      pen.fillStyle = ink.sunken;
      pen.fillRect(s.left, i * step + gap / 2, s.width - s.left, step - gap);
    });
    drawTimes(s, 0, bottom, true);
    m.lanes.forEach((lane, i) => {
      if (step >= 11 || i % Math.ceil(12 / step) === 0) {
        pen.fillStyle = ink.soft;
        pen.font = `12px ${ink.sans}`;
        pen.textAlign = "left";
        const percent = `${Math.round((100 * Math.min(lane.busy, m.now)) / Math.max(m.now, 1e-9))}%`;
        const y = i * step + step / 2 + 4;
        pen.fillText(s.left > 60 ? `thread ${lane.thread}` : `T${lane.thread}`, 0, y);
        if (step >= 11) { pen.textAlign = "right"; pen.font = `10px ${ink.sans}`; pen.fillText(percent, s.left - 5, y); }
      }
      drawLane(lane, i * step + gap / 2, step - gap);
    });
    if (marked) {
      const [at, i] = marked;
      const lane = m.lanes[at];
      if (lane && i < lane.length) {
        pen.strokeStyle = ink.ink;
        pen.lineWidth = 2;
        const a = Math.max(s.left, s.x(lane.begin[i]));
        pen.strokeRect(a, at * step + gap / 2, Math.max(3, Math.min(s.width, s.x(lane.end[i])) - a), step - gap);
        pen.lineWidth = 1;
      }
    }
    drawHand(s, 0, bottom);
    s.canvas.setAttribute("aria-label", `${plural(m.taskCount, "task", "tasks")} of ${plural(m.lanes.length, "thread", "threads")} over ${seconds(m.now)}; the threads were busy ${Math.round((100 * m.busy) / Math.max(1e-9, m.now * m.lanes.length))} % of the time`);
    drawOverview(m);
  };

  /** All of the run: how many threads were busy, stacked by colours; and the window as a frame. */
  const drawOverview = (m) => {
    over.fit();
    const { pen } = over;
    const [width, height, top] = [Math.max(1, over.width - over.left), 30, 4];
    const columns = Math.max(1, Math.ceil(width / 2));
    const sums = new Float32Array(columns * KINDS);
    const scale = columns / view.end;
    for (const lane of m.lanes) {
      for (let i = 0; i < lane.length; i++) {
        const k = lane.stage[i] % KINDS;
        let [a, b] = [lane.begin[i] * scale, Math.min(columns, lane.end[i] * scale)];
        for (let c = Math.floor(a); c < b; c++) sums[c * KINDS + k] += Math.min(b, c + 1) - Math.max(a, c);
      }
    }
    pen.fillStyle = ink.sunken;
    pen.fillRect(over.left, top, width, height);
    for (let c = 0; c < columns; c++) {
      let y = top + height;
      for (let k = 0; k < KINDS; k++) {
        const h = (Math.min(1, sums[c * KINDS + k] / m.lanes.length)) * height;
        if (!h) continue;
        pen.fillStyle = ink.stages[k];
        pen.fillRect(over.left + c * 2, y - h, 2, h);
        y -= h;
      }
    }
    pen.fillStyle = ink.soft;
    pen.font = `12px ${ink.sans}`;
    pen.fillText("busy", 0, top + height / 2 + 4);
    const x = (t) => over.left + (t / view.end) * width;
    const [a, b] = [x(view.from), Math.min(over.width, x(view.to))];
    if (view.mode !== "all") {
      pen.fillStyle = ink.card;
      pen.globalAlpha = 0.65;
      pen.fillRect(over.left, top, a - over.left, height);
      pen.fillRect(b, top, over.width - b, height);
      pen.globalAlpha = 1;
      pen.strokeStyle = ink.accent;
      pen.lineWidth = 2;
      pen.strokeRect(a + 1, top - 1, Math.max(4, b - a - 2), height + 2);
      pen.lineWidth = 1;
    }
  };

  const taskTip = (lane, i) => {
    const stage = model.stages.get(lane.stage[i]);
    const n = lane.count[i];
    const what = n === 0 ? "hands over what its tasks gathered" : n > 1 ? `${whole(n)} short tasks, from partition ${lane.part[i]}` : `partition ${lane.part[i]}`;
    return [
      el("b", {}, chip(lane.stage[i]), stage ? stage.name : "", ""),
      facts([
        ["task", what],
        ["thread", String(lane.thread)],
        ["time", seconds(lane.end[i] - lane.begin[i])],
        ["begins at", `${lane.begin[i].toFixed(lane.end[i] - lane.begin[i] < 0.01 ? 5 : 3)} s`],
        ["rows", whole(lane.rows[i])],
        ["bytes", lane.bytes[i] ? bytes(lane.bytes[i]) : ""],
      ]),
    ];
  };

  const look = (x, y, e) => {
    const lane = model && model.lanes[Math.floor(y / rowHeight())];
    if (!lane || x < s.left) return tip.hide();
    const near = 3 * (view.to - view.from) / Math.max(1, s.width - s.left);
    const t = s.time(x);
    const i = lane.after(t - near);
    if (i >= lane.length || lane.begin[i] > t + near) return tip.hide();
    // of those under the pointer, the one that is nearest
    const next = i + 1 < lane.length && lane.begin[i + 1] <= t && lane.end[i] < t ? i + 1 : i;
    tip.show(e.clientX, e.clientY, ...taskTip(lane, next));
  };

  const mark = (at, i) => {
    const lane = model.lanes[at];
    if (!lane || !lane.length) return;
    const task = Math.max(0, Math.min(lane.length - 1, i));
    marked = [at, task];
    const [b, e] = [lane.begin[task], lane.end[task]];
    const span = view.to - view.from;
    if (e < view.from || b > view.to) view.set((b + e - span) / 2, (b + e + span) / 2);
    const box = s.canvas.getBoundingClientRect();
    const content = taskTip(lane, task);
    tip.show(box.left + s.x(b), box.top + (at + 1) * rowHeight(), ...content);
    byId("spoken").textContent = content.map((c) => c.textContent).join(" ");
    view.changed();
  };

  const keys = (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || !model) return;
    const [at, i] = marked || [0, model.lanes[0] ? model.lanes[0].after(view.from) - 1 : 0];
    const middle = () => { const l = model.lanes[at]; return l && l.length ? (l.begin[Math.min(i, l.length - 1)] || 0) : 0; };
    const act = {
      "+": () => view.zoom(0.5), "=": () => view.zoom(0.5), "-": () => view.zoom(2), "−": () => view.zoom(2),
      ArrowLeft: () => view.pan(-0.2), ArrowRight: () => view.pan(0.2), 0: () => { view.mode = "all"; view.changed(); },
      Home: () => view.pan(-1e9), End: () => view.pan(1e9),
      n: () => mark(at, i + 1), p: () => mark(at, i - 1),
      ArrowDown: () => { const to = Math.min(model.lanes.length - 1, at + 1); mark(to, model.lanes[to].after(middle())); },
      ArrowUp: () => { const to = Math.max(0, at - 1); mark(to, model.lanes[to].after(middle())); },
      Escape: () => { marked = null; tip.hide(); if (chosen.stage != null) chosen.toggle(chosen.stage); view.changed(); },
    }[e.key];
    if (act) { e.preventDefault(); act(); }
  };

  hand(s, look);
  s.canvas.addEventListener("keydown", keys);
  s.canvas.addEventListener("blur", () => { marked = null; tip.hide(); view.changed(); });

  // the frame of the overview moves the window; outside it a click takes the window there
  let grip = null;
  const moment = (e) => { const r = over.canvas.getBoundingClientRect(); return ((e.clientX - r.left - over.left) / Math.max(1, over.width - over.left)) * view.end; };
  over.canvas.addEventListener("pointerdown", (e) => {
    over.canvas.setPointerCapture(e.pointerId);
    const t = moment(e);
    const span = view.mode === "all" ? view.end / 5 : view.to - view.from;
    if (view.mode === "all" || t < view.from || t > view.to) view.set(t - span / 2, t + span / 2);
    grip = t - view.from;
  });
  over.canvas.addEventListener("pointermove", (e) => {
    if (grip == null) return;
    const span = view.to - view.from;
    const from = Math.max(0, Math.min(moment(e) - grip, view.end - span));
    view.set(from, from + span);
  });
  for (const type of ["pointerup", "pointercancel"]) over.canvas.addEventListener(type, () => { grip = null; });
  over.canvas.addEventListener("dblclick", () => { view.mode = "all"; view.changed(); });

  const drawLegend = (() => {
    let before = "";
    return (m) => {
      // where there are more, the bars of progress are the legend
      const all = m.stages.size > 12 ? [] : m.ordered.filter((x) => x.state !== "waiting");
      const key = JSON.stringify([all.map((x) => [x.id, x.name]), chosen.stage]);
      if (key === before) return;
      before = key;
      byId("legend").replaceChildren(...all.map((x) => {
        const b = el("button", { type: "button", class: kind(x.id), "aria-pressed": String(chosen.stage === x.id), title: "Show only this stage" }, el("i", { class: "swatch" }), el("span", {}, `${x.id} ${x.name}`));
        b.addEventListener("click", () => chosen.toggle(x.id));
        return el("li", {}, b);
      }));
    };
  })();

  return { draw, drawLegend };
})();
