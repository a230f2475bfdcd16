// The page: joins viewer, labels, jobs and the service.

import { getJson, send, sendJson } from "./api.js";
import { amplitudeColours } from "./colours.js";
import { drawHorizons, loadHorizons } from "./horizons.js";
import { Jobs, element, size } from "./jobs.js";
import { drawMap } from "./map.js";
import { Strokes, drawStrokes } from "./strokes.js";
import { Painter } from "./tools.js";
import { Viewer, axisOf, evenAxis } from "./viewer.js";

const $ = (id) => document.getElementById(id);
const state = { facts: null, axis: null, index: 0, own: new Map(), predicting: new Set(), layers: new Map(), files: [], layer: "", busy: "" };
const AXES = { inline: "Inline", crossline: "Crossline", slice: "Slice", picture: "Picture" };
const HELP = {
  hand: "Drag moves the section.", salt: "Paint what is salt.", "not salt": "Paint rock that is not salt.", unknown: "Takes labels away again.",
  polygon: "Click the corners; Enter or a double click closes it.", top: "Click along the top of salt; Enter ends it. Salt is painted below, rock above.",
  base: "Click along the base of salt; Enter ends it. Salt is painted above, rock below.",
};

// ---- looks

const theme = () => document.documentElement.dataset.theme;
function setTheme(name) {
  document.documentElement.dataset.theme = name;
  try { localStorage.setItem("diapir-theme", name); } catch { /* private window */ }
}
let kept = null;
try { kept = localStorage.getItem("diapir-theme"); } catch { /* private window */ }
setTheme(kept ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));

function told(error, good = false) {
  const content = error.content ?? { found: error.message ?? String(error) };
  const toast = element("div", { className: good ? "toast good" : "toast" }, element("b", { textContent: content.found ?? error.message }), content.fix ? element("span", { textContent: content.fix }) : null);
  $("toasts").append(toast);
  while ($("toasts").children.length > 3) $("toasts").firstChild.remove();
  setTimeout(() => toast.remove(), good ? 4000 : 10000);
}

function say(kind, title = "", text = "") {
  const box = $("state");
  box.className = kind ? `state shown ${kind}` : "state";
  box.replaceChildren(...(kind === "busy" ? [title] : [title && element("strong", { textContent: title }), text].filter(Boolean)));
}

// ---- viewer

const viewer = new Viewer($("view"), { colours: "grey", gain: 1, reverse: false, opacity: 0.5, threshold: 0.5, outline: true, salt: true, theme: theme() });
viewer.onstate = (pending, failed) => {
  if (!state.facts || state.failed) return;
  const lost = failed?.status === 404 && state.layer.startsWith("s") ? "" : failed?.message;
  if (lost && !pending) say("bad", "This section cannot be read", lost);
  else if (state.busy || state.predicting.has(here())) say("busy", state.busy || "Predicting");
  else if (pending) { clearTimeout(state.soon); state.soon = setTimeout(() => { if (viewer.tiles.pending && !state.failed) say("busy", "Loading"); }, 250); }
  else { clearTimeout(state.soon); say(""); }
};
const strokes = new Strokes((text) => { $("saved").textContent = text; }, () => labelsChanged());
const painter = new Painter({
  viewer, axes: () => axes(), brush: () => Number($("brush").value), polygonLabel: () => $("polygon-label").value,
  add: (made) => { if (made.length) strokes.add(sectionKey(), made); }, paintable: () => state.facts && state.axis !== "slice",
});
viewer.tool = painter;
viewer.overlay = (context) => {
  if (state.horizons && $("horizons").checked && ["inline", "crossline"].includes(state.axis))
    drawHorizons(context, viewer, state.horizons, state.axis, state.facts.kind === "line" ? null : sectionNumber(), axes());
  if (state.axis !== "slice") drawStrokes(context, viewer, strokes.of(sectionKey()), axes());
  painter.draw(context);
};
const busy = (text) => { state.busy = text; viewer.changed(); };

