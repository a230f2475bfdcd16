// Tools that draw: brushes, polygon, top and base of salt.

import { palette } from "../view/colours.js";

const round = (value) => Math.round(value * 1000) / 1000;

export class Painter {
  // host: viewer, axes() of the section, brush() in pixels, polygonLabel(), paintable(), add(strokes), told(text)
  constructor(host) {
    this.host = host; this.name = "hand"; this.points = []; this.pointer = null; this.space = false;
  }

  choose(name) { this.name = name; this.points = []; this.drawing = false; this.host.viewer.changed(); this.cursor(); }
  cursor() { this.host.viewer.canvas.style.cursor = this.name === "hand" || this.space ? "" : "crosshair"; }
  get brushes() { return ["salt", "not salt", "unknown"].includes(this.name); }

  takes(event) { return this.name !== "hand" && event.button === 0 && !this.space && this.host.paintable(); }

  down(event) {
    const place = this.host.viewer.place(event.offsetX, event.offsetY);
    if (this.name !== "polygon" && !this.host.viewer.inside(event.offsetX, event.offsetY)) return; // a polygon may leave the section
    if (this.brushes) {
      this.drawing = true; this.points = [place];
      this.host.viewer.canvas.setPointerCapture(event.pointerId);
    } else if (event.detail < 2) this.points.push(place); // the second press of a double click ends it
    this.host.viewer.changed();
  }

  move(event) {
    this.pointer = [event.offsetX, event.offsetY];
    if (this.drawing) {
      const place = this.host.viewer.place(event.offsetX, event.offsetY), last = this.points.at(-1), view = this.host.viewer.view;
      if (Math.hypot((place[0] - last[0]) * view.sx, (place[1] - last[1]) * view.sy) >= 2) this.points.push(place);
    }
    if (this.name !== "hand") this.host.viewer.changed();
  }

  up() {
    if (!this.drawing) return;
    this.drawing = false;
    const points = this.points; this.points = [];
    this.host.add([this.stroke(this.name, points, ...this.size())]);
  }

  leave() { this.pointer = null; if (this.name !== "hand") this.host.viewer.changed(); }
  double() { this.finish(); }
  drop() { this.points = []; this.drawing = false; this.host.viewer.changed(); }

  finish() {
    const { points } = this, [width, height] = this.size();
    this.points = [];
    if (this.name === "polygon" && points.length >= 3) {
      if (covers(points, this.host.viewer.section)) this.host.add([{ label: this.host.polygonLabel(), polygon: this.inData(points) }]);
      else this.host.told("This polygon holds no sample: zoom out, or draw it on the section.");
    } else if ((this.name === "top" || this.name === "base") && points.length >= 2) {
      const salt = this.name === "top" ? height / 2 : -height / 2, { rows } = this.host.viewer.section;
      const bands = [["not salt", -salt], ["salt", salt]].map(([label, down]) => [label, points.map(([x, y]) => [x, y + down])]);
      const there = bands.filter(([, band]) => band.some(([, y]) => y > 0 && y < rows)); // a band may lie above the first sample
      this.host.add(there.map(([label, band]) => this.stroke(label, band, width, height)));
    }
    this.host.viewer.changed();
  }

  // brush in columns and rows
  size() { const { sx, sy } = this.host.viewer.view, px = this.host.brush(); return [px / sx, px / sy]; }

  stroke(label, points, width, height) {
    const { rowHeight } = this.host.axes();
    return { label, width: round(Math.max(width, 0.5)), height: Math.max(0.001, round(Math.max(height, 0.5) * rowHeight)), points: this.inData(points) };
  }

  // columns and rows as line numbers, and time or depth
  inData(points) {
    const { across, down } = this.host.axes();
    return points.map(([x, y]) => [round(across.value(x - 0.5)), round(down.value(y - 0.5))]);
  }

  draw(context) {
    const { viewer } = this.host, { salt, rock } = palette(viewer.style.theme);
    const label = this.brushes ? this.name : this.name === "polygon" ? this.host.polygonLabel() : "salt";
    const colour = label === "unknown" ? "#ffffff" : label === "salt" ? salt : rock;
    context.save();
    context.strokeStyle = colour;
    if (this.points.length) {
      const points = [...this.points.map((point) => viewer.toScreen(...point)), ...(!this.brushes && this.pointer ? [this.pointer] : [])];
      context.lineWidth = this.brushes ? this.host.brush() : 2;
      context.globalAlpha = this.brushes ? 0.5 : 1;
      context.lineCap = context.lineJoin = "round";
      context.beginPath();
      context.moveTo(...points[0]);
      for (const point of points) context.lineTo(...point);
      if (points.length === 1) context.lineTo(points[0][0] + 0.01, points[0][1]);
      context.stroke();
    }
    if (this.pointer && this.name !== "hand" && this.name !== "polygon") {
      context.globalAlpha = 1;
      for (const [line, style] of [[2.5, "rgba(0,0,0,0.6)"], [1.2, colour]]) {
        context.lineWidth = line; context.strokeStyle = style;
        context.beginPath(); context.arc(...this.pointer, this.host.brush() / 2, 0, 7); context.stroke();
      }
    }
    context.restore();
  }
}

// whether the centre of a sample lies inside a polygon (even-odd), as when it is read
function covers(points, { rows, columns }) {
  const ys = points.map(([, y]) => y), first = Math.max(0, Math.ceil(Math.min(...ys) - 0.5)), last = Math.min(rows - 1, Math.floor(Math.max(...ys) - 0.5));
  for (let row = first; row <= last; row++) {
    const y = row + 0.5, xs = [];
    points.forEach(([x0, y0], i) => {
      const [x1, y1] = points[(i + 1) % points.length];
      if (y0 <= y !== y1 <= y) xs.push(x0 + ((y - y0) / (y1 - y0)) * (x1 - x0));
    });
    xs.sort((a, b) => a - b);
    for (let i = 0; i + 1 < xs.length; i += 2)
      if (Math.max(0, Math.ceil(xs[i] - 0.5)) <= Math.min(columns - 1, Math.floor(xs[i + 1] - 0.5 - 1e-9))) return true;
  }
  return false;
}
