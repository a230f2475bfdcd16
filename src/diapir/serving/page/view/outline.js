// The outline, tile by tile: made once for each tile, a few in a frame, so that moving stays smooth.

import { contour } from "./contour.js";

const BUDGET_MS = 5, KEPT = 400;
const MOST_SEGMENTS = 2500; // more are drawn as a hairline while the section moves, as strokes with an edge take longer than a frame

export class Outline {
  // changed: called where more is to be drawn in the next frame
  constructor(changed) { this.changed = changed; this.held = new Map(); this.level = null; }

  // viewer: tiles, section, sight(level), toScreen(), view; until all tiles of a level have their outline, that of the level before is drawn
  draw(context, viewer, level, { threshold, colour }) {
    const section = `${viewer.section.base} ${viewer.section.layer}`;
    if (this.section !== section) { this.section = section; this.level = level; }
    if (this.threshold !== threshold) { this.threshold = threshold; this.held.clear(); this.level = level; }
    const wanted = this.paths(viewer, level);
    if (!wanted.missing) this.level = level;
    const drawn = this.level === level ? wanted : this.paths(viewer, this.level, false);
    const path = new Path2D(), size = 1 << this.level, { sx, sy } = viewer.view;
    let segments = 0;
    for (const [one, row, column] of drawn.found) {
      const [x, y] = viewer.toScreen(column * viewer.side * size, row * viewer.side * size);
      path.addPath(one.path, new DOMMatrix([sx * size, 0, 0, sy * size, x, y]));
      segments += one.segments;
    }
    const quick = viewer.moving && segments > MOST_SEGMENTS;
    if (!quick) { context.lineWidth = 3.2; context.strokeStyle = "rgba(0, 0, 0, 0.75)"; context.stroke(path); }
    context.lineWidth = quick ? 1 : 1.6; context.strokeStyle = colour; context.stroke(path);
    if (wanted.late) this.changed();
  }

  // paths of the tiles in sight; missing: tiles that have not come or whose turn has not come (late)
  paths(viewer, level, make = true) {
    const [[r0, r1], [c0, c1]] = viewer.sight(level), found = [], until = performance.now() + BUDGET_MS;
    let missing = 0, late = false;
    for (let row = r0; row <= r1; row++) for (let column = c0; column <= c1; column++) {
      const at = (down, right) => viewer.tiles.get(viewer.section.layer, level, row + down, column + right, false);
      const tile = at(0, 0);
      if (!tile) { missing++; continue; }
      if (tile.columns === 0) continue;
      const near = [at(0, 1), at(1, 0), at(1, 1)]; // the outline goes on between tiles
      const key = `${this.section} ${level} ${row} ${column} ${near.map((one) => (one ? 1 : 0)).join("")}`;
      let made = this.held.get(key);
      if (!made && make) {
        if (performance.now() > until) { missing++; late = true; continue; }
        made = contour(...joined(tile, near), this.threshold);
        this.held.set(key, made);
        if (this.held.size > KEPT) this.held.delete(this.held.keys().next().value);
      }
      if (made) found.push([made, row, column]);
    }
    return { found, missing, late };
  }
}

// values of a tile with the first column and row of its neighbours, with rows and columns
function joined(tile, [right, below, corner]) {
  const rows = tile.rows + (below ? 1 : 0), columns = tile.columns + (right ? 1 : 0), values = new Uint8Array(rows * columns).fill(255);
  for (let y = 0; y < tile.rows; y++) {
    values.set(tile.values.subarray(y * tile.columns, (y + 1) * tile.columns), y * columns);
    if (right) values[(y + 1) * columns - 1] = right.values[y * right.columns];
  }
  if (below) {
    values.set(below.values.subarray(0, tile.columns), tile.rows * columns);
    if (right) values[rows * columns - 1] = corner ? corner.values[0] : 255;
  }
  return [values, rows, columns];
}
