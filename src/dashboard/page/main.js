// Draws the model, when something has changed: what moves fast at each frame, tables twice a second.

const model = new Model();
let asked = false;
let heavy = 0;

const draw = () => {
  asked = false;
  view.follow(model);
  drawHeader(model);
  drawTrouble(model);
  drawFacts(model);
  drawProgress(model);
  drawGraph(model);
  drawTools(model);
  stream.drawLegend(model);
  stream.draw(model);
  series.draw(model);
  const now = performance.now();
  if (!model.running || now - heavy > 450) {
    heavy = now;
    drawOperators(model);
    drawSlowest(model);
    drawPlan(model);
  }
};
/** Asks for the page to be drawn with the next frame. */
function ask() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(draw);
}

chosen.listeners.push(() => { heavy = 0; ask(); });
document.addEventListener("keydown", (e) => {
  if (e.key === "Escape" && chosen.stage != null && e.target.id !== "stream") chosen.toggle(chosen.stage);
});
window.addEventListener("resize", ask);
window.addEventListener("scroll", () => tip.hide(), { passive: true });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readInk(); ask(); });
new ResizeObserver(ask).observe(document.querySelector("main"));
copyButton(byId("copy-command"), () => model.command);
byId("save").addEventListener("click", () => {
  const url = URL.createObjectURL(new Blob([model.json], { type: "application/json" }));
  el("a", { href: url, download: "profile.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
});
zoomTools();
readInk();

const embedded = JSON.parse(byId("model").textContent);
if (embedded) {
  model.load(embedded);
  byId("overall").hidden = model.state === "finished";
} else {
  live();
}
ask();
