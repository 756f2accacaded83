// A call that waits for a yes or a no: what would be done, with what, and what it needs. Neither answer is preset.

import { el } from "./dom.js";

const NEEDS = {
  "files.read": "read files",
  "files.write": "write files",
  "programs.run": "run programs",
  network: "use the network",
  "database.read": "read a database",
  "database.write": "change a database",
  mcp: "use another program's tools",
  "network.tainted": "send on what it has read",
};

/** An element that calls `decide(true)` or `decide(false)`, which promises that it has arrived. */
export function approval(asked, decide) {
  const { call, permissions, description } = asked;
  const buttons = [
    el("button", { type: "button", class: "yes", "aria-keyshortcuts": "Alt+Y" }, "Allow once"),
    el("button", { type: "button", class: "no", "aria-keyshortcuts": "Alt+N" }, "Do not allow"),
  ];
  const needs = permissions.map((name) => NEEDS[name] ?? name).join(", ");
  const box = el("div", { class: "approval", role: "group", "aria-label": `May ${call.name} be called?` },
    el("p", { class: "approval-head" }, "May ", el("b", {}, call.name), " be called?"),
    description && el("p", { class: "note" }, description),
    el("dl", { class: "arguments" }, argumentsOf(call)),
    needs && el("p", { class: "note" }, `It needs the permission to ${needs}.`),
    el("p", { class: "buttons" }, buttons));
  const answer = async (approve) => {
    for (const button of buttons) button.disabled = true;
    await decide(approve).catch(() => {
      for (const button of buttons) button.disabled = false; // it did not arrive; where it came too late, this goes away
    });
  };
  buttons[0].addEventListener("click", () => answer(true));
  buttons[1].addEventListener("click", () => answer(false));
  return box;
}

/** What a call is given, name by name; everything as text. */
export function argumentsOf(call) {
  return Object.entries(call.arguments).flatMap(([name, value]) => [
    el("dt", {}, name), el("dd", {}, typeof value === "string" ? value : JSON.stringify(value)),
  ]);
}
