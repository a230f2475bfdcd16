// Starts jobs, and does what the buttons of their cards say.

import { fileAddress, getJson, sendJson } from "./api.js";
import { $, openTab, told } from "./dom.js";
import { findHorizons } from "./display.js";
import { Jobs } from "./job_list.js";
import { strokes } from "./labels.js";
import { goTo, openData, recover, refreshPredictions } from "./navigate.js";
import { choose, loadModels, useModel } from "./predict.js";
import { inShort, isSurvey } from "./section.js";
import { on, state } from "./state.js";

const jobs = new Jobs($("jobs"), $("job-count"), {
  told,
  answering(does) {
    const back = does && !$("offline").hidden;
    $("offline").hidden = does;
    if (back) recover();
  },
  isSurvey: (id) => state.files.find((file) => file.id === id)?.kind === "survey",
  ended: (job) => ended(job).catch(told),
  products: (job) => start("products", { segy: true }, { data: job.data, model: job.model, source: job.id }),
  async use(name) {
    await loadModels();
    useModel(name);
    openTab("view");
    told({ message: "The adapted model is chosen. Predict this section to see it." }, true);
  },
  async show(job) {
    if (await opened(job)) { choose(job.id); openTab("view"); await refreshPredictions(); }
  },
  async goTo(job, name) {
    if (!(await opened(job))) return;
    const [axis, number] = name.split(" "), at = state.facts.axes[axis]?.numbers.indexOf(Number(number)) ?? -1;
    if (at >= 0) await goTo(axis, at);
    openTab("label");
  },
  bodies,
});

// whether the file of a job is shown now
async function opened(job) {
  if (state.facts?.id !== job.data) await openData(job.data);
  return state.facts?.id === job.data;
}

async function ended(job) {
  const here = job.data === state.facts?.id;
  if (job.status === "done") told({ message: `Done: ${inShort(job.title)}` }, true);
  if (job.status === "failed") told({ content: { ...job.error, found: `${inShort(job.title)}: ${job.error.found}` } });
  if (job.kind === "adapt") await loadModels();
  if (job.kind === "products" && here) await findHorizons();
  if (job.kind === "predict" && here) {
    if (job.status === "done") state.layer = job.id;
    await refreshPredictions();
  }
}

async function bodies(job, files) {
  const note = $("bodies-note");
  $("space").showModal();
  note.textContent = "Loading …";
  try {
    files ??= (await getJson(`/api/jobs/${job.id}`)).files.filter((file) => file.name.endsWith(".ply"));
    if (!files.length) { note.textContent = "There are no meshes: no body is large enough, or this is a 2D line."; return; }
    const { showBodies } = await import("./view/bodies.js");
    await showBodies($("bodies"), note, files.map((file) => fileAddress(job.id, file.name)));
  } catch (error) { note.textContent = error.message; }
}

async function start(kind, options, more = {}) {
  try {
    await strokes.flush();
    await sendJson("POST", "/api/jobs", { kind, data: state.facts?.id, model: state.model, options, ...more });
    openTab("jobs");
    jobs.poll();
  } catch (error) { told(error); }
}

on("controls", () => { for (const id of ["predict-all", "suggest"]) $(id).disabled = !isSurvey(); });

$("predict-all").onclick = () => start("predict", {});
$("adapt").onclick = () => start("adapt", $("budget").value ? { budget_s: Number($("budget").value) } : {});
$("suggest").onclick = () => start("suggest", {});
