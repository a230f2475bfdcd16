// The list of jobs: progress, time left, results.

import { getJson, send } from "./api.js";

const FAST_MS = 700, SLOW_MS = 4000;
const WORDS = { waiting: "Waiting", running: "Running", done: "Done", failed: "Failed", cancelled: "Cancelled" };

export function element(name, options = {}, ...children) {
  const made = Object.assign(document.createElement(name), options);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const seconds = (s) => (s < 90 ? `${Math.max(1, Math.round(s))} s` : s < 5400 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`);
export const size = (bytes) => (bytes < 1e3 ? `${bytes} B` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

export class Jobs {
  // host: told(error), ended(job), use(model), goTo(name), bodies(job, files), show(job)
  constructor(list, badge, host) {
    this.list = list; this.badge = badge; this.host = host; this.status = new Map(); this.open = new Map(); this.drawn = new Map();
    this.poll();
  }

  async poll() {
    clearTimeout(this.timer);
    let active = false;
    try {
      const { jobs } = await getJson("/api/jobs");
      for (const job of jobs) {
        const before = this.status.get(job.id);
        if (before && before !== job.status && !["waiting", "running"].includes(job.status)) this.host.ended(job);
        this.status.set(job.id, job.status);
      }
      active = jobs.some((job) => ["waiting", "running"].includes(job.status));
      this.draw(jobs);
    } catch { /* the next poll tells */ }
    this.timer = setTimeout(() => this.poll(), active ? FAST_MS : SLOW_MS);
  }

  draw(jobs) {
    const active = jobs.filter((job) => ["waiting", "running"].includes(job.status)).length;
    this.badge.hidden = !active;
    this.badge.textContent = active;
    if (!jobs.length) {
      this.drawn.clear();
      this.list.replaceChildren(element("p", { className: "empty", textContent: "No jobs yet. Predict the whole survey, or adapt the model to your labels." }));
      return;
    }
    const cards = jobs.map((job) => {
      const text = JSON.stringify(job), held = this.drawn.get(job.id);
      if (held?.text === text) return held.card; // what has not changed keeps its focus
      const card = this.card(job);
      this.drawn.set(job.id, { text, card });
      return card;
    });
    if (cards.length !== this.list.children.length || cards.some((card, i) => this.list.children[i] !== card)) this.list.replaceChildren(...cards);
  }

  card(job) {
    const bad = job.status === "failed";
    const card = element("article", { className: "job" }, element("h3", { textContent: job.title }));
    card.dataset.status = job.status;
    card.dataset.job = job.id;
    card.append(element("div", { className: bad ? "status bad" : "status", textContent: bad ? job.error.found : this.words(job) }));
    if (bad && job.error.fix) card.append(element("div", { className: "status", textContent: job.error.fix }));
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
    if (["waiting", "running"].includes(job.status) && !job.cancelled) button("Cancel", call("/cancel"));
    if (["failed", "cancelled"].includes(job.status)) button("Resume", call("/resume"));
    if (job.status === "done" && job.kind === "adapt") button("Use this model", () => this.host.use(job.id));
    if (job.status === "done" && job.kind === "predict" && this.host.isSurvey(job.data)) { button("Show", () => this.host.show(job)); button("Horizons and bodies", () => this.host.products(job)); }
    if (job.status === "done" && job.kind === "products") button("Bodies in 3D", () => this.host.bodies(job));
    if (["done", "failed", "cancelled"].includes(job.status)) button("Remove", call("", "DELETE"));
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
      parts.push(element("table", {}, element("tr", {}, element("th", { textContent: "Dice on held-out strokes" })), row("Before", answer.before), row("After", answer.after)));
      if (!answer.after) note("Nothing was held out: label another section for a score");
      for (const text of answer.notes ?? []) note(text);
    }
    if (job.kind === "suggest") {
      const list = element("ul", { className: "list" });
      for (const section of answer.sections ?? [])
        list.append(element("li", {}, element("button", { textContent: section.name, onclick: () => this.host.goTo(job, section.name) }), element("span", { className: "quiet", textContent: `doubt ${percent(section.doubt)}` })));
      parts.push(list);
    }
    return parts;
  }

  details(job) {
    const details = element("details", {}, element("summary", { textContent: "Files and command" }));
    details.open = this.open.get(job.id) ?? false;
    const fill = async () => {
      this.open.set(job.id, details.open);
      if (!details.open) return;
      try {
        const found = await getJson(`/api/jobs/${job.id}`);
        const list = found.files.map((file) => element("li", {},
          element("a", { textContent: file.name, href: `/api/jobs/${job.id}/files/${file.name.split("/").map(encodeURIComponent).join("/")}`, target: file.name.endsWith(".html") ? "_blank" : "", rel: "noopener", download: file.name.endsWith(".html") ? undefined : "" }),
          element("span", { className: "quiet", textContent: size(file.bytes) })));
        for (const item of list) if (item.firstChild.target === "_blank") item.firstChild.removeAttribute("download");
        const meshes = found.files.filter((file) => file.name.endsWith(".ply"));
        details.replaceChildren(details.firstChild,
          meshes.length && job.kind !== "products" ? element("div", { className: "row" }, element("button", { textContent: "Bodies in 3D", onclick: () => this.host.bodies(job, meshes) })) : "",
          element("ul", { className: "list" }, ...list), element("code", { textContent: found.command }),
          found.log ? element("code", { textContent: found.log.slice(-1500) }) : "");
      } catch (error) { this.host.told(error); }
    };
    details.addEventListener("toggle", fill);
    return details;
  }
}
