// Opens files and goes to their sections; the controls below the section.

import { getJson } from "./api.js";
import { $, element } from "./dom.js";
import { axes, indexOf, isSurvey, layerHere, sectionNumber } from "./section.js";
import { say, viewer } from "./stage.js";
import { emit, on, state } from "./state.js";

const AXES = { inline: "Inline", crossline: "Crossline", slice: "Slice", picture: "Picture" };
const PAGER = ["fit", "slider", "number", "previous", "next"], ADDRESS_MS = 300;

let turn = 0, words = AXES, addressed = null;

// place: { axis, index }, or the middle of the widest direction
export async function openData(id, place = null) {
  const now = ++turn;
  Object.assign(state, { facts: null, failed: false, wanted: { id, place } });
  viewer.clear();
  $("file-name").textContent = state.files.find((one) => one.id === id)?.name ?? "…";
  $("file-facts").textContent = "";
  emit("controls");
  say("busy", "Opening");
  let facts;
  try {
    facts = await getJson(`/api/data/${id}`);
  } catch (error) {
    if (now === turn) fail(error);
    return;
  }
  if (now !== turn) return;
  Object.assign(state, { facts, places: {}, sizes: new Map(), layers: layersOf(facts), layer: facts.predictions[0]?.layer ?? "", model: facts.model });
  $("file-name").textContent = facts.file;
  $("file-facts").textContent = sizeInWords(facts);
  chooseAxes();
  emit("opened");
  const axis = place && facts.sections[place.axis] ? place.axis : widest(facts), count = facts.sections[axis];
  await goTo(axis, place && place.index < count ? place.index : middle(count));
}

function fail(error) {
  state.failed = true;
  const { found, expected, fix } = error.content ?? {};
  say("bad", found ?? error.message, [expected && `Expected: ${expected}.`, fix && `To fix it: ${fix}.`].filter(Boolean).join(" "));
  emit("controls");
}

const some = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
const layersOf = (facts) => new Map(facts.predictions.map((one) => [one.layer, one]));
const middle = (count) => Math.floor((count - 1) / 2);
const widest = (facts) => (facts.kind === "picture" ? "picture" : facts.kind === "line" || facts.shape[1] >= facts.shape[0] ? "inline" : "crossline");

function sizeInWords({ kind, shape: [inlines, crosslines, samples] }) {
  if (kind === "picture") return `${crosslines} × ${inlines} px`;
  return kind === "line" ? `2D line, ${crosslines} traces × ${samples} samples` : `${some(inlines, "inline")} × ${some(crosslines, "crossline")} × ${samples} samples`;
}

function chooseAxes() {
  const { facts } = state;
  words = { ...AXES, slice: { time: "Time", depth: "Depth", unknown: "Slice" }[facts.vertical.domain], inline: facts.kind === "line" ? "Line" : "Inline" };
  $("axes").replaceChildren(...Object.keys(facts.sections).map((name) => {
    const button = element("button", { textContent: words[name], onclick: () => goTo(name, state.places[name] ?? middle(facts.sections[name])) });
    button.dataset.axis = name;
    return button;
  }));
}

export async function goTo(axis, index) {
  const { facts } = state;
  if (!facts?.sections[axis] || Number.isNaN(index)) return;
  index = Math.max(0, Math.min(facts.sections[axis] - 1, Math.round(index)));
  Object.assign(state, { axis, index, failed: false });
  state.places[axis] = index;
  drawPager();
  const base = `/api/data/${facts.id}/${axis}/${index}`, current = () => state.facts === facts && state.axis === axis && state.index === index;
  if (!state.sizes.has(axis)) {
    try { state.sizes.set(axis, await getJson(base)); } catch (error) { if (current()) fail(error); return; }
  }
  if (!current()) return;
  const { across, down } = axes();
  viewer.show({ ...state.sizes.get(axis), base, data: facts.id, axis, across, down, layer: layerHere(), square: axis === "picture" || axis === "slice" });
  emit("section");
  emit("controls");
}

export const again = () => goTo(state.axis, state.index);

// what could not be read while the service did not answer
export function recover() {
  if (!state.facts) return state.wanted && openData(state.wanted.id, state.wanted.place);
  viewer.tiles.failed = null;
  return again();
}

// predictions of the whole survey anew
export async function refreshPredictions() {
  if (!state.facts) return;
  const { id } = state.facts, facts = await getJson(`/api/data/${id}`);
  if (state.facts?.id !== id) return;
  state.layers = layersOf(facts);
  await again();
}

function drawPager() {
  const { facts, axis, index } = state, slider = $("slider"), number = $("number"), one = facts.sections[axis] === 1;
  for (const button of $("axes").children) button.setAttribute("aria-pressed", button.dataset.axis === axis);
  slider.max = facts.sections[axis] - 1; slider.value = index;
  number.value = sectionNumber();
  slider.setAttribute("aria-valuetext", `${words[axis]} ${number.value}`);
  number.parentElement.hidden = one;
  number.step = axis === "slice" ? facts.vertical.interval : 1;
  $("number-name").textContent = axis === "slice" ? facts.vertical.unit : words[axis];
  clearTimeout(addressed); // browsers refuse many changes of the address
  addressed = setTimeout(() => history.replaceState(null, "", `#${facts.id}/${axis}/${index}`), ADDRESS_MS);
}

on("controls", () => {
  const { facts, axis } = state, one = !facts || facts.sections[axis] === 1;
  for (const id of PAGER) $(id).disabled = id === "fit" ? !facts : one;
  $("map-group").hidden = !isSurvey();
});
on("layers", again);

$("slider").oninput = () => goTo(state.axis, Number($("slider").value));
$("previous").onclick = () => goTo(state.axis, state.index - 1);
$("next").onclick = () => goTo(state.axis, state.index + 1);
$("number").onchange = () => { if ($("number").value === "") drawPager(); else goTo(state.axis, indexOf(Number($("number").value))); };
$("number").addEventListener("keydown", (event) => { if (event.key === "Enter") $("view").focus(); }); // keys are of the section again
$("fit").onclick = () => viewer.fit();

