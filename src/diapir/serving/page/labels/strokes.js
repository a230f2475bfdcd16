// Strokes and areas in data coordinates, as `diapir adapt` reads them; undo; saving.

import { getJson, sendJson } from "../api.js";

const SAVE_MS = 500, RETRY_MS = 3000, MOST_AT_CLOSE = 60_000;

export class Strokes {
  // told: says whether they are saved; changed: called after each change
  constructor(told, changed) {
    this.told = told; this.changed = changed;
    this.unsaved = new Map(); // by file: what is not saved yet, also of files that are not shown any more
    this.empty(null);
  }

  empty(data) { this.data = data; this.sections = new Map(); this.undone = []; this.done = []; }

  async open(data) {
    this.empty(null); // nothing can be drawn until the strokes are there
    this.changed();
    this.opening = data;
    const content = this.unsaved.get(data) ?? (await getJson(`/api/data/${data}/strokes`));
    if (this.opening !== data) return;
    this.empty(data);
    for (const section of content.sections) {
      const key = JSON.stringify(pick(section));
      this.sections.set(key, [...(this.sections.get(key) ?? []), ...section.strokes]);
    }
    this.told("");
    this.changed();
  }

  get ready() { return this.data !== null; }
  of(section) { return this.sections.get(JSON.stringify(section)) ?? []; }

  add(section, strokes) { this.change(section, [...this.of(section), ...strokes]); }
  clear(section) { if (this.of(section).length) this.change(section, []); }

  change(section, strokes) {
    const key = JSON.stringify(section);
    this.done.push([key, this.sections.get(key) ?? []]);
    this.undone = [];
    this.set(key, strokes);
  }

  undo() { return this.step(this.done, this.undone); }
  redo() { return this.step(this.undone, this.done); }

  // returns the section that has changed
  step(from, to) {
    const last = from.pop();
    if (!last) return null;
    to.push([last[0], this.sections.get(last[0]) ?? []]);
    this.set(...last);
    return JSON.parse(last[0]);
  }

  set(key, strokes) {
    if (strokes.length) this.sections.set(key, strokes); else this.sections.delete(key);
    this.unsaved.set(this.data, this.content());
    this.changed();
    this.told("Saving …");
    this.later(SAVE_MS);
  }

  content() {
    return { kind: "diapir strokes", sections: [...this.sections].map(([key, strokes]) => ({ ...JSON.parse(key), strokes })) };
  }

  later(wait) { clearTimeout(this.timer); this.timer = setTimeout(() => this.flush().catch(() => {}), wait); }

  // saves what is not saved, one request after the other; throws where that fails
  flush() { return (this.saving = (this.saving ?? Promise.resolve()).catch(() => {}).then(() => this.save())); }

  async save() {
    clearTimeout(this.timer);
    for (const [data, content] of this.unsaved) {
      try {
        await sendJson("PUT", `/api/data/${data}/strokes`, content);
      } catch (error) {
        this.told(`Not saved: ${error.message}`);
        this.later(RETRY_MS);
        throw error;
      }
      if (this.unsaved.get(data) === content) this.unsaved.delete(data); // else it was drawn on meanwhile
    }
    if (!this.unsaved.size) this.told("Saved"); else this.later(SAVE_MS);
  }

  // the page is closed: sends what is small at once; returns whether something would be lost
  close() {
    let lost = false;
    for (const [data, content] of this.unsaved) {
      if (JSON.stringify(content).length > MOST_AT_CLOSE) lost = true;
      else sendJson("PUT", `/api/data/${data}/strokes`, content, true).catch(() => {});
    }
    return lost;
  }
}

const pick = ({ inline, crossline, line, picture }) => Object.fromEntries(
  Object.entries({ inline, crossline, line, picture }).filter(([, value]) => value !== undefined && value !== null));
