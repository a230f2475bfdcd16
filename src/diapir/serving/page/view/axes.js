// Axes of a section: numbers of lines, time or depth; their ticks.

// an axis from numbers of lines (rising or falling); beyond its ends the last step goes on, as in `diapir adapt`
export function axisOf(numbers, name) {
  const last = numbers.length - 1, rising = numbers[last] >= numbers[0];
  const value = (index) => {
    if (last === 0) return numbers[0] + index;
    const low = Math.max(0, Math.min(last - 1, Math.floor(index)));
    return numbers[low] + (numbers[low + 1] - numbers[low]) * (index - low);
  };
  const index = (wanted) => {
    if (last === 0) return wanted - numbers[0];
    let low = 0, high = last;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((numbers[middle] <= wanted) === rising) low = middle; else high = middle;
    }
    const gap = numbers[high] - numbers[low];
    return gap ? low + (wanted - numbers[low]) / gap : low;
  };
  const steps = numbers.slice(1).map((number, i) => number - numbers[i]);
  return { value, index, name, unit: "", numbers, gap: steps.reduce(divisor, 0), step: 1 };
}

export const evenAxis = (start, interval, name, unit) => ({
  value: (index) => start + index * interval, index: (value) => (value - start) / interval, name, unit,
});

// an axis of which every so-manieth line is shown
export const stepped = (axis, step) => (step === 1 ? axis : { ...axis, step, value: (i) => axis.value(i * step), index: (v) => axis.index(v) / step });

const divisor = (a, b) => (b ? divisor(b, a % b) : Math.abs(a));

// round numbers of lines that there are, as [index, text]: in equal steps, the smallest that keep them apart also where lines are missing
function lineTicks({ numbers, gap, step: shown }, from, to, count) {
  const first = Math.max(0, Math.ceil(from * shown)), last = Math.min(numbers.length - 1, Math.ceil(to * shown) - 1);
  const apart = (to - from) * shown / Math.max(1, count) * (1 - 1e-9), offset = gap && numbers[0] % gap;
  const lines = (step) => {
    const found = [];
    for (let i = first; i <= last; i++) if ((numbers[i] - offset) % step === 0) found.push(i);
    return found;
  };
  const fit = (found) => found.length && found.every((i, at) => !at || i - found[at - 1] >= apart / 2);
  for (let power = gap; power && power < 1e9; power *= 10) for (const n of [1, 2, 5]) {
    const found = n * power < gap * apart ? [] : lines(n * power);
    if (fit(found)) return found.map((i) => [i / shown, String(numbers[i])]);
  }
  return first <= last ? [[first / shown, String(numbers[first])]] : [];
}

// round values along an axis, as [index, text]
export function ticks(axis, from, to, count) {
  if (axis.numbers) return lineTicks(axis, from, to, count);
  const low = axis.value(from), high = axis.value(Math.max(from, to - 1)), least = Math.abs(high - low) / Math.max(1, count);
  if (!(least > 0)) return [[0, String(axis.value(0))]];
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= least * (1 - 1e-9));
  const found = [];
  for (let value = Math.ceil(Math.min(low, high) / step) * step; value <= Math.max(low, high) + 1e-9; value += step)
    found.push([axis.index(value), String(Math.round(value * 1000) / 1000)]);
  return found;
}

// how many ticks suit so many pixels
const count = (pixels, each) => Math.max(pixels / each, Math.min(3, pixels / 45));

// the axes around a section; viewer: place(), view, section, width, height
export function drawAxes(context, viewer, { left, top }, { panel, quiet }) {
  const { section, view, width, height } = viewer;
  context.fillStyle = panel;
  context.fillRect(0, 0, left + width, top);
  context.fillRect(0, 0, left, top + height);
  context.strokeStyle = context.fillStyle = quiet;
  context.lineWidth = 1;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.textAlign = "center";
  const [c0, r0] = viewer.place(left, top), [c1, r1] = viewer.place(left + width, top + height);
  context.beginPath();
  const unit = 14 + context.measureText(section.down.unit).width;
  const [left0, right0, top0, low0] = [Math.max(0, c0), Math.min(section.columns, c1), Math.max(0, r0), Math.min(section.rows, r1)];
  for (const [column, text] of ticks(section.across, left0, right0, count((right0 - left0) * view.sx, 90))) {
    const x = Math.round(left + view.x + (column + 0.5) * view.sx) + 0.5;
    if (x < left + 8 || x - context.measureText(text).width / 2 < unit || x > left + width - 14) continue;
    context.moveTo(x, top - 5); context.lineTo(x, top);
    context.fillText(text, x, 11);
  }
  context.textAlign = "right";
  for (const [row, text] of ticks(section.down, top0, low0, count((low0 - top0) * view.sy, 60))) {
    const y = Math.round(top + view.y + (row + 0.5) * view.sy) + 0.5;
    if (y < top + 6 || y > top + height - 6) continue;
    context.moveTo(left - 5, y); context.lineTo(left, y);
    context.fillText(text, left - 8, y);
  }
  context.moveTo(left + 0.5, top + height); context.lineTo(left + 0.5, top + 0.5); context.lineTo(left + width, top + 0.5);
  context.stroke();
  context.textAlign = "left";
  context.fillText(section.down.unit, 4, 11);
}
