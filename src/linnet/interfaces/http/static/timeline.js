// A turn as rows to one scale of time, and its tokens as a bar to one scale of tokens. Words say all that bars show.

import { el, svg } from "./dom.js";
import { ticks, tokens } from "./phases.js";
import { count, round, time } from "./numbers.js";

/** What each colour stands for, in the order of the legend. */
const PHASES = {
  code: "code, no model",
  loaded: "loading the model",
  cached: "cached: known from before, not computed again",
  prefilled: "prefilled: read by the model",
  forced: "forced: the form left no choice",
  decoded: "decoded: chosen token by token",
  tool: "tool",
  waited: "waiting",
};

const percent = (part, whole) => `${whole > 0 ? Math.min(100, Math.max(0, (100 * part) / whole)) : 0}%`;

/** The rows as a list, each with its bar; `total` seconds are the whole width. */
export function timeline(rows, total) {
  const marks = ticks(total);
  const lines = rows.map((row) =>
    el("li", { class: `row depth-${Math.min(2, row.depth)}` },
      el("span", { class: "row-name" }, row.name),
      bar(row, total, marks),
      el("span", { class: "row-time" }, time(row.seconds)),
      el("span", { class: "row-detail" }, told(row))),
  );
  const axis = total > 0 && el("li", { class: "row axis", "aria-hidden": "true" }, scale(marks, total));
  return el("ol", { class: "timeline" }, lines, axis);
}

/** One bar for all tokens that the model was given and gave. */
export function tokenBar(usage) {
  const parts = tokens(usage);
  const total = parts.reduce((sum, part) => sum + part.count, 0);
  if (!total) return null;
  let before = 0;
  const blocks = parts.map((part) => {
    const block = svg("rect", { class: `fill-${part.phase}`, x: percent(before, total), y: 0, width: percent(part.count, total), height: "100%" },
      svg("title", {}, `${count(part.count)} ${part.phase}`));
    before += part.count;
    return block;
  });
  const guessed = usage.guessed_tokens ? `, ${count(usage.guessed_tokens)} of them guessed ahead` : "";
  const words = parts.map((part) => `${count(part.count)} ${part.phase}${part.phase === "decoded" ? guessed : ""}`);
  return el("div", { class: "tokens" },
    el("h3", {}, "Tokens"),
    svg("svg", { class: "strip", "aria-hidden": "true" }, blocks),
    el("p", { class: "figures" }, `${words.join(" · ")} · ${count(total)} in all`));
}

/** What the colours of these rows and tokens mean: no more than are there. */
export function legend(rows, usage) {
  const used = new Set([...rows.flatMap((row) => [row.phase, ...row.parts.map((part) => part.phase)]), ...tokens(usage).map((part) => part.phase)]);
  const items = Object.entries(PHASES).filter(([phase]) => used.has(phase));
  return el("ul", { class: "legend" },
    items.map(([phase, words]) => el("li", {}, el("i", { class: `swatch fill-${phase}`, "aria-hidden": "true" }), words)));
}

function bar(row, total, marks) {
  const whole = block(row.phase, row, total, row.parts.length ? { class: `fill-${row.phase} thin`, y: "40%", height: "20%" } : {});
  return svg("svg", { class: "row-bar", "aria-hidden": "true" },
    marks.map((mark) => svg("line", { class: "grid", x1: percent(mark, total), x2: percent(mark, total), y1: 0, y2: "100%" })),
    whole, row.parts.map((part) => block(part.phase, part, total)));
}

/** A rectangle, and a line of two pixels where it begins: what was short is seen too. */
function block(phase, { start, seconds }, total, given = {}) {
  const x = percent(start, total);
  const box = { class: `fill-${phase}`, x, y: "15%", width: percent(seconds, total), height: "70%", rx: 1, ...given };
  return svg("g", {},
    svg("title", {}, `${phase}: ${time(seconds)}, from ${time(start)} on`),
    svg("line", { class: `line-${phase}`, x1: x, x2: x, y1: "15%", y2: "85%" }),
    svg("rect", box));
}

function scale(marks, total) {
  return svg("svg", { class: "row-bar" }, marks.map((mark) =>
    svg("text", { x: percent(mark, total), y: 12, "text-anchor": mark === 0 ? "start" : mark > total * 0.94 ? "end" : "middle" },
      mark === 0 ? "0" : round(mark))));
}

function told(row) {
  const words = tokens(row.usage).map((part) => `${count(part.count)} ${part.phase}`);
  return [row.detail, ...words].filter(Boolean).join(" · ");
}
