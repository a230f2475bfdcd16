// The list of jobs: progress, time left, results.

import { fileAddress, getJson, send } from "./api.js";
import { element, percent, seconds, sentence, size } from "./dom.js";
import { inShort } from "./section.js";

const FAST_MS = 700, SLOW_MS = 4000, NEWEST_LOG = 1500;
const WORDS = { waiting: "Waiting for the jobs before it", running: "Running", done: "Done", failed: "Failed", cancelled: "Cancelled" };
const isActive = (job) => ["waiting", "running"].includes(job.status);

export class Jobs {
  // host: told(error), answering(does), ended(job), isSurvey(data), use(model), show(job), products(job), goTo(job, name), bodies(job, files)
  constructor(list, badge, host) {
    this.list = list; this.badge = badge; this.host = host; this.status = new Map(); this.open = new Set(); this.drawn = new Map(); this.turn = 0;
    this.poll();
  }

  // asks for all jobs, and again in a while; of answers that overtake each other the last one counts
  async poll() {
    clearTimeout(this.timer);
    const turn = ++this.turn;
    let jobs = null;
    try { ({ jobs } = await getJson("/api/jobs")); } catch (error) { if (turn === this.turn) this.host.answering(error.status !== 0); }
    if (turn !== this.turn) return;
    if (jobs) { this.host.answering(true); this.follow(jobs); this.draw(jobs); }
    this.timer = setTimeout(() => this.poll(), jobs?.some(isActive) ? FAST_MS : SLOW_MS);
  }

  follow(jobs) {
    const before = this.status;
    this.status = new Map(jobs.map((job) => [job.id, job.status]));
    for (const job of jobs) if (["waiting", "running"].includes(before.get(job.id)) && !isActive(job)) this.host.ended(job);
  }

  draw(jobs) {
    const active = jobs.filter(isActive).length;
    this.badge.hidden = !active;
    this.badge.textContent = active;
    const cards = jobs.map((job) => {
      const text = JSON.stringify(job), held = this.drawn.get(job.id);
      return held?.text === text ? held : { id: job.id, text, card: this.card(job) }; // what has not changed keeps its focus
    });
    this.drawn = new Map(cards.map((one) => [one.id, one]));
    const wanted = cards.length ? cards.map((one) => one.card) : [this.empty ??= element("p", { className: "empty", textContent: "No jobs yet. Predict the whole survey, or adapt the model to your labels." })];
    if (wanted.length !== this.list.children.length || wanted.some((card, i) => this.list.children[i] !== card)) this.list.replaceChildren(...wanted);
  }

  card(job) {
    const bad = job.status === "failed";
    const card = element("article", { className: "job" }, element("h3", { textContent: inShort(job.title), title: job.title }));
    card.dataset.status = job.status;
    card.dataset.job = job.id;
    card.append(element("div", { className: bad ? "status bad" : "status", textContent: bad ? sentence(job.error.found) : this.words(job) }));
    if (bad && job.error.fix) card.append(element("div", { className: "status", textContent: sentence(job.error.fix) }));
    if (job.status === "running") {
      const bar = element("progress", { max: 1 });
      if (job.progress?.total) bar.value = job.progress.done / job.progress.total;
      card.append(bar);
    }
    if (job.status === "done") card.append(...this.result(job));
    const row = element("div", { className: "row" });
    const button = (text, act) => row.append(element("button", { textContent: text, onclick: act }));
    const call = (verb, method = "POST") => async () => {
      try { await send(method, `/api/jobs/${job.id}${verb}`); } catch (error) { this.host.told(error); }
      this.poll();
    };
    if (isActive(job) && !job.cancelled) button("Cancel", call("/cancel"));
    if (["failed", "cancelled"].includes(job.status)) button("Resume", call("/resume"));
    if (job.status === "done" && job.kind === "adapt") button("Use this model", () => this.host.use(job.id));
    if (job.status === "done" && job.kind === "predict" && this.host.isSurvey(job.data)) { button("Show", () => this.host.show(job)); button("Horizons and bodies", () => this.host.products(job)); }
    if (job.status === "done" && job.kind === "products") button("Bodies in 3D", () => this.host.bodies(job));
    if (!isActive(job)) button("Remove", call("", "DELETE"));
    if (row.children.length) card.append(row);
    card.append(this.details(job));
    return card;
  }

