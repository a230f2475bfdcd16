// The viewer, and the message over it: loading, predicting, what went wrong.

import { $, element } from "./dom.js";
import { here, layerHere } from "./section.js";
import { emit, on, state } from "./state.js";
import { Viewer } from "./view/viewer.js";

const LATE_MS = 250;

export const theme = () => document.documentElement.dataset.theme;

export const viewer = new Viewer($("view"), { colours: "grey", gain: 1, reverse: false, opacity: 0.5, threshold: 0.5, outline: true, salt: true, theme: theme() });

let busyWith = "", cancel = null, soon = null;

// kind: said (a message), bad (an error), busy (in the corner), or nothing
export function say(kind, title = "", text = "") {
  const box = $("state");
  box.className = kind ? `state shown ${kind}` : "state";
  if (kind === "busy") box.replaceChildren(element("span", { textContent: title }), cancel ? element("button", { className: "small", textContent: "Cancel", onclick: cancel }) : "");
  else box.replaceChildren(...[title && element("strong", { textContent: title }), text].filter(Boolean));
}

// what the page is busy with; act: cancels it
export function busy(text, act = null) {
  busyWith = text; cancel = act;
  if (text && !state.facts) say("busy", text);
  viewer.changed();
}

viewer.onstate = (pending, failed) => {
  const waits = String(pending > 0);
  if ($("view").getAttribute("aria-busy") !== waits) $("view").setAttribute("aria-busy", waits);
  if (!state.facts || state.failed) return;
  clearTimeout(soon);
  if (failed?.status === 404 && state.own.get(here())?.layer === layerHere() && layerHere()) return forget();
  if (failed && !pending) say("bad", "This section cannot be read", failed.message);
  else if (busyWith || state.predicting.has(here())) say("busy", busyWith || "Predicting");
  else if (pending) soon = setTimeout(() => { if (viewer.tiles.pending && state.facts && !state.failed) say("busy", "Loading"); }, LATE_MS);
  else say("");
};

// a prediction of one section that the service does not hold any more
function forget() {
  state.own.delete(here());
  viewer.tiles.failed = null;
  emit("layers");
}

on("look", () => viewer.changed());