function axes() {
  const { facts, axis } = state, vertical = facts.vertical;
  if (axis === "picture") return { across: evenAxis(0, 1, "x", "px"), down: evenAxis(0, 1, "y", "px"), rowHeight: 1 };
  const inlines = axisOf(facts.axes.inline.numbers, "inline"), crosslines = axisOf(facts.axes.crossline.numbers, facts.axes.crossline.name);
  if (axis === "slice") return { across: stepped(crosslines, facts.step.columns), down: { ...stepped(inlines, facts.step.rows), unit: "inline" }, rowHeight: 1 };
  return { across: axis === "inline" ? crosslines : inlines, down: evenAxis(vertical.start, vertical.interval, { time: "time", depth: "depth", unknown: "time or depth" }[vertical.domain], vertical.unit), rowHeight: vertical.interval };
}

const stepped = (axis, step) => (step === 1 ? axis : { ...axis, value: (i) => axis.value(i * step), index: (v) => axis.index(v) / step });

// the section in the words of the file of strokes
function sectionKey() {
  const { facts, axis, index } = state;
  if (facts.kind === "picture") return { picture: facts.file };
  if (facts.kind === "line") return { line: facts.name };
  return axis === "inline" ? { inline: facts.axes.inline.numbers[index] } : { crossline: facts.axes.crossline.numbers[index] };
}

function sectionNumber(axis = state.axis, index = state.index) {
  const { facts } = state;
  if (axis === "slice") return Math.round((facts.vertical.start + index * facts.vertical.interval) * 1000) / 1000;
  return axis === "picture" ? 1 : facts.axes[axis].numbers[index];
}

// ---- files

async function loadFiles() {
  state.files = (await getJson("/api/files")).files;
  drawFiles();
}

function drawFiles() {
  const wanted = $("filter").value.toLowerCase();
  const found = state.files.filter((file) => file.name.toLowerCase().includes(wanted)).slice(0, 300);
  const items = found.map((file) => element("li", {}, element("button", { textContent: file.name, onclick: () => { $("files").close(); openData(file.id); } }), element("span", { className: "quiet", textContent: `${file.kind}${file.bytes ? `, ${size(file.bytes)}` : ""}` })));
  $("file-list").replaceChildren(...(items.length ? items : [element("li", { className: "quiet small", textContent: state.files.length ? "None of this name. Enter opens a path below the folders named at the start." : "No files yet. Start `diapir serve` with files or folders, or drop a file here." })]));
}

async function openPath() {
  try { const file = await sendJson("POST", "/api/files", { path: $("filter").value }); $("files").close(); openData(file.id); } catch (error) { told(error); }
}

async function upload(file) {
  if (!file) return;
  busy(`Sending ${file.name}`);
  if (!state.facts) say("busy", state.busy);
  try {
    const found = await send("POST", `/api/uploads?name=${encodeURIComponent(file.name)}`, file);
    await loadFiles();
    const picture = found.kind === "picture";
    await openData(found.id);
    if (picture) predict();
  } catch (error) { told(error); if (!state.facts) welcome(); } finally { busy(""); }
}

function welcome() { say("shown", "Open a survey or a picture", state.files.length ? "Choose one at the top, or drop a file here." : "Drop a picture or a SEG-Y file here. It stays on this computer."); }

async function openData(id, place = null) {
  const turn = (state.turn = (state.turn ?? 0) + 1);
  state.facts = null; state.failed = false;
  viewer.clear();
  const file = state.files.find((one) => one.id === id);
  $("file-name").textContent = file?.name ?? "…";
  $("file-facts").textContent = "";
  say("busy", "Opening");
  let facts;
  try {
    facts = await getJson(`/api/data/${id}`);
  } catch (error) {
    if (turn !== state.turn) return;
    state.failed = true;
    const { found, fix } = error.content ?? {};
    say("bad", found ?? error.message, fix ?? "");
    enable();
    return;
  }
  if (turn !== state.turn) return;
  state.facts = facts;
  state.layers = new Map(facts.predictions.map((one) => [one.layer, one]));
  state.layer = facts.predictions[0]?.layer ?? "";
  state.sections = new Map();
  $("file-name").textContent = facts.file;
  const [inlines, crosslines, samples] = facts.shape;
  $("file-facts").textContent = facts.kind === "picture" ? `${facts.shape[1]} × ${facts.shape[0]} px` : facts.kind === "line" ? `2D line, ${crosslines} traces × ${samples} samples` : `${inlines} inlines × ${crosslines} crosslines × ${samples} samples`;
  $("model").value = facts.model;
  chooseAxes();
  $("strokes-file").href = `/api/data/${id}/strokes`;
  $("strokes-file").download = `${facts.name}.strokes.json`;
  state.horizons = null;
  findHorizons().catch(told);
  try { await strokes.open(id); } catch (error) { told(error); }
  if (turn !== state.turn) return;
  const axis = place && facts.sections[place.axis] ? place.axis : widest(facts);
  const count = facts.sections[axis];
  await goTo(axis, place && place.index < count ? place.index : Math.floor((count - 1) / 2));
  enable();
}

