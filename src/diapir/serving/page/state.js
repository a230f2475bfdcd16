// What the page shows now, and who is told when that changes.

export const state = {
  files: [], uploads: null, // what may be dropped
  facts: null, axis: null, index: 0, // the file and the section that are shown
  places: {}, sizes: new Map(), // of the file: last index and size by axis
  wanted: null, // the file that is shown or being opened, and the place in it
  failed: false, // whether the file could not be opened
  model: "", predicting: new Set(), own: new Map(), // predictions of single sections, by `here()`
  layers: new Map(), layer: "", // predictions of the whole survey, and the one chosen
};

const listeners = new Map();

// events: opened (a file), section (one is shown), layers (predictions), look (colours, theme), controls
export const on = (names, act) => { for (const name of names.split(" ")) listeners.set(name, [...(listeners.get(name) ?? []), act]); };
export const emit = (name) => { for (const act of listeners.get(name) ?? []) act(); };
