// What makes pages livelier. Everything works without it: filters have a button, and runs are up to date when a page is loaded.
(() => {
  "use strict";

  // Runs in progress: the server tells what changed, in words that it has already chosen.
  const live = document.querySelector("[data-live]");
  if (live && "EventSource" in window) {
    const events = new EventSource("/events");
    events.addEventListener("run", (event) => {
      const run = JSON.parse(event.data);
      const rows = document.querySelectorAll(`[data-run="${run.id}"]`);
      if (rows.length === 0) {
        if (live.dataset.live === "list") refresh();
        return;
      }
      for (const row of rows) {
        for (const [part, text] of Object.entries(run.parts)) {
          const place = row.querySelector(`[data-part="${part}"]`);
          if (place && place.textContent !== text) {
            place.textContent = text;
            row.classList.remove("is-changed");
            void row.offsetWidth;
            row.classList.add("is-changed");
          }
        }
        const mark = row.querySelector("[data-part=word]");
        if (mark) mark.parentElement.className = `verdict-mark tone-${run.tone}`;
      }
      if (run.is_over) refresh();
    });
    // The service says that it stops; the browser would otherwise knock again and again.
    events.addEventListener("end", () => events.close());
    window.addEventListener("pagehide", () => events.close());
  }

  let waiting = 0;
  function refresh() {
    if (waiting || !window.htmx) return;
    waiting = window.setTimeout(() => {
      waiting = 0;
      window.htmx.ajax("GET", window.location.href, { target: "[data-live]", select: "[data-live]", swap: "outerHTML" });
    }, 400);
  }
})();