const widest = (facts) => (facts.kind === "picture" ? "picture" : facts.kind === "line" || facts.shape[1] >= facts.shape[0] ? "inline" : "crossline");

function chooseAxes() {
  const names = Object.keys(state.facts.sections), words = { ...AXES, slice: state.facts.vertical.domain === "depth" ? "Depth" : "Time", inline: state.facts.kind === "line" ? "Line" : "Inline" };
  state.words = words;
  $("axes").replaceChildren(...names.map((name) => {
    const button = element("button", { textContent: words[name], onclick: () => goTo(name, Math.min(state.facts.sections[name] - 1, state.places?.[name] ?? Math.floor((state.facts.sections[name] - 1) / 2))) });
    button.setAttribute("role", "radio");
    button.dataset.axis = name;
    return button;
  }));
}

async function goTo(axis, index) {
  const { facts } = state;
  if (!facts?.sections[axis]) return;
  index = Math.max(0, Math.min(facts.sections[axis] - 1, Math.round(index)));
  state.axis = axis; state.index = index; state.failed = false;
  state.places = { ...state.places, [axis]: index };
  for (const button of $("axes").children) button.setAttribute("aria-checked", button.dataset.axis === axis);
  const slider = $("slider"), number = $("number"), one = facts.sections[axis] === 1;
  slider.max = facts.sections[axis] - 1; slider.value = index;
  for (const part of [slider, number, $("previous"), $("next")]) part.disabled = one;
  number.value = sectionNumber();
  number.parentElement.hidden = one;
  number.step = axis === "slice" ? facts.vertical.interval : 1;
  $("number-name").textContent = axis === "slice" ? facts.vertical.unit : state.words[axis];
  history.replaceState(null, "", `#${facts.id}/${axis}/${index}`);
  const base = `/api/data/${facts.id}/${axis}/${index}`;
  let size_ = state.sections.get(axis);
  if (!size_) {
    try { size_ = await getJson(base); } catch (error) { told(error); return; }
    state.sections.set(axis, size_);
  }
  if (state.facts !== facts || state.axis !== axis || state.index !== index) return;
  const { across, down } = axes();
  const shown = layerHere();
  viewer.show({ ...size_, base, data: facts.id, axis, across, down, layer: shown, square: axis === "picture" || axis === "slice" });
  notes(size_.notes);
  drawLayers();
  labelsChanged();
  enable();
  if (facts.kind !== "picture") drawMap($("map"), facts, axis, index);
}

const shortModel = (name) => name.split("/").at(-1);
const here = () => `${state.facts?.id} ${state.axis} ${state.index} ${$("model").value}`;

// the whole survey's prediction that is chosen, or the one made of this section
function layerHere() {
  const own = state.own.get(here());
  if (state.layer && state.layers.has(state.layer)) return state.layer;
  return own?.layer ?? "";
}

function foundHere() {
  const layer = layerHere();
  if (!layer) return null;
  return state.layers.get(layer) ?? [...state.own.values()].find((one) => one.layer === layer);
}

function drawLayers() {
  const found = foundHere(), options = [element("option", { value: "", textContent: "This section, predicted alone" })];
  for (const one of state.layers.values()) options.push(element("option", { value: one.layer, textContent: `Whole survey, ${shortModel(one.model)}` }));
  options.push(element("option", { value: "none", textContent: "Nothing" }));
  $("layer").replaceChildren(...options);
  $("layer").value = viewer.style.salt ? (state.layers.has(state.layer) ? state.layer : "") : "none";
  const text = !found ? (state.axis === "slice" ? "Predict the whole survey to see slices of the salt." : "Not predicted yet.")
    : found.salt_share !== undefined ? `${(100 * found.salt_share).toFixed(1)} % of samples are salt (probability ≥ ${found.threshold}), model ${shortModel(found.model)}, ${found.seconds.toFixed(1)} s` : `Whole survey, model ${shortModel(found.model)}, threshold ${found.threshold}`;
  $("found").textContent = text;
  $("caveats").replaceChildren(...(found?.caveats ?? []).map((one) => element("li", { textContent: one })));
  if (found && state.thresholdOf !== found.layer) { state.thresholdOf = found.layer; setThreshold(found.threshold); }
}

