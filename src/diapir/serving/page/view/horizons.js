// Top and base of salt from the products of a survey, drawn on its sections.

import { fileAddress, getBytes, getJson } from "../api.js";

const MOST_BYTES = 60e6, NAMES = ["top", "base"];

// the horizons of the newest products of a file; null where there are none, or they are too large
export async function loadHorizons(data, line) {
  const { jobs } = await getJson("/api/jobs");
  const job = jobs.find((one) => one.kind === "products" && one.status === "done" && one.data === data);
  if (!job) return null;
  const { files } = await getJson(`/api/jobs/${job.id}`), found = {};
  for (const name of NAMES) {
    const file = files.find((one) => one.name.endsWith(`horizons/${name}.dat`));
    if (!file || file.bytes > MOST_BYTES) continue;
    found[name] = parse(new TextDecoder().decode(await getBytes(fileAddress(job.id, file.name))), line);
  }
  return Object.keys(found).length ? found : null;
}

// picks by axis and number: lists of [trace number, time or depth]
function parse(text, line) {
  const found = { inline: new Map(), crossline: new Map() };
  const put = (map, key, pick) => { const list = map.get(key); if (list) list.push(pick); else map.set(key, [pick]); };
  for (const row of text.split("\n")) {
    const [one, other, , third, fourth] = row.split(" ").map(Number);
    if (line) { if (third < 1e29) put(found.inline, null, [one, third]); continue; }
    if (!(fourth < 1e29)) continue;
    put(found.inline, one, [other, fourth]);
    put(found.crossline, other, [one, fourth]);
  }
  return found;
}

const paths = new WeakMap(); // by list of picks, in columns and rows of the section

export function drawHorizons(context, viewer, horizons, axis, number, axes) {
  for (const name of NAMES) {
    const picks = horizons[name]?.[axis]?.get(number);
    if (!picks) continue;
    if (!paths.has(picks)) paths.set(picks, pathOf(picks, axes));
    const path = new Path2D(), [x, y] = viewer.toScreen(0, 0);
    path.addPath(paths.get(picks), new DOMMatrix([viewer.view.sx, 0, 0, viewer.view.sy, x, y]));
    context.save();
    context.lineJoin = "round";
    context.lineWidth = 4; context.strokeStyle = "rgba(0, 0, 0, 0.75)"; context.stroke(path);
    context.setLineDash(name === "base" ? [7, 4] : []);
    context.lineWidth = 2; context.strokeStyle = "#ffffff"; context.stroke(path);
    context.restore();
  }
}

function pathOf(picks, axes) {
  const path = new Path2D(), points = picks.map(([trace, z]) => [axes.across.index(trace) + 0.5, axes.down.index(z) + 0.5]);
  let last = -9;
  for (const [x, y] of points.sort((a, b) => a[0] - b[0])) {
    if (x - last > 1.5) { path.moveTo(x - 0.5, y); path.lineTo(x, y); } else path.lineTo(x, y);
    last = x;
  }
  return path;
}
