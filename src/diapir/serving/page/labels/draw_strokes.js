// Strokes and areas over the section, on a canvas of their own: the eraser uncovers.

import { palette } from "../view/colours.js";

let layer = null, drawn = "", of = null;

export function drawStrokes(context, viewer, strokes, axes) {
  if (!strokes.length) return;
  const { canvas, view, style } = viewer, ratio = devicePixelRatio || 1;
  const stamp = [canvas.width, canvas.height, ratio, view.x, view.y, view.sx, view.sy, style.theme].join(" ");
  if (drawn !== stamp || of !== strokes) {
    if (layer?.width !== canvas.width || layer?.height !== canvas.height) layer = new OffscreenCanvas(canvas.width, canvas.height);
    drawn = stamp; of = strokes;
    redraw(layer.getContext("2d"), viewer, strokes, axes, ratio);
  }
  context.save();
  context.globalAlpha = 0.65;
  context.drawImage(layer, 0, 0, canvas.width / ratio, canvas.height / ratio);
  context.restore();
}

function redraw(paint, viewer, strokes, axes, ratio) {
  const { salt, rock } = palette(viewer.style.theme), colours = { salt, "not salt": rock, unknown: "#000" };
  const [x0, y0] = viewer.toScreen(0, 0), { sx, sy } = viewer.view;
  paint.setTransform(1, 0, 0, 1, 0, 0);
  paint.clearRect(0, 0, layer.width, layer.height);
  paint.lineCap = paint.lineJoin = "round";
  for (const one of strokes) {
    const wide = one.polygon ? 1 : one.width * sx, high = one.polygon ? 1 : (one.height / axes.rowHeight) * sy;
    const at = ([x, z]) => [((axes.across.index(x) + 0.5) * sx) / wide, ((axes.down.index(z) + 0.5) * sy) / high];
    const points = (one.polygon ?? one.points).map(at);
    paint.globalCompositeOperation = one.label === "unknown" ? "destination-out" : "source-over";
    paint.strokeStyle = paint.fillStyle = colours[one.label];
    paint.setTransform(ratio * wide, 0, 0, ratio * high, ratio * x0, ratio * y0); // a round line becomes the brush
    paint.lineWidth = 1;
    paint.beginPath();
    paint.moveTo(...points[0]);
    for (const point of points) paint.lineTo(...point);
    if (one.polygon) { paint.closePath(); paint.fill("evenodd"); continue; }
    if (points.length === 1) paint.lineTo(points[0][0] + 1e-4, points[0][1]);
    paint.stroke();
  }
}
