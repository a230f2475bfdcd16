// The map: outline of a volume or course of a line, with the current section.

import { palette } from "./colours.js";

export function drawMap(canvas, facts, axis, index, theme) {
  const ratio = devicePixelRatio || 1, context = canvas.getContext("2d"), { quiet, hover, "accent-back": accent } = palette(theme);
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * ratio; canvas.height = height * ratio;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  let points = facts.map?.points;
  if (!points) { // without coordinates: by line numbers
    const [inlines, crosslines] = facts.shape;
    points = facts.kind === "line" ? [[[0, 0], [crosslines, 0]]] : [[[0, 0], [crosslines, 0]], [[0, inlines], [crosslines, inlines]]];
  }
  const known = points.flat().filter(([x, y]) => x !== null && y !== null);
  if (!known.length) return;
  const xs = known.map(([x]) => x), ys = known.map(([, y]) => y);
  const low = [Math.min(...xs), Math.min(...ys)], high = [Math.max(...xs), Math.max(...ys)];
  const scale = Math.min((width - 24) / (high[0] - low[0] || 1), (height - 24) / (high[1] - low[1] || 1));
  const at = ([x, y]) => [width / 2 + (x - (low[0] + high[0]) / 2) * scale, height / 2 - (y - (low[1] + high[1]) / 2) * scale];
  const line = (list, close) => { context.beginPath(); list.forEach((p, i) => (i ? context.lineTo(...at(p)) : context.moveTo(...at(p)))); if (close) context.closePath(); };
  context.lineWidth = 1.2; context.strokeStyle = quiet;
  if (facts.kind === "line") {
    line(known); context.strokeStyle = accent; context.lineWidth = 2.5; context.stroke();
    return;
  }
  const [[a, b], [c, d]] = [points[0], points[points.length - 1]].map((row) => [row[0], row[row.length - 1]]);
  if ([a, b, c, d].some(([x]) => x === null)) { context.fillStyle = quiet; known.forEach((p) => { context.beginPath(); context.arc(...at(p), 2, 0, 7); context.fill(); }); return; }
  line([a, b, d, c], true);
  context.fillStyle = hover; context.fill(); context.stroke();
  const mix = (one, other, t) => [one[0] + (other[0] - one[0]) * t, one[1] + (other[1] - one[1]) * t];
  context.strokeStyle = context.fillStyle = accent; context.lineWidth = 2.5;
  if (axis === "slice") { line([a, b, d, c], true); context.stroke(); return; }
  const count = axis === "inline" ? facts.shape[0] : facts.shape[1], t = count > 1 ? index / (count - 1) : 0;
  const ends = axis === "inline" ? [mix(a, c, t), mix(b, d, t)] : [mix(a, b, t), mix(c, d, t)];
  line(ends); context.stroke();
  context.beginPath(); context.arc(...at(ends[0]), 3.5, 0, 7); context.fill();
}