function notes(more = []) {
  const found = [...state.facts.notes, ...more, ...(foundHere()?.notes ?? [])];
  if (state.facts.vertical.domain === "unknown" && state.facts.kind !== "picture") found.unshift("time or depth is not known: the file does not record it (--domain time or --domain depth)");
  $("notes").replaceChildren(...(found.length ? [...new Set(found)] : ["nothing unusual was found in the file"]).map((text) => element("li", { textContent: text })));
}

// ---- predictions

async function predict() {
  if (!state.facts || state.axis === "slice" || state.predicting.has(here())) return;
  const { facts, axis, index } = state, model = $("model").value, key = here();
  state.predicting.add(key);
  enable();
  try {
    const found = await sendJson("POST", `/api/data/${facts.id}/predict`, { axis, index, model });
    state.own.set(key, found);
    viewer.tiles.forget(found.layer);
    state.layer = "";
    viewer.restyle({ salt: true });
    if (state.facts === facts && state.axis === axis && state.index === index) await goTo(axis, index);
  } catch (error) { told(error); } finally { state.predicting.delete(key); enable(); }
}

async function start(kind, options, more = {}) {
  try {
    await strokes.flush();
    await sendJson("POST", "/api/jobs", { kind, data: state.facts?.id, model: $("model").value, options, ...more });
    openTab("jobs");
    jobs.poll();
  } catch (error) { told(error); }
}

async function findHorizons() {
  const { facts } = state, found = facts && facts.kind !== "picture" ? await loadHorizons(facts.id, facts.kind === "line") : null;
  if (state.facts !== facts) return;
  state.horizons = found;
  $("horizons").disabled = !found;
  $("horizons-words").textContent = found ? "Top salt, and base salt dashed" : "Horizons: not extracted yet";
  viewer.changed();
}

async function refreshPredictions() {
  if (!state.facts) return;
  const { id } = state.facts, facts = await getJson(`/api/data/${id}`);
  if (state.facts?.id !== id) return;
  state.layers = new Map(facts.predictions.map((one) => [one.layer, one]));
  goTo(state.axis, state.index);
}

const jobs = new Jobs($("jobs"), $("job-count"), {
  told,
  isSurvey: (id) => state.files.find((file) => file.id === id)?.kind === "survey",
  async ended(job) {
    if (job.status === "done") told({ message: `Done: ${job.title}` }, true);
    if (job.kind === "adapt") await loadModels();
    if (job.kind === "products" && job.data === state.facts?.id) findHorizons().catch(told);
    if (job.kind === "predict" && job.data === state.facts?.id) { if (job.status === "done") state.layer = job.id; refreshPredictions().catch(told); }
  },
  use: async (name) => { await loadModels(); $("model").value = name; modelChanged(); openTab("view"); told({ message: "The adapted model is chosen. Predict this section to see it." }, true); },
  show: async (job) => { if (state.facts?.id !== job.data) await openData(job.data); state.layer = job.id; viewer.restyle({ salt: true }); openTab("view"); await refreshPredictions(); },
  products: (job) => start("products", { segy: true }, { data: job.data, model: job.model, source: job.id }),
  goTo: async (job, name) => {
    if (state.facts?.id !== job.data) await openData(job.data);
    const [axis, number] = name.split(" ");
    const at = state.facts.axes[axis]?.numbers.indexOf(Number(number)) ?? -1;
    if (at >= 0) await goTo(axis, at);
    openTab("label");
  },
  bodies: async (job, files) => {
    $("space").showModal();
    $("bodies-note").textContent = "Loading …";
    try {
      files ??= (await getJson(`/api/jobs/${job.id}`)).files.filter((file) => file.name.endsWith(".ply"));
      if (!files.length) { $("bodies-note").textContent = "There are no meshes: no body is large enough, or this is a 2D line."; return; }
      const { showBodies } = await import("./bodies.js");
      await showBodies($("bodies"), $("bodies-note"), files.map((file) => `/api/jobs/${job.id}/files/${file.name.split("/").map(encodeURIComponent).join("/")}`));
    } catch (error) { $("bodies-note").textContent = error.message; }
  },
});

