// The context of the model as a bar: which section of the last prompt took how much of it.

import { el, show, svg } from "./dom.js";
import { count } from "./numbers.js";

const ALWAYS = ["system", "tools", "memory", "history", "free"];

/** The sections that together are the window, and nothing twice. `sizes` are those of the step that answered; without
 * them (nothing had to be made to fit) the prompt is one section, as the model counted it. */
export function sections(sizes, usage, window) {
  if (!sizes) {
    const [prompt, answer] = [usage?.prompt_tokens ?? 0, usage?.generated_tokens ?? 0];
    return kept({ "system and request": prompt, answer, free: Math.max(0, window - prompt - answer) }, ["free"]);
  }
  const { room, answer } = sizes;
  const said = Object.fromEntries(
    ["system", "tools", "memory", "older", "history", "request"].map((name) => [name, sizes[name] ?? 0]));
  const taken = Object.values(said).reduce((sum, tokens) => sum + tokens, 0);
  const choosing = Math.max(0, sizes.window - room - answer);
  return kept({ ...said, "answer (kept)": answer, "choosing tools (kept)": choosing, free: Math.max(0, room - taken) }, ALWAYS);
}

/** Draws into `place`; `asked` false means that the model heard nothing of the last request. */
export function drawBudget(place, found, window, asked = true) {
  let before = 0;
  const blocks = found.map(({ name, tokens }) => {
    const block = svg("rect", {
      class: `part-${slug(name)}`, x: `${(100 * before) / window}%`, width: `${(100 * tokens) / window}%`, height: "100%",
    }, svg("title", {}, `${name}: ${count(tokens)} tokens`));
    before += tokens;
    return block;
  });
  const items = found.map(({ name, tokens }) =>
    el("li", { class: tokens ? null : "none" }, el("i", { class: `swatch part-${slug(name)}`, "aria-hidden": "true" }), `${name} ${count(tokens)}`));
  const head = `Context of ${count(window)} tokens${asked ? "" : ", not used by the last answer"}`;
  show(place,
    svg("svg", { class: "strip", "aria-hidden": "true" }, blocks),
    el("p", { class: "budget-head" }, head),
    el("ul", { class: "legend", "aria-label": "Sections of the context" }, items));
}

function kept(all, always) {
  return Object.entries(all).filter(([name, tokens]) => tokens || always.includes(name)).map(([name, tokens]) => ({ name, tokens }));
}

const slug = (name) => name.replaceAll(/[^a-z]+/g, "-");
