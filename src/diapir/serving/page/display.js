// How the section is drawn: colours, contrast, scale bar, map, horizons, dark or light.

import { $, told } from "./dom.js";
import { axes, isSurvey, sectionNumber } from "./section.js";
import { theme, viewer } from "./stage.js";
import { emit, on, state } from "./state.js";
import { amplitudeColours } from "./view/colours.js";
import { drawHorizons, loadHorizons } from "./view/horizons.js";
import { drawMap } from "./view/map.js";

let horizons = null;

export async function findHorizons() {
  const { facts } = state, found = isSurvey() ? await loadHorizons(facts.id, facts.kind === "line") : null;
  if (state.facts !== facts) return;
  horizons = found;
  $("horizons").disabled = !found;
  $("horizons-words").textContent = found ? "Top salt, and base salt dashed" : "Horizons: not extracted yet";
  viewer.changed();
}

viewer.overlays.push((context) => {
  if (horizons && $("horizons").checked && isSurvey() && state.axis !== "slice")
    drawHorizons(context, viewer, horizons, state.axis, state.facts.kind === "line" ? null : sectionNumber(), axes());
});

function drawScale() {
  $("scale").hidden = !state.facts;
  if (!state.facts) return;
  const { clip } = state.facts, context = $("scale-bar").getContext("2d");
  const table = amplitudeColours(viewer.style), image = context.createImageData(12, 128), words = new Uint32Array(image.data.buffer);
  for (let y = 0; y < 128; y++) words.fill(table[Math.max(1, 255 - 2 * y)], y * 12, y * 12 + 12);
  context.putImageData(image, 0, 0);
  const text = (v) => (Math.abs(v) >= 1e5 || Math.abs(v) < 1e-2 ? v.toExponential(1) : String(Number(v.toPrecision(3))));
  $("scale-high").textContent = clip === null ? "255" : `+${text(clip)}`;
  $("scale-low").textContent = clip === null ? "0" : `−${text(clip)}`;
}

function drawPlace() {
  if (!isSurvey() || $("pane-view").hidden) return;
  drawMap($("map"), state.facts, state.axis, state.index, theme());
  $("map-note").textContent = state.facts.map ? "" : "The file has no coordinates: by line numbers.";
}

function setTheme(name) {
  document.documentElement.dataset.theme = name; // at the start theme.js does it
  try { localStorage.setItem("diapir-theme", name); } catch { /* private window */ }
  restyle({ theme: name });
}

on("controls look", drawScale);
on("controls", () => { for (const id of ["colours", "gain", "reverse"]) $(id).disabled = !state.facts; });
on("section look", drawPlace);
on("opened", () => { horizons = null; findHorizons().catch(told); });
addEventListener("tab", drawPlace);
addEventListener("resize", drawPlace);

const restyle = (style) => { viewer.restyle(style); emit("look"); };
$("theme").onclick = () => setTheme(theme() === "dark" ? "light" : "dark");
$("horizons").onchange = () => viewer.changed();
$("colours").onchange = () => restyle({ colours: $("colours").value });
$("reverse").onchange = () => restyle({ reverse: $("reverse").checked });
$("gain").oninput = () => { const gain = 2 ** Number($("gain").value); $("gain-value").textContent = `×${gain.toFixed(1)}`; restyle({ gain }); };
