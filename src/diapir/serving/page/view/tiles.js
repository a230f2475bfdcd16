// Tiles of a section: fetched few at a time, coloured once, kept as long as there is room.

import { getTile } from "../api.js";

const AT_ONCE = 6, KEPT = 900, RETRY_MS = 3000;

export class Tiles {
  constructor(changed) {
    this.changed = changed;
    this.held = new Map();
    this.waiting = [];
    this.running = 0;
    this.base = null;
    this.failed = null;
  }

  // base: address of the section; stale requests are dropped
  open(base) {
    if (base === this.base) return;
    this.base = base;
    this.failed = null;
    for (const { key } of this.waiting) this.held.delete(key);
    this.waiting = [];
    this.abort?.abort();
    this.abort = new AbortController();
  }

  key(layer, level, row, column) { return `${this.base}/tiles/${layer}/${level}/${row}/${column}`; }

  // the tile if it is there; otherwise it is asked for
  get(layer, level, row, column, want = true) {
    const key = this.key(layer, level, row, column);
    const found = this.held.get(key);
    if (found) {
      this.held.delete(key);
      this.held.set(key, found);
      return found.values ? found : null;
    }
    if (want) {
      this.held.set(key, { values: null });
      this.waiting.push({ key, signal: this.abort.signal });
      this.next();
    }
    return null;
  }

  get pending() { return this.running + this.waiting.length; }

  next() {
    while (this.running < AT_ONCE && this.waiting.length) {
      const { key, signal } = this.waiting.pop(); // the newest: it is in sight
      this.running++;
      this.fetch(key, signal).finally(() => { this.running--; this.next(); this.changed(); });
    }
  }

  async fetch(key, signal) {
    try {
      const tile = await getTile(key, signal);
      this.held.set(key, tile);
      while (this.held.size > KEPT) this.held.delete(this.held.keys().next().value);
    } catch (error) {
      this.held.delete(key);
      if (error.name !== "AbortError") {
        this.failed = error;
        this.held.set(key, { values: null }); // asked for again in a while
        setTimeout(() => { this.held.delete(key); this.failed = null; this.changed(); }, RETRY_MS);
      }
    }
  }

  forget(layer) {
    for (const key of [...this.held.keys()]) if (key.includes(`/tiles/${layer}/`)) this.held.delete(key);
  }
}

// a tile as a canvas in the colours of a table; coloured again where the table has changed
export function coloured(tile, table, stamp) {
  if (tile.stamp === stamp) return tile.canvas;
  const { rows, columns, values } = tile;
  tile.canvas ??= new OffscreenCanvas(columns, rows);
  const context = tile.canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const words = new Uint32Array(image.data.buffer);
  for (let i = 0; i < values.length; i++) words[i] = table[values[i]];
  context.putImageData(image, 0, 0);
  tile.stamp = stamp;
  return tile.canvas;
}
