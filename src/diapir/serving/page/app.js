// The page of `diapir serve`: starts its parts and opens the first file.

import { $, TABS, openTab } from "./dom.js";
import "./display.js";
import { loadFiles, welcome } from "./files.js";
import "./job_panel.js";
import "./keys.js";
import { chooseTool } from "./labels.js";
import { openData } from "./navigate.js";
import "./pointer.js";
import { loadModels } from "./predict.js";
import { say } from "./stage.js";
import { emit, state } from "./state.js";

for (const name of TABS) $(`tab-${name}`).onclick = () => openTab(name);
document.querySelector(".tabs").addEventListener("keydown", (event) => {
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!move) return;
  const at = TABS.findIndex((one) => !$(`pane-${one}`).hidden), name = TABS[(at + move + TABS.length) % TABS.length];
  openTab(name);
  $(`tab-${name}`).focus();
});
$("help").onclick = () => $("keys").showModal();

chooseTool("hand");
emit("controls");
try {
  await Promise.all([loadFiles(), loadModels()]);
  const [id, axis, index] = location.hash.slice(1).split("/");
  if (state.files.some((file) => file.id === id)) await openData(id, { axis, index: Number(index) });
  else if (state.files.length === 1) await openData(state.files[0].id);
  else welcome();
} catch (error) { say("bad", error.message, error.content?.fix ?? ""); }
document.documentElement.dataset.ready = "yes";
