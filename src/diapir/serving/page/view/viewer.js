// The canvas: pan, zoom, tiles in the size that suits the zoom, outline, axes, labels.

import { drawAxes } from "./axes.js";
import { amplitudeColours, outlineColour, palette, probabilityColours } from "./colours.js";
import { Outline } from "./outline.js";
import { Tiles, coloured } from "./tiles.js";

const SIDE = 256, LEFT = 58, TOP = 26, MOST_STRETCH = 6, REST_MS = 150;

export class Viewer {
  constructor(canvas, style) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.style = style; // colours, gain, reverse, opacity, threshold, outline, salt, theme
    this.side = SIDE; // of a tile
    this.tiles = new Tiles(() => this.changed());
    this.lines = new Outline(() => this.changed());
    this.section = null; // rows, columns, levels, base, layer, across, down
    this.overlays = []; // draw horizons, labels, the tool
    this.onstate = null;
    this.view = { x: 0, y: 0, sx: 1, sy: 1 };
    this.movedAt = -Infinity;
    new ResizeObserver(() => this.resized()).observe(canvas);
    this.tools();
  }

  get width() { return this.canvas.clientWidth - LEFT; }
  get height() { return this.canvas.clientHeight - TOP; }

  // the same size of section keeps the view, so that paging does not jump
  show(section) {
    const old = this.section;
    const same = old && old.rows === section.rows && old.columns === section.columns && old.data === section.data && old.axis === section.axis;
    this.section = section;
    this.tiles.open(section.base);
    if (!same) this.fit(); else this.changed();
  }

  clear() { this.section = null; this.changed(); }

  fit() {
    if (!this.section || this.width < 10) return;
    const { rows, columns } = this.section;
    let sx = (this.width - 8) / columns, sy = (this.height - 8) / rows;
    if (this.section.square) sx = sy = Math.min(sx, sy);
    sx = Math.min(sx, sy * MOST_STRETCH);
    sy = Math.min(sy, sx * MOST_STRETCH);
    this.view = { sx, sy, x: (this.width - columns * sx) / 2, y: (this.height - rows * sy) / 2 };
    this.fitted = true;
    this.changed();
  }

  zoom(factor, px = LEFT + this.width / 2, py = TOP + this.height / 2, acrossOnly = false) {
    if (!this.section) return;
    const view = this.view, x = px - LEFT, y = py - TOP;
    const fx = this.bounded(view.sx, factor), fy = acrossOnly ? 1 : this.bounded(view.sy, factor);
    if (!acrossOnly && (fx !== factor || fy !== factor)) factor = Math.abs(fx - 1) < Math.abs(fy - 1) ? fx : fy;
    const gx = acrossOnly ? fx : factor, gy = acrossOnly ? 1 : factor;
    view.x = x - (x - view.x) * gx; view.sx *= gx;
    view.y = y - (y - view.y) * gy; view.sy *= gy;
    this.fitted = false;
    this.keepInSight();
  }

  bounded(scale, factor) { return Math.min(Math.max(scale * factor, 0.01), 60) / scale; }

  pan(dx, dy) { this.view.x += dx; this.view.y += dy; this.fitted = false; this.keepInSight(); }

  // whether the section was moved or zoomed a moment ago
  get moving() { return performance.now() - this.movedAt < REST_MS; }
  moved() {
    this.movedAt = performance.now();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.changed(), REST_MS + 10);
    this.changed();
  }

  keepInSight() {
    const { rows, columns } = this.section, view = this.view, edge = 60;
    view.x = Math.min(this.width - edge, Math.max(edge - columns * view.sx, view.x));
    view.y = Math.min(this.height - edge, Math.max(edge - rows * view.sy, view.y));
    this.moved();
  }

  // place on the section, in columns and rows (0.5 is the centre of the first)
  place(px, py) { const v = this.view; return [(px - LEFT - v.x) / v.sx, (py - TOP - v.y) / v.sy]; }
  toScreen(column, row) { const v = this.view; return [LEFT + v.x + column * v.sx, TOP + v.y + row * v.sy]; }

  inside(px, py) {
    if (!this.section || px < LEFT || py < TOP) return null;
    const [column, row] = this.place(px, py);
    return column >= 0 && row >= 0 && column < this.section.columns && row < this.section.rows ? [column, row] : null;
  }

  tools() {
    const canvas = this.canvas;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const amount = (event.deltaY || event.deltaX) * (event.deltaMode === 1 ? 16 : 1);
      this.zoom(Math.exp(-amount * 0.0016), event.offsetX, event.offsetY, event.shiftKey);
    }, { passive: false });
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.section) return;
      canvas.focus({ preventScroll: true });
      if (this.tool?.takes(event)) return this.tool.down(event);
      drag = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
      canvas.style.cursor = "grabbing";
    });
    canvas.addEventListener("pointermove", (event) => {
      if (drag) {
        this.pan(event.clientX - drag[0], event.clientY - drag[1]);
        drag = [event.clientX, event.clientY];
      } else this.tool?.move(event);
      this.point([event.offsetX, event.offsetY]);
    });
    const end = (event) => { if (drag) { drag = null; canvas.style.cursor = ""; } else this.tool?.up(event); };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => { this.point(null); this.tool?.leave?.(); });
    canvas.addEventListener("dblclick", (event) => this.tool?.double?.(event));
  }

  // tells where the pointer is, once in a frame
  point(at) {
    this.pointer = at;
    this.pointed ??= requestAnimationFrame(() => { this.pointed = null; this.onpointer?.(this.pointer && this.inside(...this.pointer)); });
  }

  resized() {
    const ratio = devicePixelRatio || 1, { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    if (this.fitted ?? true) this.fit();
    this.draw(); // at once: the canvas is empty now
  }

  changed() {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => { this.queued = false; this.draw(); });
  }

  restyle(style) { Object.assign(this.style, style); this.changed(); }

  draw() {
    const { context, canvas, style, section } = this, ratio = devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (section && this.width > 0) {
      context.save();
      context.beginPath();
      context.rect(LEFT, TOP, this.width, this.height);
      context.clip();
      const level = this.level(ratio);
      const stamp = `${style.colours} ${style.gain} ${style.reverse} ${style.theme}`;
      if (this.stamp !== stamp) { this.stamp = stamp; this.table = amplitudeColours(style); }
      this.drawLayer("amplitude", level, this.table, stamp);
      if (section.layer && style.salt) {
        const salt = `${style.colours} ${style.opacity}`;
        if (this.saltStamp !== salt) { this.saltStamp = salt; this.saltTable = probabilityColours(style); }
        if (style.opacity > 0) this.drawLayer(section.layer, level, this.saltTable, salt);
        context.lineJoin = "round";
        if (style.outline) this.lines.draw(context, this, level, { threshold: style.threshold, colour: outlineColour(style.colours) });
      }
      for (const draw of this.overlays) draw(context, this);
      context.restore();
      drawAxes(context, this, { left: LEFT, top: TOP }, palette(style.theme));
    }
    this.onstate?.(this.tiles.pending, this.tiles.failed);
  }

  level(ratio) {
    const scale = Math.max(this.view.sx, this.view.sy) * ratio;
    return Math.max(0, Math.min(this.section.levels - 1, Math.floor(Math.log2(1 / scale) + 0.35)));
  }

  // first and last tile in sight: rows, columns
  sight(level) {
    const side = SIDE << level, { rows, columns } = this.section;
    const [c0, r0] = this.place(LEFT, TOP), [c1, r1] = this.place(LEFT + this.width, TOP + this.height);
    const range = (from, to, size) => [Math.max(0, Math.floor(from / side)), Math.min(Math.ceil(size / side) - 1, Math.floor(to / side))];
    return [range(r0, r1, rows), range(c0, c1, columns)];
  }

  drawLayer(layer, level, table, stamp) {
    const [[r0, r1], [c0, c1]] = this.sight(level), { context } = this;
    for (let row = r0; row <= r1; row++) for (let column = c0; column <= c1; column++) {
      const tile = this.tiles.get(layer, level, row, column);
      if (tile) this.drawTile(coloured(tile, table, stamp), level, row, column, null);
      else this.drawCoarser(layer, level, row, column, table, stamp);
    }
    context.imageSmoothingEnabled = true;
  }

  // a part of a smaller version, until the tile has come
  drawCoarser(layer, level, row, column, table, stamp) {
    for (let up = 1; level + up < this.section.levels; up++) {
      const tile = this.tiles.get(layer, level + up, row >> up, column >> up, false);
      if (!tile) continue;
      const side = SIDE >> up, x = (column & ((1 << up) - 1)) * side, y = (row & ((1 << up) - 1)) * side;
      const part = [x, y, Math.min(side, tile.columns - x), Math.min(side, tile.rows - y)];
      if (part[2] > 0 && part[3] > 0) this.drawTile(coloured(tile, table, stamp), level, row, column, part);
      return;
    }
  }

  drawTile(canvas, level, row, column, part) {
    const side = SIDE << level, { rows, columns } = this.section, ratio = devicePixelRatio || 1;
    const snap = (value) => Math.round(value * ratio) / ratio;
    const [x0, y0] = this.toScreen(column * side, row * side).map(snap);
    const [x1, y1] = this.toScreen(Math.min(columns, (column + 1) * side), Math.min(rows, (row + 1) * side)).map(snap);
    this.context.imageSmoothingEnabled = Math.max(this.view.sx, this.view.sy) * (1 << level) < 3;
    const source = part ?? [0, 0, canvas.width, canvas.height];
    this.context.drawImage(canvas, ...source, x0, y0, x1 - x0, y1 - y0);
  }
}
