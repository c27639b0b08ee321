// A run that goes on: its events, and the button that stops it.

const live = () => {
  const token = new URLSearchParams(location.search).get("token") || "";
  const at = (path) => `${path}?token=${encodeURIComponent(token)}`;
  const events = new EventSource(at("/events"));
  const heard = (then) => (e) => {
    model.lost = false;
    then(JSON.parse(e.data));
    cancel.hidden = !model.running;
    ask();
  };
  let over = false;
  events.addEventListener("snapshot", heard((m) => model.load(m)));
  events.addEventListener("update", heard((u) => model.apply(u)));
  events.addEventListener("end", heard((u) => {
    over = true;
    model.apply(u);
    byId("spoken").textContent = `The query ${model.state}`;
    // with --linger the open connection tells the program that somebody still looks
    model.lingers = u.linger;
    if (!u.linger) events.close();
  }));
  events.addEventListener("error", () => {
    if (over) { events.close(); return; }
    model.lost = true;
    ask();
  });

  // the first click asks, the second one does it
  const cancel = byId("cancel");
  let sure = 0;
  const calm = () => { cancel.textContent = "Cancel query"; cancel.classList.remove("sure"); sure = 0; };
  cancel.addEventListener("click", async () => {
    if (!sure) {
      cancel.textContent = "Really cancel?";
      cancel.classList.add("sure");
      sure = setTimeout(calm, 4000);
      return;
    }
    clearTimeout(sure);
    calm();
    cancel.disabled = true;
    cancel.textContent = "Cancelling …";
    try { await fetch(at("/cancel"), { method: "POST" }); } catch { cancel.disabled = false; calm(); }
  });

  // time goes on between two messages
  setInterval(() => { if (model.running && !document.hidden) ask(); }, 100);
};