async function loadModels() {
  const { models } = await getJson("/api/models"), before = $("model").value;
  $("model").replaceChildren(...models.map((model) => element("option", { value: model.name, textContent: model.origin === "adapted" ? `adapted, ${model.name.replace(/^adapt-\d{8}-(\d\d)(\d\d).*/, "$1:$2")}` : model.name.split("/").at(-1) })));
  if (models.some((model) => model.name === before)) $("model").value = before;
  else if (models[0]?.origin === "bundled") $("model").value = "general";
}

function modelChanged() { if (state.facts) goTo(state.axis, state.index); }

// ---- labels

function labelsChanged() {
  viewer.changed();
  $("undo").disabled = !strokes.done.length;
  $("redo").disabled = !strokes.undone.length;
  $("clear").disabled = !state.facts || state.axis === "slice" || !strokes.of(sectionKey()).length;
  const labels = new Set([...strokes.sections.values()].flat().map((stroke) => stroke.label));
  $("adapt").disabled = !(labels.has("salt") && labels.has("not salt"));
  $("adapt").title = $("adapt").disabled ? "Paint salt and not salt first" : "";
  const items = [...strokes.sections].map(([key, list]) => {
    const section = JSON.parse(key), [[kind, value]] = Object.entries(section);
    return element("li", {}, element("button", { textContent: `${kind} ${value}`, onclick: () => { const at = state.facts.axes[kind]?.numbers.indexOf(value) ?? -1; if (at >= 0) goTo(kind, at); } }),
      element("span", { className: "quiet", textContent: `${list.length} ${list.length === 1 ? "stroke" : "strokes"}` }));
  });
  $("labelled").replaceChildren(...(items.length ? items : [element("li", { className: "quiet", textContent: "None yet" })]));
}

function chooseTool(name) {
  painter.choose(name);
  for (const button of $("tools").children) button.setAttribute("aria-checked", button.dataset.tool === name);
  $("tool-help").textContent = HELP[name];
  $("polygon-field").hidden = name !== "polygon";
  if (name !== "hand" && $("pane-label").hidden) openTab("label");
}

// ---- controls

function enable() {
  const { facts, axis } = state, survey = facts && facts.kind !== "picture";
  $("predict").disabled = !facts || axis === "slice" || state.predicting.has(here());
  $("predict-all").disabled = !survey;
  $("suggest").disabled = !survey;
  for (const id of ["fit", "slider", "number", "previous", "next"]) if (!facts) $(id).disabled = true;
  $("fit").disabled = !facts;
  $("map-group").hidden = !survey;
  $("strokes-file").hidden = !facts;
  $("map-note").textContent = survey && !facts.map ? "The file has no coordinates: by line numbers." : "";
  $("scale").hidden = !facts;
  if (facts) drawScale();
  viewer.changed();
}

function drawScale() {
  const { facts } = state, { gain, reverse } = viewer.style, canvas = $("scale-bar"), context = canvas.getContext("2d");
  const table = amplitudeColours(viewer.style), image = context.createImageData(12, 128), words = new Uint32Array(image.data.buffer);
  for (let y = 0; y < 128; y++) words.fill(table[Math.max(1, 255 - 2 * y)], y * 12, y * 12 + 12);
  context.putImageData(image, 0, 0);
  const clip = facts.clip === null ? null : facts.clip;
  const text = (v) => (Math.abs(v) >= 1e5 || Math.abs(v) < 1e-2 ? v.toExponential(1) : String(Number(v.toPrecision(3))));
  $("scale-high").textContent = clip === null ? "255" : `+${text(clip)}`;
  $("scale-low").textContent = clip === null ? "0" : `−${text(clip)}`;
}

function setThreshold(value) {
  $("threshold").value = value;
  $("threshold-value").textContent = Number(value).toFixed(2);
  viewer.restyle({ threshold: Number(value) });
}

