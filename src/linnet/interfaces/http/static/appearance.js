// Light, dark, or as the system has it: switched round, and remembered on this machine.

import { keep } from "./store.js";

const PLACE = "linnet.theme";
const ROUND = { system: "light", light: "dark", dark: "system" };
const SIGNS = { system: "◐", light: "☀", dark: "☾" };

export function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

export function switchTheme(button) {
  const next = ROUND[theme()];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  keep("localStorage", PLACE, next === "system" ? "" : next);
  label(button);
}

export function label(button) {
  button.textContent = SIGNS[theme()];
  button.setAttribute("aria-label", `Theme: ${theme()}; switch to ${ROUND[theme()]}`);
  button.title = `Theme: ${theme()}`;
}
