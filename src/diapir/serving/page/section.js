// The section that is shown: its axes, its name, and the prediction that belongs to it.

import { state } from "./state.js";
import { axisOf, evenAxis, stepped } from "./view/axes.js";

const DOMAINS = { time: "time", depth: "depth", unknown: "time or depth" };

export const isSurvey = () => Boolean(state.facts) && state.facts.kind !== "picture";
export const isVertical = () => Boolean(state.facts) && state.axis !== "slice";

export function axes() {
  const { facts, axis } = state, { vertical } = facts;
  if (axis === "picture") return { across: evenAxis(0, 1, "x", "px"), down: evenAxis(0, 1, "y", "px"), rowHeight: 1 };
  const inlines = axisOf(facts.axes.inline.numbers, "inline"), crosslines = axisOf(facts.axes.crossline.numbers, facts.axes.crossline.name);
  if (axis === "slice") return { across: stepped(crosslines, facts.step.columns), down: { ...stepped(inlines, facts.step.rows), unit: "inline" }, rowHeight: 1 };
  return { across: axis === "inline" ? crosslines : inlines, down: evenAxis(vertical.start, vertical.interval, DOMAINS[vertical.domain], vertical.unit), rowHeight: vertical.interval };
}

// the section in the words of the file of strokes
export function sectionKey() {
  const { facts, axis, index } = state;
  if (facts.kind === "picture") return { picture: facts.file };
  if (facts.kind === "line") return { line: facts.name };
  return axis === "inline" ? { inline: facts.axes.inline.numbers[index] } : { crossline: facts.axes.crossline.numbers[index] };
}

export function sectionNumber() {
  const { facts, axis, index } = state;
  if (axis === "slice") return Math.round((facts.vertical.start + index * facts.vertical.interval) * 1000) / 1000;
  return axis === "picture" ? 1 : facts.axes[axis].numbers[index];
}

// index of the section with a number; the nearest one
export function indexOf(number) {
  const { facts, axis } = state;
  return axis === "slice" ? (number - facts.vertical.start) / facts.vertical.interval : axisOf(facts.axes[axis].numbers, "").index(number);
}

// the section and the model, as predictions of single sections are kept
export const here = () => `${state.facts?.id} ${state.axis} ${state.index} ${state.model}`;

// the prediction of the whole survey that is chosen, or the one made of this section; null for none
export const predictionHere = () => (state.layer && state.layers.get(state.layer)) || state.own.get(here()) || null;
export const layerHere = () => predictionHere()?.layer ?? "";

// names of adapted models, wherever they stand, by the time at which they were made
export const inShort = (text) => text.replace(/adapt-\d{8}-(\d\d)(\d\d)\d\d-\w+/g, "adapted $1:$2");
export const shortModel = (name) => inShort(name.split("/").at(-1));