function openTab(name) {
  for (const one of ["view", "label", "jobs"]) {
    $(`pane-${one}`).hidden = one !== name;
    $(`tab-${one}`).setAttribute("aria-selected", one === name);
    $(`tab-${one}`).tabIndex = one === name ? 0 : -1;
  }
  if (name === "view" && state.facts && state.facts.kind !== "picture") drawMap($("map"), state.facts, state.axis, state.index);
}

for (const name of ["view", "label", "jobs"]) $(`tab-${name}`).onclick = () => openTab(name);
document.querySelector(".tabs").addEventListener("keydown", (event) => {
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!move) return;
  const names = ["view", "label", "jobs"], at = names.findIndex((one) => !$(`pane-${one}`).hidden);
  const name = names[(at + move + 3) % 3];
  openTab(name); $(`tab-${name}`).focus(); event.stopPropagation();
});
$("theme").onclick = () => {
  setTheme(theme() === "dark" ? "light" : "dark");
  viewer.restyle({ theme: theme() });
  if (state.facts) { drawScale(); if (state.facts.kind !== "picture") drawMap($("map"), state.facts, state.axis, state.index); }
};
const openFiles = () => { $("files").showModal(); $("filter").focus(); loadFiles().catch(told); };
$("choose").onclick = openFiles;
$("help").onclick = () => $("keys").showModal();
$("filter").oninput = drawFiles;
$("filter").onkeydown = (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  const first = $("file-list").querySelector("button");
  if (first && !$("filter").value.startsWith("/")) first.click(); else openPath();
};
$("pick").onchange = () => { const [file] = $("pick").files; $("files").close(); upload(file); $("pick").value = ""; };
$("slider").oninput = () => goTo(state.axis, Number($("slider").value));
$("previous").onclick = () => goTo(state.axis, state.index - 1);
$("next").onclick = () => goTo(state.axis, state.index + 1);
$("number").onchange = () => {
  const wanted = Number($("number").value), { facts, axis } = state;
  const at = axis === "slice" ? (wanted - facts.vertical.start) / facts.vertical.interval : axisOf(facts.axes[axis].numbers, "").index(wanted);
  goTo(axis, at);
};
$("fit").onclick = () => viewer.fit();
$("predict").onclick = predict;
$("predict-all").onclick = () => start("predict", {});
$("adapt").onclick = () => start("adapt", $("budget").value ? { budget_s: Number($("budget").value) } : {});
$("suggest").onclick = () => start("suggest", {});
$("model").onchange = modelChanged;
$("layer").onchange = () => { const value = $("layer").value; viewer.restyle({ salt: value !== "none" }); if (value !== "none") state.layer = value; goTo(state.axis, state.index); };
$("opacity").oninput = () => { $("opacity-value").textContent = `${Math.round(100 * $("opacity").value)} %`; viewer.restyle({ opacity: Number($("opacity").value) }); };
$("threshold").oninput = () => setThreshold($("threshold").value);
$("outline").onchange = () => viewer.restyle({ outline: $("outline").checked });
$("horizons").onchange = () => viewer.changed();
$("colours").onchange = () => { viewer.restyle({ colours: $("colours").value }); if (state.facts) drawScale(); };
$("gain").oninput = () => { const gain = 2 ** Number($("gain").value); $("gain-value").textContent = `×${gain.toFixed(1)}`; viewer.restyle({ gain }); if (state.facts) drawScale(); };
$("reverse").onchange = () => { viewer.restyle({ reverse: $("reverse").checked }); if (state.facts) drawScale(); };
$("brush").oninput = () => { $("brush-value").textContent = `${$("brush").value} px`; viewer.changed(); };
$("undo").onclick = () => strokes.undo();
$("redo").onclick = () => strokes.redo();
$("clear").onclick = () => strokes.clear(sectionKey());
$("tools").onclick = (event) => { const tool = event.target.closest("[data-tool]")?.dataset.tool; if (tool) chooseTool(tool); };

// ---- pointer

