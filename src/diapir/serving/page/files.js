// The list of files, and dropping files on the page.

import { getJson, sendFile, sendJson } from "./api.js";
import { $, element, size, told } from "./dom.js";
import { openData } from "./navigate.js";
import { predict } from "./predict.js";
import { busy, say } from "./stage.js";
import { state } from "./state.js";

const MOST_SHOWN = 300;

export async function loadFiles() {
  const { files, left_out, uploads } = await getJson("/api/files");
  Object.assign(state, { files, uploads, leftOut: left_out });
  drawFiles();
}

function drawFiles() {
  const wanted = $("filter").value.toLowerCase(), found = state.files.filter((file) => file.name.toLowerCase().includes(wanted));
  const items = found.slice(0, MOST_SHOWN).map((file) => element("li", {},
    element("button", { textContent: file.name, title: file.name, onclick: () => { $("files").close(); openData(file.id); } }),
    element("span", { className: "quiet", textContent: `${file.kind}${file.bytes ? `, ${size(file.bytes)}` : ""}` })));
  const note = (text) => items.push(element("li", { className: "quiet small", textContent: text }));
  if (found.length > MOST_SHOWN) note(`… and ${found.length - MOST_SHOWN} more: type a part of the name.`);
  if (state.leftOut) note("There are more files than are listed: type a path to open one of them.");
  if (!found.length) note(state.files.length ? "No file with this name. Enter opens a path below the folders named at the start." : "No files yet. Start `diapir serve` with files or folders, or drop a file here.");
  $("file-list").replaceChildren(...items);
}

async function openPath() {
  try { const file = await sendJson("POST", "/api/files", { path: $("filter").value }); $("files").close(); await openData(file.id); } catch (error) { told(error); }
}

export function openFiles() { $("files").showModal(); $("filter").focus(); loadFiles().catch(told); }

export function welcome() { say("said", "Open a survey or a picture", state.files.length ? "Choose one at the top, or drop a file here." : "Drop a picture or a SEG-Y file here. It stays on this computer."); }

// ---- dropping

let sending = false;

// sends files one after the other, and opens the first that can be shown
async function upload(files) {
  if (!files.length) return;
  if (sending) return told({ content: { found: "Another file is being sent", fix: "wait until it has arrived, or cancel it" } });
  sending = true;
  const found = [];
  for (const file of files) {
    try { found.push(await uploadOne(file)); } catch (error) { told(error); }
  }
  sending = false;
  busy("");
  if (!found.length) { if (!state.facts && !state.failed) welcome(); return; }
  await loadFiles().catch(told);
  await openData(found[0].id);
  if (found[0].kind === "picture") predict();
}

async function uploadOne(file) {
  refuse(file);
  const stop = new AbortController();
  const say_ = (share) => busy(share < 1 ? `Sending ${file.name}, ${Math.floor(100 * share)} %` : `Reading ${file.name}`, share < 1 ? () => stop.abort() : null);
  say_(0);
  return sendFile(`/api/uploads?name=${encodeURIComponent(file.name)}`, file, say_, stop.signal);
}

// says before it is sent what the service would refuse
function refuse(file) {
  const wrong = (found, fix) => { throw Object.assign(new Error(found), { content: { found, fix } }); };
  const { most_bytes, suffixes } = state.uploads ?? { most_bytes: Infinity, suffixes: null };
  const suffix = file.name.slice(file.name.lastIndexOf(".")).toLowerCase();
  if (suffixes && !suffixes.includes(suffix)) wrong(`${file.name} is neither a survey nor a picture`, `drop a file that ends in ${suffixes.join(", ")}`);
  if (!file.size) wrong(`${file.name} is empty`, "drop another file");
  if (file.size > most_bytes) wrong(`${file.name} has ${size(file.size)}; at most ${size(most_bytes)} are copied to the service`, `start \`diapir serve ${file.name}\`, which reads it where it is`);
}

let over = 0;
const ofFiles = (event) => event.dataTransfer?.types.includes("Files");
function covered(count) { over = Math.max(0, count); $("drop").hidden = !over; }
addEventListener("dragenter", (event) => { if (ofFiles(event)) { event.preventDefault(); covered(over + 1); } });
addEventListener("dragleave", (event) => { if (ofFiles(event)) covered(over - 1); });
addEventListener("dragover", (event) => { if (ofFiles(event)) event.preventDefault(); });
addEventListener("drop", (event) => {
  if (!ofFiles(event)) return;
  event.preventDefault();
  covered(0);
  const items = [...event.dataTransfer.items], files = [...event.dataTransfer.files];
  if (items.some((item) => item.webkitGetAsEntry?.()?.isDirectory)) return told({ content: { found: "A folder cannot be dropped", fix: "start `diapir serve FOLDER`, or drop its files" } });
  upload(files);
});

// ---- the dialog

$("choose").onclick = openFiles;
$("filter").oninput = drawFiles;
$("filter").onkeydown = (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  const first = $("file-list").querySelector("button");
  if (first && !$("filter").value.startsWith("/")) first.click(); else openPath();
};
$("choose-file").onclick = () => $("pick").click();
$("pick").onchange = () => { const files = [...$("pick").files]; $("files").close(); $("pick").value = ""; upload(files); };
