// Memory and reading over time, on the axis of the task stream.

const series = (() => {
  const memory = surface("memory", () => (window.innerWidth < 620 ? 150 : 190));
  const rate = surface("rate", () => (window.innerWidth < 620 ? 110 : 130));
  const [TOP, AXIS] = [8, 20];
  let model = null;

  /** The samples that are in sight, and one on either side. */
  const sight = () => {
    const all = model.samples;
    let [a, b] = [0, all.length];
    while (a + 1 < all.length && all[a + 1][0] < view.from) a++;
    while (b > 1 && all[b - 2] && all[b - 2][0] > view.to) b--;
    return all.slice(a, b);
  };
  const clipped = (s, body) => {
    s.pen.save();
    s.pen.beginPath();
    s.pen.rect(s.left, 0, s.width - s.left, s.height);
    s.pen.clip();
    body(s.pen);
    s.pen.restore();
  };
  const axis = (s, most, name, binary, side) => {
    const { pen } = s;
    const bottom = s.height - AXIS;
    const step = steps(most, Math.max(2, (bottom - TOP) / 34), binary);
    pen.font = `11px ${ink.sans}`;
    pen.textAlign = "right";
    pen.strokeStyle = ink.grid;
    pen.fillStyle = ink.soft;
    for (let v = 0; v <= most * 1.0001; v += step) {
      const y = Math.round(bottom - (v / most) * (bottom - TOP)) + 0.5;
      pen.beginPath();
      pen.moveTo(s.left, y);
      pen.lineTo(s.width, y);
      pen.stroke();
      pen.fillText(name(v), s.left - 6, Math.max(10, y + 4));
    }
    return (v) => bottom - (Math.min(v, most * 2) / most) * (bottom - TOP);
  };
  /** The area between two functions of a sample. */
  const area = (s, points, x, low, high, color, alpha) => clipped(s, (pen) => {
    pen.beginPath();
    points.forEach((p, i) => pen[i ? "lineTo" : "moveTo"](x(p), high(p)));
    for (let i = points.length - 1; i >= 0; i--) pen.lineTo(x(points[i]), low(points[i]));
    pen.closePath();
    pen.globalAlpha = alpha;
    pen.fillStyle = color;
    pen.fill();
  });
  const line = (s, points, x, y, color, dash, width = 2) => clipped(s, (pen) => {
    pen.beginPath();
    points.forEach((p, i) => pen[i ? "lineTo" : "moveTo"](x(p), y(p)));
    pen.strokeStyle = color;
    pen.lineWidth = width;
    pen.setLineDash(dash);
    pen.stroke();
  });

  const drawMemory = () => {
    const s = memory;
    s.fit();
    const points = sight();
    const bottom = s.height - AXIS;
    const high = points.reduce((m, p) => Math.max(m, p[1], p[2], p[3]), 1);
    const limit = model.limit;
    const near = limit && limit < high * 4;
    const most = Math.max(near ? limit : 0, high) * 1.08;
    const y = axis(s, most, bytes, true);
    drawTimes(s, TOP, bottom, true);
    const x = (p) => s.x(p[0]);
    area(s, points, x, () => bottom, (p) => y(Math.min(p[1], p[2]) || 0), ink.reserved, 0.85);
    area(s, points, x, (p) => y(Math.min(p[1], p[2])), (p) => y(p[1]), ink.loose, 0.85);
    line(s, points, x, (p) => y(p[2]), ink.reserved, []);
    line(s, points, x, (p) => y(p[1]), ink.soft, [], 1);
    if (points.some((p) => p[3] > 0)) line(s, points, x, (p) => y(p[3]), ink.spilled, [7, 4], 2.5);
    const { pen } = s;
    if (limit) {
      const at = near ? Math.round(y(limit)) + 0.5 : TOP + 0.5;
      pen.strokeStyle = ink.limit;
      pen.fillStyle = ink.limit;
      pen.lineWidth = 1.5;
      pen.setLineDash([2, 3]);
      if (near) { pen.beginPath(); pen.moveTo(s.left, at); pen.lineTo(s.width, at); pen.stroke(); }
      pen.setLineDash([]);
      pen.textAlign = "right";
      pen.font = `600 11px ${ink.sans}`;
      const text = near ? `limit ${bytes(limit)}` : `limit ${bytes(limit)} ↑`;
      const textY = near && at > 18 ? at - 4 : at + 13;
      pen.lineWidth = 4; pen.strokeStyle = ink.card; pen.strokeText(text, s.width - 4, textY); pen.lineWidth = 1;
      pen.fillText(text, s.width - 4, textY);
    }
    drawHand(s, TOP, bottom);
    const last = model.last;
    s.canvas.setAttribute("aria-label", `Memory over time. Now: resident ${bytes(last[1])}, reserved ${bytes(last[2])}, in spill files ${bytes(last[3])}${limit ? `, limit ${bytes(limit)}` : ""}`);
  };

  /** Bytes and rows a second between two samples that are at least a little apart. */
  const rates = (points) => {
    const out = [];
    const apart = Math.max(0.05, (view.to - view.from) / 200);
    // before the first sample nothing had been read
    let before = points[0] === model.samples[0] ? [0, 0, 0, 0, 0, 0, 0] : points[0];
    for (const p of points) {
      const time = p[0] - before[0];
      if (time < apart && p !== points[points.length - 1]) continue;
      if (time <= 0) continue;
      const r = [(p[6] - before[6]) / time, (p[5] - before[5]) / time];
      out.push([before[0], ...r], [p[0], ...r]);
      before = p;
    }
    return out;
  };

  const drawRate = () => {
    const s = rate;
    s.fit();
    const points = model.samples.length ? rates(sight()) : [];
    const bottom = s.height - AXIS;
    const most = points.reduce((m, p) => Math.max(m, p[1]), 1) * 1.1;
    const rows = points.reduce((m, p) => Math.max(m, p[2]), 1) * 1.1;
    const y = axis(s, most, (v) => (v ? `${bytes(v)}/s` : "0"), true);
    drawTimes(s, TOP, bottom, true);
    const x = (p) => s.x(p[0]);
    area(s, points, x, () => bottom, (p) => y(p[1]), ink.stages[0], 0.35);
    line(s, points, x, (p) => y(p[1]), ink.stages[0], []);
    line(s, points, x, (p) => y((p[2] / rows) * most), ink.stages[2], [5, 3]);
    drawHand(s, TOP, bottom);
  };

  /** The sample at or before a moment. */
  const at = (t) => {
    const all = model.samples;
    let [low, high] = [0, all.length];
    while (low < high) { const mid = (low + high) >> 1; if (all[mid][0] <= t) low = mid + 1; else high = mid; }
    return all[low - 1] || null;
  };
  const look = (s) => (x, y, e) => {
    const p = model && x >= s.left ? at(s.time(x)) : null;
    if (!p) return tip.hide();
    tip.show(e.clientX, e.clientY, el("b", {}, `at ${seconds(p[0])}`), facts([
      ["resident", bytes(p[1])], ["reserved", bytes(p[2])], ["unaccounted", bytes(Math.max(0, p[1] - p[2]))],
      ["in spill files", bytes(p[3])], ["spilled in all", bytes(p[4])], ["rows read", whole(p[5])], ["bytes read", bytes(p[6])],
    ]));
  };
  hand(memory, look(memory));
  hand(rate, look(rate));

  const legend = (id, items) => {
    const list = byId(id);
    if (!list.children.length) {
      for (const [name, look] of items) list.append(el("li", { class: look }, el("i", { class: /spilled|limit|rows/.test(look) ? "swatch line" : "swatch" }), `${name} `, el("b")));
    }
    items.forEach(([, , value], i) => setText(list.children[i].querySelector("b"), value));
  };
  return {
    draw(m) {
      model = m;
      drawMemory();
      drawRate();
      const [last, r] = [view.hover == null ? m.last : at(view.hover) || m.last, m.rates];
      legend("memory-legend", [
        ["reserved", "c-reserved", bytes(last[2])], ["unaccounted", "c-loose", bytes(Math.max(0, last[1] - last[2]))],
        ["in spill files", "c-spilled", bytes(last[3])], ["limit", "c-limit", m.limit ? bytes(m.limit) : "none"],
      ]);
      legend("rate-legend", [["bytes", "c-bytes", `${bytes(r.bytes)}/s`], ["rows (own scale)", "c-rows", `${count(r.rows)}/s`]]);
    },
  };
})();