let asked = 0, pointerTimer = null;
viewer.onpointer = (place) => {
  clearTimeout(pointerTimer);
  if (!place || !state.facts) { $("readout").innerHTML = "&nbsp;"; asked++; return; }
  const { across, down } = axes(), [column, row] = place.map(Math.floor);
  const parts = [[across.name, Math.round(across.value(column))], [down.name, `${Math.round(down.value(row) * 100) / 100}${state.axis === "slice" ? "" : ` ${down.unit}`}`]];
  const show = (values) => $("readout").replaceChildren(...[...parts, ...values].flatMap(([name, value]) => [element("span", { textContent: name }), element("b", { textContent: value })]));
  show([]);
  const turn = ++asked, layer = viewer.style.salt ? layerHere() : "";
  pointerTimer = setTimeout(async () => {
    try {
      const found = await getJson(`/api/data/${state.facts.id}/${state.axis}/${state.index}/value?row=${row}&column=${column}${layer ? `&layer=${layer}` : ""}`);
      if (turn !== asked) return;
      const values = [[state.facts.kind === "picture" ? "grey" : "amplitude", found.amplitude === null ? "no data" : Number(found.amplitude.toPrecision(4)).toString()]];
      if (layer) values.push(["probability", found.probability === null ? "none" : found.probability.toFixed(2)]);
      show(values);
    } catch { /* the next movement asks again */ }
  }, 40);
};

// ---- keys

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=range]):not([type=checkbox]), select, textarea, dialog[open]");
  if (typing) return;
  const key = event.key, control = event.ctrlKey || event.metaKey;
  const done = () => event.preventDefault();
  if (control && key.toLowerCase() === "z") { done(); return event.shiftKey ? strokes.redo() : strokes.undo(); }
  if (control && key.toLowerCase() === "y") { done(); return strokes.redo(); }
  if (control || event.altKey) return;
  if (key === " " && event.target === $("view")) { done(); painter.space = true; painter.cursor(); return; }
  if (key === "o" || key === "O") { done(); return openFiles(); }
  if (key === "?") return $("keys").showModal();
  if (!state.facts) return;
  const step = event.shiftKey ? 10 : 1, sliding = event.target.type === "range" && event.target.id !== "slider";
  if (!sliding && (key === "ArrowLeft" || key === "ArrowRight")) { done(); return goTo(state.axis, state.index + (key === "ArrowLeft" ? -step : step)); }
  const tools = { h: "hand", s: "salt", n: "not salt", e: "unknown", g: "polygon", t: "top", b: "base" }, small = key.toLowerCase();
  if (tools[small]) return chooseTool(tools[small]);
  const jump = { i: "inline", x: "crossline", z: "slice" }[small];
  if (jump) return [...$("axes").children].find((button) => button.dataset.axis === jump)?.click();
  const acts = {
    "+": () => viewer.zoom(1.25), "=": () => viewer.zoom(1.25), "-": () => viewer.zoom(0.8), "0": () => viewer.fit(), p: predict, P: predict,
    l: () => { viewer.restyle({ salt: !viewer.style.salt }); drawLayers(); },
    "[": () => { $("brush").value -= 2; $("brush").oninput(); }, "]": () => { $("brush").value = Number($("brush").value) + 2; $("brush").oninput(); },
    Enter: () => { if (event.target === $("view") || event.target === document.body) painter.finish(); }, Escape: () => painter.drop(),
  };
  acts[key]?.();
});
document.addEventListener("keyup", (event) => { if (event.key === " ") { painter.space = false; painter.cursor(); } });

// ---- dropping files

let over = 0;
addEventListener("dragenter", (event) => { event.preventDefault(); over++; $("drop").hidden = false; });
addEventListener("dragleave", () => { if (--over <= 0) { over = 0; $("drop").hidden = true; } });
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => { event.preventDefault(); over = 0; $("drop").hidden = true; upload(event.dataTransfer.files[0]); });
addEventListener("beforeunload", () => { strokes.flush(); });

// ---- start

chooseTool("hand");
enable();
try {
  await Promise.all([loadFiles(), loadModels()]);
  const [id, axis, index] = location.hash.slice(1).split("/");
  if (state.files.some((file) => file.id === id)) await openData(id, { axis, index: Number(index) });
  else if (state.files.length === 1) await openData(state.files[0].id);
  else welcome();
} catch (error) { say("bad", error.message, error.content?.fix ?? ""); }
document.documentElement.dataset.ready = "yes";
