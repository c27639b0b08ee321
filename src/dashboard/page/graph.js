// The stage graph: layers by the longest way from a source, drawn down or to the right.

const drawGraph = (() => {
  let shape = "";
  let nodes = new Map();
  let flows = [];
  const ruler = document.createElement("canvas").getContext("2d");
  const width = (text) => ruler.measureText(text).width;
  /** A text that is cut where it would leave its box. */
  const fit = (text, room, weight) => {
    ruler.font = `${weight} ${getComputedStyle(document.body).fontFamily}`;
    if (width(text) <= room) return text;
    let n = text.length;
    while (n > 1 && width(`${text.slice(0, n)}…`) > room) n--;
    return `${text.slice(0, n)}…`;
  };

  /** Layers of stages; within one, a stage stands near the middle of its inputs. */
  const layers = (stages) => {
    const known = new Map(stages.map((s) => [s.id, s]));
    const depth = new Map();
    const visit = (s, path) => {
      if (depth.has(s.id)) return depth.get(s.id);
      if (path.has(s.id)) return 0;
      path.add(s.id);
      const d = Math.max(-1, ...s.inputs.filter((i) => known.has(i)).map((i) => visit(known.get(i), path))) + 1;
      path.delete(s.id);
      depth.set(s.id, d);
      return d;
    };
    for (const s of stages) visit(s, new Set());
    // a source stands just before the stage that reads it
    for (const s of stages) {
      const readers = stages.filter((r) => r.inputs.includes(s.id));
      if (!s.inputs.length && readers.length) depth.set(s.id, Math.min(...readers.map((r) => depth.get(r.id))) - 1);
    }
    const out = [];
    for (const s of stages) (out[depth.get(s.id)] ??= []).push(s);
    const place = new Map();
    for (const layer of out) {
      const middle = (s) => {
        const at = s.inputs.map((i) => place.get(i)).filter((x) => x != null);
        return at.length ? at.reduce((a, b) => a + b, 0) / at.length : s.id;
      };
      layer.map((s) => [middle(s), s]).sort((a, b) => a[0] - b[0] || a[1].id - b[1].id)
        .forEach(([, s], i) => { layer[i] = s; place.set(s.id, (i + 0.5) / layer.length * 1000); });
    }
    return out;
  };

  const build = (model, stages, width) => {
    const small = stages.length > 40;
    const [w, h, across, along] = small ? [46, 24, 10, 26] : [250, 50, 22, 40];
    const all = layers(stages);
    const most = Math.max(...all.map((l) => l.length));
    const right = !small && all.length * (w + along + 34) <= width;
    const step = right ? [w + along + 34, h + across] : [w + across, h + along];
    const size = right ? [all.length * step[0] - along - 34, most * step[1] - across] : [most * step[0] - across, all.length * step[1] - along];
    const at = new Map();
    all.forEach((layer, d) => layer.forEach((s, i) => {
      const lead = ((most - layer.length) / 2) * (right ? step[1] : step[0]);
      at.set(s.id, right ? [d * step[0], lead + i * step[1]] : [lead + i * step[0], d * step[1]]);
    }));
    const pad = 6;
    const root = svg("svg", { viewBox: `${-pad} ${-pad} ${size[0] + 2 * pad} ${size[1] + 2 * pad}`, width: size[0] + 2 * pad, height: size[1] + 2 * pad, role: "group" });
    nodes = new Map();
    flows = [];
    for (const s of stages) for (const i of s.inputs) {
      const [a, b] = [at.get(i), at.get(s.id)];
      if (!a) continue;
      const [p, q] = right ? [[a[0] + w, a[1] + h / 2], [b[0] - 5, b[1] + h / 2]] : [[a[0] + w / 2, a[1] + h], [b[0] + w / 2, b[1] - 5]];
      const bend = right ? [(p[0] + q[0]) / 2, p[1], (p[0] + q[0]) / 2, q[1]] : [p[0], (p[1] + q[1]) / 2, q[0], (p[1] + q[1]) / 2];
      const line = svg("path", { class: "edge", d: `M${p} C${bend.slice(0, 2)} ${bend.slice(2)} ${q}` });
      const head = svg("path", { class: "tip-of-edge", d: right ? `M${q[0] + 5},${q[1]} l-7,-4 v8z` : `M${q[0]},${q[1] + 5} l-4,-7 h8z` });
      const text = small ? null : svg("text", { class: "flow", x: (p[0] + q[0]) / 2 + (right ? 0 : 6), y: (p[1] + q[1]) / 2 + (right ? -5 : 3), "text-anchor": right ? "middle" : "start" });
      root.append(line, head);
      flows.push({ from: i, line, text });
    }
    for (const f of flows) if (f.text) root.append(f.text);
    for (const s of stages) {
      const [x, y] = at.get(s.id);
      const clip = `clip-${s.id}`;
      const n = { w, name: s.name, box: svg("rect", { class: "box", x, y, width: w, height: h, rx: 8 }), done: svg("rect", { class: "done", x, y, width: 0, height: h, "clip-path": `url(#${clip})` }), title: svg("title", {}), sub: null };
      n.root = svg("g", { tabindex: 0, role: "button" }, n.title, n.box,
        svg("clipPath", { id: clip }, svg("rect", { x, y, width: w, height: h, rx: 8 })),
        n.done, svg("rect", { class: "side", x, y, width: small ? 5 : 7, height: h, "clip-path": `url(#${clip})` }));
      if (small) {
        n.root.append(svg("text", { x: x + w / 2 + 3, y: y + 16, "text-anchor": "middle" }, String(s.id)));
      } else {
        n.sub = svg("text", { class: "sub", x: x + 15, y: y + 37 });
        n.root.append(svg("text", { x: x + 15, y: y + 20, "font-weight": 600 }, fit(`${s.id}  ${s.name}`, w - 24, "600 12px")), n.sub);
      }
      n.root.addEventListener("click", () => chosen.toggle(s.id));
      n.root.addEventListener("keydown", (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); chosen.toggle(s.id); } });
      nodes.set(s.id, n);
      root.append(n.root);
    }
    byId("graph").replaceChildren(root);
  };

  return (model) => {
    const stages = model.ordered;
    const width = byId("graph").clientWidth - 12;
    const now = JSON.stringify([stages.map((s) => [s.id, s.name, s.inputs]), Math.round(width / 40)]);
    if (now !== shape) {
      shape = now;
      if (stages.length) build(model, stages, width);
      else byId("graph").replaceChildren(el("p", { class: "empty" }, "No stages yet."));
    }
    const most = Math.max(1, ...stages.map((s) => s.rows_out));
    for (const s of stages) {
      const n = nodes.get(s.id);
      setClass(n.root, `node ${kind(s.id)} ${s.state}${chosen.stage === s.id ? " chosen" : ""}`);
      n.done.setAttribute("width", (n.w * stageShare(s)).toFixed(1));
      const time = stageTime(s, model.now);
      setText(n.title, `stage ${s.id}: ${s.name}\n${s.state}, ${s.done} of ${s.tasks ?? "?"} tasks, ${whole(s.rows_in)} rows in, ${whole(s.rows_out)} out`);
      if (n.sub) setText(n.sub, fit(s.state === "waiting" ? "waiting" : `${plural(s.tasks ?? s.done, "task", "tasks")} · ${seconds(time)}${s.spilled ? ` · spill ${bytes(s.spilled)}` : ""}`, n.w - 24, "11px"));
    }
    for (const f of flows) {
      const s = model.stages.get(f.from);
      f.line.setAttribute("stroke-width", (1 + 5 * (Math.log1p(s.rows_out) / Math.log1p(most))).toFixed(1));
      if (f.text) setText(f.text, s.rows_out ? `${count(s.rows_out)} rows` : "");
    }
  };
})();
