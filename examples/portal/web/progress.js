// Shows how far a synchronisation has come without loading the page anew. Without this script the page reloads itself.
"use strict";

const box = document.getElementById("progress");

async function tick() {
  try {
    const answer = await fetch(box.dataset.source, { headers: { Accept: "application/json" }, redirect: "error" });
    const now = await answer.json();
    if (!now.running) {
      location.replace("/admin");
      return;
    }
    const stage = document.getElementById("sync-stage");
    if (stage.textContent !== now.stage) stage.textContent = now.stage; // a screen reader speaks when the text changes
    document.getElementById("sync-detail").textContent = now.detail;
    const bar = document.getElementById("sync-bar");
    if (now.total > 0 && now.done > 0) {
      bar.max = now.total;
      bar.value = now.done;
    } else {
      bar.removeAttribute("value");
    }
  } catch {
    location.replace("/admin"); // signed out, or the server went away: the page says which
    return;
  }
  setTimeout(tick, 1000);
}

if (box) setTimeout(tick, 1000);
