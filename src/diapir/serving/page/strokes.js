// Strokes in data coordinates, as `diapir adapt` reads them; undo; drawing; saving.

import { getJson, sendJson } from "./api.js";

const SAVE_MS = 500;

export class Strokes {
  constructor(told, changed) {
    this.told = told; this.changed = changed;
    this.sections = new Map(); this.undone = []; this.done = [];
  }

  async open(data, sectionKey) {
    await this.flush();
    this.data = data; this.keyOf = sectionKey;
    this.sections = new Map(); this.undone = []; this.done = [];
    const content = await getJson(`/api/data/${data}/strokes`);
    if (this.data !== data) return;
    for (const section of content.sections) {
      const key = JSON.stringify(pick(section));
      this.sections.set(key, [...(this.sections.get(key) ?? []), ...section.strokes]);
    }
    this.changed();
  }

  of(section) { return this.sections.get(JSON.stringify(section)) ?? []; }

  add(section, strokes) { this.change(section, [...this.of(section), ...strokes]); }
  clear(section) { if (this.of(section).length) this.change(section, []); }

  change(section, strokes) {
    const key = JSON.stringify(section);
    this.done.push([key, this.sections.get(key) ?? []]);
    this.undone = [];
    this.set(key, strokes);
  }

  undo() { this.step(this.done, this.undone); }
  redo() { this.step(this.undone, this.done); }

  step(from, to) {
    const last = from.pop();
    if (!last) return;
    to.push([last[0], this.sections.get(last[0]) ?? []]);
    this.set(...last);
  }

  set(key, strokes) {
    if (strokes.length) this.sections.set(key, strokes); else this.sections.delete(key);
    this.changed();
    this.told("saving …");
    clearTimeout(this.timer);
    this.dirty = true;
    this.timer = setTimeout(() => this.flush(), SAVE_MS);
  }

  content() {
    return { format: 1, kind: "diapir strokes", sections: [...this.sections].map(([key, strokes]) => ({ ...JSON.parse(key), strokes })) };
  }

  async flush() {
    clearTimeout(this.timer);
    if (!this.dirty) return;
    this.dirty = false;
    try {
      await sendJson("PUT", `/api/data/${this.data}/strokes`, this.content());
      this.told("Saved");
    } catch (error) {
      this.dirty = true;
      this.told(`Not saved: ${error.message}`);
      this.timer = setTimeout(() => this.flush(), 3000);
    }
  }
}

const pick = ({ inline, crossline, line, picture }) => Object.fromEntries(
  Object.entries({ inline, crossline, line, picture }).filter(([, value]) => value !== undefined && value !== null));

let layer = null;

// strokes over the section: the eraser uncovers, so they are painted on a canvas of their own
export function drawStrokes(context, viewer, strokes, axes) {
  if (!strokes.length) return;
  const { canvas } = viewer, ratio = devicePixelRatio || 1;
  if (!layer || layer.width !== canvas.width || layer.height !== canvas.height) layer = new OffscreenCanvas(canvas.width, canvas.height);
  const paint = layer.getContext("2d"), css = getComputedStyle(document.documentElement);
  paint.setTransform(1, 0, 0, 1, 0, 0);
  paint.clearRect(0, 0, layer.width, layer.height);
  const colours = { salt: css.getPropertyValue("--salt"), "not salt": css.getPropertyValue("--rock"), unknown: "#000" };
  const [x0, y0] = viewer.toScreen(0, 0), view = viewer.view;
  for (const stroke of strokes) {
    const wide = stroke.width * view.sx, high = (stroke.height / axes.rowHeight) * view.sy;
    paint.globalCompositeOperation = stroke.label === "unknown" ? "destination-out" : "source-over";
    paint.strokeStyle = colours[stroke.label];
    paint.setTransform(ratio * wide, 0, 0, ratio * high, ratio * x0, ratio * y0);
    paint.lineWidth = 1; paint.lineCap = paint.lineJoin = "round";
    paint.beginPath();
    const at = ([x, z]) => [((axes.across.index(x) + 0.5) * view.sx) / wide, ((axes.down.index(z) + 0.5) * view.sy) / high];
    const points = stroke.points.map(at);
    paint.moveTo(...points[0]);
    for (const point of points) paint.lineTo(...point);
    if (points.length === 1) paint.lineTo(points[0][0] + 1e-4, points[0][1]);
    paint.stroke();
  }
  context.save();
  context.globalAlpha = 0.65;
  context.drawImage(layer, 0, 0, canvas.width / ratio, canvas.height / ratio);
  context.restore();
}