  words(job) {
    if (job.status === "running") {
      if (job.cancelled) return "Stopping; what is done is kept";
      const p = job.progress;
      if (!p) return "Starting";
      const amount = p.total ? ` ${p.unit ? `${p.done.toFixed(1)} of ${p.total.toFixed(1)} ${p.unit}` : `${p.done} of ${p.total}`}` : "";
      return `${p.doing[0].toUpperCase()}${p.doing.slice(1)}${amount}${p.left_s ? `, ${seconds(p.left_s)} left` : ""}`;
    }
    const took = job.started && job.ended > job.started ? ` in ${seconds(job.ended - job.started)}` : "";
    return WORDS[job.status] + (job.status === "done" ? took : "");
  }

  result(job) {
    const answer = job.answer ?? {}, parts = [];
    const note = (text) => parts.push(element("div", { className: "status", textContent: text }));
    if (job.kind === "predict") for (const survey of answer.surveys ?? []) {
      note(`${percent(survey.salt_share)} of samples are salt (probability ≥ ${survey.threshold})`);
      if (survey.caveats?.length) parts.push(element("ul", { className: "caveats" }, ...survey.caveats.map((text) => element("li", { textContent: text }))));
    }
    if (job.kind === "adapt") {
      const row = (name, score) => element("tr", {}, element("th", { textContent: name }), element("td", { textContent: score ? score.dice.toFixed(3) : "–" }),
        element("td", { textContent: score?.ci95 ? `95 % CI ${score.ci95.map((v) => v.toFixed(2)).join(" to ")}` : "" }));
      if (answer.after) parts.push(element("table", {}, element("tr", {}, element("th", { textContent: "Dice on held-out strokes", colSpan: 3 })), row("Before", answer.before), row("After", answer.after)));
      else note("No score: nothing was held out");
      for (const text of answer.notes ?? []) note(sentence(text));
    }
    if (job.kind === "suggest") {
      const list = element("ul", { className: "list" });
      for (const section of answer.sections ?? [])
        list.append(element("li", {}, element("button", { textContent: section.name, onclick: () => this.host.goTo(job, section.name) }), element("span", { className: "quiet", textContent: `doubt ${percent(section.doubt)}` })));
      if (list.children.length) parts.push(list); else note("No section is in doubt");
      for (const text of answer.notes ?? []) note(sentence(text));
    }
    return parts;
  }

  details(job) {
    const details = element("details", {}, element("summary", { textContent: "Files and command" }));
    details.open = this.open.has(job.id);
    details.addEventListener("toggle", async () => {
      if (details.open) this.open.add(job.id); else this.open.delete(job.id);
      try { if (details.open) this.fill(details, job, await getJson(`/api/jobs/${job.id}`)); } catch (error) { this.host.told(error); }
    });
    return details;
  }

  fill(details, job, { files, command, log }) {
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0), meshes = files.filter((file) => file.name.endsWith(".ply"));
    const row = element("div", { className: "row" });
    if (files.length) row.append(element("a", { className: "button", textContent: `Download all, ${size(bytes)}`, href: `/api/jobs/${job.id}/results.zip`, download: `${job.id}.zip` }));
    if (meshes.length && job.kind !== "products") row.append(element("button", { textContent: "Bodies in 3D", onclick: () => this.host.bodies(job, meshes) }));
    const list = files.map((file) => element("li", {}, link(job, file), element("span", { className: "quiet", textContent: size(file.bytes) })));
    details.replaceChildren(details.firstChild, row, element("ul", { className: "list" }, ...list), element("code", { textContent: command }), log ? element("code", { textContent: log.slice(-NEWEST_LOG) }) : "");
  }
}

// pages are opened beside this one, other files are saved
function link(job, file) {
  const found = element("a", { textContent: file.name, href: fileAddress(job.id, file.name) });
  if (file.name.endsWith(".html")) Object.assign(found, { target: "_blank", rel: "noopener" }); else found.download = "";
  return found;
}
