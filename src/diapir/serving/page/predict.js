// Predicts the section that is shown, chooses which prediction is drawn, and says what it found.

import { getJson, sendJson } from "./api.js";
import { $, element, percent, told } from "./dom.js";
import { again } from "./navigate.js";
import { here, isSurvey, isVertical, predictionHere, shortModel } from "./section.js";
import { viewer } from "./stage.js";
import { emit, on, state } from "./state.js";

const NO_DOMAIN = "time or depth is not known: the file does not record it (--domain time or --domain depth)";

export async function predict() {
  const key = here(), { facts, axis, index, model } = state;
  if (!isVertical() || state.predicting.has(key)) return;
  state.predicting.add(key);
  emit("controls");
  try {
    const found = await sendJson("POST", `/api/data/${facts.id}/predict`, { axis, index, model });
    state.own.set(key, found);
    viewer.tiles.forget(found.layer);
    if (here() === key) { state.layer = ""; show(true); await again(); }
  } catch (error) { told(error); } finally { state.predicting.delete(key); emit("controls"); }
}

export function setThreshold(value) {
  $("threshold").value = value;
  $("threshold-value").textContent = Number(value).toFixed(2);
  viewer.restyle({ threshold: Number(value) });
}

// the salt, or nothing of it
export function show(salt) { viewer.restyle({ salt }); drawPanel(); }
export const showOrHide = () => show(!viewer.style.salt);

// chooses a prediction of the whole survey
export function choose(layer) { state.layer = layer; show(true); }

let thresholdOf = null;

function drawPanel() {
  if (!state.facts) return;
  const found = predictionHere(), options = [element("option", { value: "", textContent: "This section alone" })];
  for (const one of state.layers.values()) options.push(element("option", { value: one.layer, textContent: `Whole survey, ${shortModel(one.model)}` }));
  options.push(element("option", { value: "none", textContent: "Nothing" }));
  $("layer").replaceChildren(...options);
  $("layer").value = !viewer.style.salt ? "none" : state.layers.has(state.layer) ? state.layer : "";
  $("found").textContent = inWords(found);
  $("caveats").replaceChildren(...(found?.caveats ?? []).map((text) => element("li", { textContent: text })));
  const kind = found && `${found.model} ${found.threshold}`;
  if (found && thresholdOf !== kind) { thresholdOf = kind; setThreshold(found.threshold); }
  drawNotes(found);
}

function inWords(found) {
  if (!found) return isVertical() ? "Not predicted yet." : "Predict the whole survey to see slices of the salt.";
  if (found.salt_share === undefined) return `Whole survey, model ${shortModel(found.model)}, threshold ${found.threshold}`;
  return `${percent(found.salt_share)} of samples are salt (probability ≥ ${found.threshold}), model ${shortModel(found.model)}, ${found.seconds.toFixed(1)} s`;
}

function drawNotes(found) {
  const { facts } = state, notes = [...facts.notes, ...(state.sizes.get(state.axis)?.notes ?? []), ...(found?.notes ?? [])];
  if (isSurvey() && facts.vertical.domain === "unknown") notes.unshift(NO_DOMAIN);
  if (!notes.length) notes.push("nothing unusual was found in the file");
  $("notes").replaceChildren(...[...new Set(notes)].map((text) => element("li", { textContent: text })));
}

// ---- models

export async function loadModels() {
  const { models } = await getJson("/api/models");
  $("model").replaceChildren(...models.map((model) => element("option", { value: model.name, textContent: shortModel(model.name), title: model.name })));
  if (!models.some((model) => model.name === state.model)) state.model = models[0]?.name ?? "";
  $("model").value = state.model;
}

export function useModel(name) { state.model = $("model").value = name; again(); }

on("opened", () => { $("model").value = state.model; });
on("section", drawPanel);
on("controls", () => {
  $("predict").disabled = !isVertical() || state.predicting.has(here());
  for (const id of ["layer", "opacity", "threshold"]) $(id).disabled = !state.facts;
  viewer.changed();
});

$("predict").onclick = predict;
$("model").onchange = () => useModel($("model").value);
$("layer").onchange = () => {
  const { value } = $("layer");
  if (value !== "none") state.layer = value;
  viewer.restyle({ salt: value !== "none" });
  again();
};
$("threshold").oninput = () => setThreshold($("threshold").value);
$("opacity").oninput = () => { $("opacity-value").textContent = `${Math.round(100 * $("opacity").value)} %`; viewer.restyle({ opacity: Number($("opacity").value) }); };
$("outline").onchange = () => viewer.restyle({ outline: $("outline").checked });
