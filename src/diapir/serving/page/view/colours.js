// Colour tables: 256 colours as RGBA words, for amplitudes (0 is no data) and probabilities (255 is none).

const NO_DATA = { light: [214, 219, 224], dark: [38, 45, 52] };
const RED = [178, 24, 43], WHITE = [247, 247, 247], BLUE = [33, 102, 172];

const word = (r, g, b, a) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;
const mix = (one, other, t) => one.map((v, i) => Math.round(v + (other[i] - v) * t));

export function amplitudeColours({ colours, gain, reverse, theme }) {
  const table = new Uint32Array(256);
  for (let value = 1; value < 256; value++) {
    let signed = Math.max(-1, Math.min(1, ((value - 128) / 127) * gain));
    if (reverse) signed = -signed;
    let rgb;
    if (colours === "rwb") rgb = signed < 0 ? mix(WHITE, RED, -signed) : mix(WHITE, BLUE, signed);
    else rgb = Array(3).fill(Math.round(127.5 + 127.5 * signed));
    table[value] = word(...rgb, 255);
  }
  table[0] = word(...NO_DATA[theme], 255);
  return table;
}

// orange over grey, and violet over red, white and blue: both are told apart without colour vision of red and green
export const saltColour = (colours) => (colours === "rwb" ? [70, 0, 85] : [255, 128, 0]);

export function probabilityColours({ colours, opacity }) {
  const table = new Uint32Array(256), rgb = saltColour(colours);
  for (let value = 0; value < 255; value++) {
    const p = value / 254;
    table[value] = word(...rgb, Math.round(255 * opacity * Math.max(0, (p - 0.05) / 0.95)));
  }
  return table;
}

export const outlineColour = (colours) => (colours === "rwb" ? "#ffe14d" : "#ff9a2e");

let read = null, of = null;

// colours of the style sheet that canvases use, read once for each theme
export function palette(theme) {
  if (of === theme) return read;
  const css = getComputedStyle(document.documentElement), colour = (name) => css.getPropertyValue(`--${name}`).trim();
  of = theme;
  read = Object.fromEntries(["panel", "quiet", "hover", "salt", "rock", "accent-back"].map((name) => [name, colour(name)]));
  return read;
}
