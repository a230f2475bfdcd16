// Labels of the section that is shown: tools, undo, the list of labelled sections.

import { $, element, openTab, told } from "./dom.js";
import { Painter } from "./labels/painter.js";
import { drawStrokes } from "./labels/draw_strokes.js";
import { Strokes } from "./labels/strokes.js";
import { goTo } from "./navigate.js";
import { axes, isVertical, sectionKey } from "./section.js";
import { viewer } from "./stage.js";
import { on, state } from "./state.js";

const HELP = {
  hand: "Drag moves the section.", salt: "Paint what is salt.", "not salt": "Paint rock that is not salt.", unknown: "Takes labels away again.",
  polygon: "Click the corners; Enter or a double click closes it, Esc drops it.", top: "Click along the top of salt; Enter ends it. Salt is painted below, rock above.",
  base: "Click along the base of salt; Enter ends it. Salt is painted above, rock below.",
};

export const strokes = new Strokes((text) => { $("saved").textContent = text || "\u00a0"; }, drawPanel);
export const painter = new Painter({
  viewer, axes, brush: () => Number($("brush").value), polygonLabel: () => $("polygon-label").value,
  paintable: () => isVertical() && strokes.ready,
  add: (made) => { if (made.length) strokes.add(sectionKey(), made); },
  told: (text) => told({ message: text }),
});
viewer.tool = painter;
viewer.overlays.push((context) => {
  if (isVertical()) drawStrokes(context, viewer, strokes.of(sectionKey()), axes());
  painter.draw(context);
});

let warned = false;

function warn() {
  if (strokes.conflict && !warned && $("pane-label").hidden) told({ content: { found: "These labels were changed elsewhere", fix: "load those, or keep yours, on the Label tab" } });
  warned = strokes.conflict;
}

function drawPanel() {
  viewer.changed();
  warn();
  $("undo").disabled = !strokes.done.length;
  $("redo").disabled = !strokes.undone.length;
  $("conflict").hidden = !strokes.conflict;
  $("saved").classList.toggle("bad", strokes.conflict);
  $("clear").disabled = !isVertical() || !strokes.of(sectionKey()).length;
  const labels = new Set([...strokes.sections.values()].flat().map((stroke) => stroke.label));
  $("adapt").disabled = !(labels.has("salt") && labels.has("not salt"));
  $("adapt-note").textContent = $("adapt").disabled ? "Label some salt and some rock first." : strokes.sections.size === 1 ? "Label a second section too, for a score on held-out labels." : "\u00a0";
  const items = [...strokes.sections].map(([key, list]) => {
    const section = JSON.parse(key), [[kind, value]] = Object.entries(section);
    return element("li", {}, element("button", { textContent: `${kind} ${value}`, onclick: () => goToLabelled(section) }),
      element("span", { className: "quiet", textContent: `${list.length} ${list.length === 1 ? "label" : "labels"}` }));
  });
  $("labelled").replaceChildren(...(items.length ? items : [element("li", { className: "quiet", textContent: "None yet" })]));
}

async function goToLabelled(section) {
  const [[axis, number]] = Object.entries(section), at = state.facts?.axes[axis]?.numbers.indexOf(number) ?? -1;
  if (at >= 0 && !(state.axis === axis && state.index === at)) await goTo(axis, at);
}

export function chooseTool(name) {
  painter.choose(name);
  for (const button of $("tools").children) button.setAttribute("aria-pressed", button.dataset.tool === name);
  $("tool-help").textContent = HELP[name];
  $("polygon-field").hidden = name !== "polygon";
  if (name !== "hand" && $("pane-label").hidden) openTab("label");
}

// what is undone is shown
async function stepped(section) { if (section) await goToLabelled(section); }
export const undo = () => stepped(strokes.undo());
export const redo = () => stepped(strokes.redo());

export function resizeBrush(pixels) { $("brush").value = Number($("brush").value) + pixels; brushChanged(); }
function brushChanged() { $("brush-value").textContent = `${$("brush").value} px`; viewer.changed(); }

let drawnOn = "";

on("opened", () => {
  const { id, name } = state.facts;
  $("strokes-file").href = `/api/data/${id}/strokes`;
  $("strokes-file").download = `${name}.strokes.json`;
  strokes.open(id).catch(told);
});
on("section", () => {
  const shown = `${state.facts.id} ${state.axis} ${state.index}`;
  if (drawnOn !== shown) painter.drop(); // half a polygon belongs to the section that it was begun on
  drawnOn = shown;
  drawPanel();
});
on("controls", () => { $("strokes-file").hidden = !state.facts; });

$("undo").onclick = undo;
$("redo").onclick = redo;
$("theirs").onclick = () => strokes.settle(false).catch(told);
$("mine").onclick = () => strokes.settle(true).catch(told);
addEventListener("focus", () => strokes.refresh().catch(() => {})); // another window may have changed them
$("clear").onclick = () => strokes.clear(sectionKey());
$("brush").oninput = brushChanged;
$("tools").onclick = (event) => { const tool = event.target.closest("[data-tool]")?.dataset.tool; if (tool) chooseTool(tool); };
addEventListener("beforeunload", (event) => { if (strokes.close()) event.preventDefault(); });
