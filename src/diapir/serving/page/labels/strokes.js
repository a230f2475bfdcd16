// Strokes and areas in data coordinates, as `diapir adapt` reads them; undo; saving.

import { getTagged, putTagged } from "../api.js";

const SAVE_MS = 500, RETRY_MS = 3000, MOST_AT_CLOSE = 60_000;

export class Strokes {
  // told: says whether they are saved; changed: called after each change
  constructor(told, changed) {
    this.told = told; this.changed = changed;
    this.unsaved = new Map(); // by file: what is not saved yet, also of files that are not shown any more
    this.tags = new Map(); // by file: which labels were read or saved last
    this.others = new Set(); // files whose labels were changed elsewhere meanwhile
    this.empty(null);
  }

  empty(data) { this.data = data; this.sections = new Map(); this.undone = []; this.done = []; }

  async open(data) {
    this.empty(null); // nothing can be drawn until the strokes are there
    this.changed();
    this.opening = data;
    const content = this.unsaved.get(data) ?? (await this.read(data));
    if (this.opening !== data) return;
    this.fill(data, content);
  }

  async read(data) {
    const { content, tag } = await getTagged(address(data));
    this.tags.set(data, tag);
    return content;
  }

  fill(data, content) {
    this.empty(data);
    for (const section of content.sections) {
      const key = JSON.stringify(pick(section));
      this.sections.set(key, [...(this.sections.get(key) ?? []), ...section.strokes]);
    }
    this.tell("");
    this.changed();
  }

  get conflict() { return this.others.has(this.data); }
  tell(text) { this.told(this.conflict ? "Not saved: these labels were changed elsewhere, in another window or by someone else." : text); }

  // reads the labels again where they were changed elsewhere and nothing is unsaved here
  async refresh() {
    const { data } = this;
    if (!data || this.unsaved.has(data) || this.refreshing) return;
    this.refreshing = true;
    try {
      const { content, tag } = await getTagged(address(data));
      if (this.data !== data || this.unsaved.has(data) || tag === this.tags.get(data)) return;
      this.tags.set(data, tag);
      this.fill(data, content);
    } finally { this.refreshing = false; }
  }

  // settles a conflict: with the labels of the others, or with those of this page
  async settle(mine) {
    const { data } = this, content = await this.read(data);
    this.others.delete(data);
    if (mine) { this.tell("Saving …"); this.changed(); return this.flush(); }
    this.unsaved.delete(data);
    if (this.data === data) this.fill(data, content);
    return null;
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
    this.tell("Saving …");
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
      if (this.others.has(data)) continue;
      this.sending = data;
      try {
        this.tags.set(data, (await putTagged(address(data), content, this.tags.get(data))).tag);
      } catch (error) {
        if (error.status === 412) this.others.add(data); else this.later(RETRY_MS);
        this.tell(`Not saved: ${error.message}`);
        this.changed();
        throw error;
      } finally { this.sending = null; }
      if (this.unsaved.get(data) === content) this.unsaved.delete(data); // else it was drawn on meanwhile
    }
    const left = [...this.unsaved.keys()].filter((data) => !this.others.has(data));
    if (left.length) this.later(SAVE_MS); else this.tell("Saved");
    if (this.conflict) throw Object.assign(new Error("These labels were changed elsewhere"), { content: { found: "These labels were changed elsewhere", fix: "load those, or keep yours, on the Label tab" } });
  }

  // the page is closed: sends what is small at once; returns whether something would be lost
  close() {
    let lost = false;
    for (const [data, content] of this.unsaved) {
      if (this.others.has(data) || JSON.stringify(content).length > MOST_AT_CLOSE) lost = true;
      else putTagged(address(data), content, this.sending === data ? null : this.tags.get(data), true).catch(() => {}); // what is being sent changes the tag
    }
    return lost;
  }
}

const address = (data) => `/api/data/${data}/strokes`;
const pick = ({ inline, crossline, line, picture }) => Object.fromEntries(
  Object.entries({ inline, crossline, line, picture }).filter(([, value]) => value !== undefined && value !== null));
