// Outline of probabilities at a threshold: marching squares with linear interpolation.

// values: Uint8Array of rows × columns (255: none); returns a Path2D in pixels of the grid, centres at + 0.5, with its number of segments
export function contour(values, rows, columns, threshold) {
  const path = new Path2D(), level = threshold * 254;
  let segments = 0;
  const line = (x0, y0, x1, y1) => { path.moveTo(x0, y0); path.lineTo(x1, y1); segments++; };
  for (let row = 0; row < rows - 1; row++) {
    const y = row + 0.5;
    let i = row * columns, a = known(values[i]), d = known(values[i + columns]);
    for (let column = 0; column < columns - 1; column++, i++) {
      const b = known(values[i + 1]), c = known(values[i + columns + 1]);
      const kind = (a >= level) | ((b >= level) << 1) | ((c >= level) << 2) | ((d >= level) << 3);
      if (kind !== 0 && kind !== 15) {
        const x = column + 0.5;
        const top = x + (level - a) / (b - a), right = y + (level - b) / (c - b);
        const bottom = x + (level - d) / (c - d), left = y + (level - a) / (d - a);
        switch (kind) {
          case 1: case 14: line(x, left, top, y); break;
          case 2: case 13: line(top, y, x + 1, right); break;
          case 3: case 12: line(x, left, x + 1, right); break;
          case 4: case 11: line(x + 1, right, bottom, y + 1); break;
          case 6: case 9: line(top, y, bottom, y + 1); break;
          case 7: case 8: line(x, left, bottom, y + 1); break;
          case 5: line(x, left, top, y); line(x + 1, right, bottom, y + 1); break;
          case 10: line(top, y, x + 1, right); line(x, left, bottom, y + 1); break;
        }
      }
      a = b; d = c;
    }
  }
  return { path, segments };
}

const known = (value) => (value === 255 ? 0 : value);
