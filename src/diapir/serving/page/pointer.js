// What lies under the pointer: line numbers, time or depth, amplitude, probability.

import { getJson } from "./api.js";
import { $, element } from "./dom.js";
import { axes, layerHere } from "./section.js";
import { viewer } from "./stage.js";
import { state } from "./state.js";

const WAIT_MS = 40;

let turn = 0, timer = null;

viewer.onpointer = (place) => {
  clearTimeout(timer);
  const now = ++turn;
  if (!place || !state.facts) { $("readout").textContent = "\u00a0"; return; }
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

const show = (parts) => $("readout").replaceChildren(...parts.flatMap(([name, value]) => [element("span", { textContent: name }), element("b", { textContent: value })]));

async function valuesAt(row, column) {
  const { facts, axis, index } = state, layer = viewer.style.salt ? layerHere() : "";
  const found = await getJson(`/api/data/${facts.id}/${axis}/${index}/value?row=${row}&column=${column}${layer ? `&layer=${layer}` : ""}`);
  const values = [[facts.kind === "picture" ? "grey" : "amplitude", found.amplitude === null ? "no data" : String(Number(found.amplitude.toPrecision(4))).replace("-", "−")]];
  if (layer) values.push(["probability", found.probability === null ? "none" : found.probability.toFixed(2)]);
  return values;
}
