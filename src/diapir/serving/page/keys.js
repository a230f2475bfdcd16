// The keys; `?` lists them.

import { $ } from "./dom.js";
import { openFiles } from "./files.js";
import { chooseTool, painter, redo, resizeBrush, undo } from "./labels.js";
import { goTo } from "./navigate.js";
import { predict, showOrHide } from "./predict.js";
import { viewer } from "./stage.js";
import { state } from "./state.js";

const TYPING = "input:not([type=range]):not([type=checkbox]), select, textarea";
const TOOLS = { h: "hand", s: "salt", n: "not salt", e: "unknown", g: "polygon", t: "top", b: "base" };
const AXES = { i: "inline", x: "crossline", z: "slice" };
const PAN = 60; // pixels
const ACTS = {
  "+": () => viewer.zoom(1.25), "=": () => viewer.zoom(1.25), "-": () => viewer.zoom(0.8), 0: () => viewer.fit(),
  arrowup: () => viewer.pan(0, PAN), arrowdown: () => viewer.pan(0, -PAN), ",": () => viewer.pan(PAN, 0), ".": () => viewer.pan(-PAN, 0),
  p: predict, l: showOrHide, "[": () => resizeBrush(-2), "]": () => resizeBrush(2), escape: () => painter.drop(),
};

document.addEventListener("keydown", (event) => {
  if (event.target.closest(TYPING) || document.querySelector("dialog[open]")) return;
  const key = event.key.toLowerCase(), act = event.ctrlKey || event.metaKey ? withControl(event, key) : event.altKey ? null : plain(event, key);
  if (!act) return;
  event.preventDefault();
  act();
});

function withControl(event, key) {
  if (key === "z") return event.shiftKey ? redo : undo;
  return key === "y" ? redo : null;
}

function plain(event, key) {
  const { target } = event, view = $("view");
  if (key === "o") return openFiles;
  if (key === "?") return () => $("keys").showModal();
  if (key === " " && target === view) return () => { painter.space = true; painter.cursor(); };
  if (key === "enter" && (target === view || target === document.body)) return () => painter.finish();
  if (!state.facts || !viewer.section) return null;
  const range = target.type === "range", within = target.getAttribute("role") === "tab";
  if (key === "arrowleft" || key === "arrowright") {
    if (within || (range && target.id !== "slider")) return null;
    const step = (event.shiftKey ? 10 : 1) * (key === "arrowleft" ? -1 : 1);
    return () => goTo(state.axis, state.index + step);
  }
  if (range && key.startsWith("arrow")) return null;
  if (TOOLS[key]) return () => chooseTool(TOOLS[key]);
  if (AXES[key]) return () => [...$("axes").children].find((button) => button.dataset.axis === AXES[key])?.click();
  return ACTS[key] ?? null;
}

document.addEventListener("keyup", (event) => { if (event.key === " ") { painter.space = false; painter.cursor(); } });
