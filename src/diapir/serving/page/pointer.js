// What lies under the pointer: line numbers, time or depth, amplitude, probability.

import { getJson } from "./api.js";
import { $, element } from "./dom.js";
import { axes, layerHere } from "./section.js";
import { viewer } from "./stage.js";
import { on, state } from "./state.js";

const WAIT_MS = 40;

let turn = 0, timer = null;

viewer.onpointer = (place) => {
  clearTimeout(timer);
  const now = ++turn;
  if (!place || viewer.section?.data !== state.facts?.id || viewer.section.axis !== state.axis) { $("scale").classList.remove("away"); $("readout").textContent = "\u00a0"; return; }
  seeThrough(place);
  const { across, down } = axes(), [column, row] = place.map(Math.floor);
  const parts = [[across.name, Math.round(across.value(column))], [down.name, `${Math.round(down.value(row) * 100) / 100}${state.axis === "slice" ? "" : ` ${down.unit}`}`]];
  show(parts);
  timer = setTimeout(async () => {
    try {
      const values = await valuesAt(row, column);
      if (now === turn) show([...parts, ...values]);
    } catch { /* the next movement asks again */ }
  }, WAIT_MS);
};

on("section", () => viewer.point(viewer.pointer)); // another section under the same place

// the scale bar fades where the pointer is over it
function seeThrough(place) {
  const scale = $("scale"), [x, y] = viewer.toScreen(...place);
  scale.classList.toggle("away", x > scale.offsetLeft - 20 && y > scale.offsetTop - 20);
}

const show = (parts) => $("readout").replaceChildren(...parts.flatMap(([name, value]) => [element("span", { textContent: name }), element("b", { textContent: value })]));

async function valuesAt(row, column) {
  const { facts, axis, index } = state, layer = viewer.style.salt ? layerHere() : "";
  const found = await getJson(`/api/data/${facts.id}/${axis}/${index}/value?row=${row}&column=${column}${layer ? `&layer=${layer}` : ""}`);
  const values = [[facts.kind === "picture" ? "grey" : "amplitude", found.amplitude === null ? "no data" : String(Number(found.amplitude.toPrecision(4))).replace("-", "−")]];
  if (layer) values.push(["probability", found.probability === null ? "none" : found.probability.toFixed(2)]);
  return values;
}
