// The operators and the slowest partitions, as tables that can be sorted; and the plan.

/** A table with columns {name, number, value(row), cell(row) → text or element, wide}. */
const table = (box, columns, start, empty) => {
  let [by, down] = start;
  let before = "";
  const body = el("tbody");
  const heads = columns.map((c, i) => {
    if (!c.value) return el("th", { class: "fixed", scope: "col" }, c.name);
    const button = el("button", { type: "button" }, c.name);
    button.addEventListener("click", () => { [by, down] = by === i ? [i, !down] : [i, c.number]; before = ""; redraw(); });
    return el("th", { class: c.number && !c.wide ? "number" : null, scope: "col" }, button);
  });
  const root = el("table", {}, el("thead", {}, el("tr", {}, ...heads)), body);
  let rows = [];
  const redraw = () => {
    heads.forEach((h, i) => (i === by ? h.setAttribute("aria-sort", down ? "descending" : "ascending") : h.removeAttribute("aria-sort")));
    const key = JSON.stringify([rows.map((r) => r.key), chosen.stage]);
    if (key === before) return;
    before = key;
    const value = columns[by].value;
    const sorted = [...rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      const order = typeof x === "string" ? x.localeCompare(y) : (x ?? -1) - (y ?? -1);
      return (down ? -order : order) || a.place - b.place;
    });
    const made = sorted.map((r) => {
      const cells = columns.map((c) => {
        const content = c.cell(r);
        const cell = el("td", { class: [c.number && !c.wide && "number", c.wide && "wide", c.mono && "name"].filter(Boolean).join(" ") || null }, content);
        if (c.mono) cell.title = c.whole ? c.whole(r) : content;
        return cell;
      });
      const tr = el("tr", { class: chosen.stage === r.stage ? "chosen" : null }, ...cells);
      return tr;
    });
    body.replaceChildren(...made);
  };
  return (next) => {
    rows = next;
    if (!rows.length) {
      before = "";
      box.replaceChildren(el("p", { class: "empty" }, empty));
      return;
    }
    if (root.parentNode !== box) box.replaceChildren(root);
    redraw();
  };
};

const gauge = (text, share, stage) => {
  const bar = el("i");
  setWidth(bar, share);
  return el("div", { class: `gauge ${kind(stage)}` }, el("span", {}, text), el("div", { class: "track" }, bar));
};

const drawOperators = (() => {
  let show = null;
  return (model) => {
    show ??= table(byId("operators"), [
      { name: "Stage", value: (r) => r.stage, cell: (r) => chip(r.stage), number: false },
      { name: "Operator", value: (r) => r.name, cell: (r) => r.name, mono: true },
      { name: "Time", value: (r) => r.busy, cell: (r) => (r.busy == null ? "waiting" : gauge(seconds(r.busy), r.busy / r.most, r.stage)), number: true, wide: true },
      { name: "Rows in", value: (r) => r.rows_in, cell: (r) => (r.busy == null ? "–" : count(r.rows_in)), number: true },
      { name: "Rows out", value: (r) => r.rows_out, cell: (r) => (r.busy == null ? "–" : count(r.rows_out)), number: true },
      { name: "Kept", value: (r) => r.kept, cell: (r) => (r.kept == null ? "–" : `${(100 * r.kept).toFixed(r.kept < 0.0995 ? 2 : r.kept < 0.9995 ? 1 : 0)} %`), number: true },
      { name: "Spilled", value: (r) => r.spilled, cell: (r) => (r.spilled ? bytes(r.spilled) : "–"), number: true },
      { name: "Peak reserved", value: (r) => r.peak, cell: (r) => (r.peak ? bytes(r.peak) : "–"), number: true },
      { name: "Batches", value: (r) => r.batches, cell: (r) => (r.busy == null ? "–" : count(r.batches)), number: true },
    ], [0, false], "No operator has run yet.");
    const rows = [];
    for (const s of model.ordered) {
      const ops = s.operators || [];
      ops.forEach((o) => {
        // what gathers rows has given none before its stage is done
        const gathers = s.state !== "done" && o.rows_out === 0;
        const kept = o.rows_in > 0 && !gathers ? o.rows_out / o.rows_in : null;
        const row = { stage: s.id, name: o.name, rows_in: o.rows_in, rows_out: o.rows_out, batches: o.batches, busy: s.state === "waiting" ? null : o.busy, kept, spilled: o.spilled, peak: o.peak_reserved, place: rows.length };
        rows.push(row);
      });
    }
    const most = Math.max(1e-9, ...rows.map((r) => r.busy));
    for (const r of rows) { r.most = most; r.key = [r.stage, r.name, r.rows_in, r.rows_out, r.busy, r.spilled, r.peak]; }
    show(rows);
  };
})();

/** Of a long text its end, which is what tells one from the other. */
const tail = (text, most) => (text.length <= most ? text : `…${text.slice(1 - most)}`);
/** A command with its middle left out: what it is, and the part that it runs again. */
const ending = (command) => {
  const at = command.lastIndexOf(" --partition ");
  return at < 30 ? command : `${command.split(" ", 2).join(" ")} …${command.slice(at)}`;
};

const drawSlowest = (() => {
  let show = null;
  return (model) => {
    show ??= table(byId("slowest"), [
      { name: "Stage", value: (r) => r.stage, cell: (r) => chip(r.stage) },
      { name: "Partition", value: (r) => r.part, cell: (r) => whole(r.part), number: true },
      { name: "Time", value: (r) => r.seconds, cell: (r) => gauge(seconds(r.seconds), r.seconds / r.most, r.stage), number: true, wide: true },
      { name: "Rows", value: (r) => r.rows, cell: (r) => count(r.rows), number: true },
      { name: "What", value: (r) => r.what, cell: (r) => tail(r.what, 48), whole: (r) => r.what, mono: true },
      { name: "Run it again", cell: (r) => {
        if (!r.again) return "";
        const code = el("code", { title: r.again }, ending(r.again));
        const button = el("button", { type: "button", "aria-label": "Copy the command" }, "Copy");
        copyButton(button, () => r.again);
        return el("div", { class: "again" }, button, code);
      } },
    ], [2, true], "No task is done yet.");
    const most = Math.max(1e-9, ...model.slowest.map((s) => s.seconds));
    show(model.slowest.map((s, place) => ({ ...s, what: s.what || "", most, place, key: [s.stage, s.part, s.seconds] })));
  };
})();

const drawPlan = (model) => setText(byId("plan"), model.plan || "No plan yet.");
