// Outline of probabilities at a threshold: marching squares with linear interpolation.

// values: Uint8Array of rows × columns (255: none); returns a Path2D in pixels of the grid, centres at + 0.5
export function contour(values, rows, columns, threshold) {
  const path = new Path2D(), level = threshold * 254;
  const at = (i) => (values[i] === 255 ? 0 : values[i]);
  const part = (one, other) => (level - one) / (other - one);
  for (let row = 0; row < rows - 1; row++) {
    for (let column = 0; column < columns - 1; column++) {
      const i = row * columns + column;
      const a = at(i), b = at(i + 1), c = at(i + columns + 1), d = at(i + columns);
      const kind = (a >= level) | ((b >= level) << 1) | ((c >= level) << 2) | ((d >= level) << 3);
      if (kind === 0 || kind === 15) continue;
      const x = column + 0.5, y = row + 0.5;
      const top = () => [x + part(a, b), y], right = () => [x + 1, y + part(b, c)];
      const bottom = () => [x + part(d, c), y + 1], left = () => [x, y + part(a, d)];
      const line = (one, other) => { path.moveTo(...one); path.lineTo(...other); };
      switch (kind) {
        case 1: case 14: line(left(), top()); break;
        case 2: case 13: line(top(), right()); break;
        case 3: case 12: line(left(), right()); break;
        case 4: case 11: line(right(), bottom()); break;
        case 6: case 9: line(top(), bottom()); break;
        case 7: case 8: line(left(), bottom()); break;
        case 5: line(left(), top()); line(right(), bottom()); break;
        case 10: line(top(), right()); line(left(), bottom()); break;
      }
    }
  }
  return path;
}
