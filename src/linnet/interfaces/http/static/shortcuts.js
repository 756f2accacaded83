// What keys do. Letters work where nothing is being typed; a decision on a call takes two keys, so that none is made
// by a letter that was meant for the question.

import { by, el, show } from "./dom.js";

/** [keys as shown, what it does, name of the action, whether a key event is it] */
const KEYS = [
  ["Enter", "ask; Shift+Enter begins a new line"],
  ["Esc", "cancel what is at work; else leave the question", "cancel", (event) => event.key === "Escape"],
  ["Alt+Y", "allow the call that waits", "allow", (event) => event.altKey && event.code === "KeyY"],
  ["Alt+N", "do not allow it", "refuse", (event) => event.altKey && event.code === "KeyN"],
  ["/", "to the question", "write", letter("/")],
  ["r", "ask again", "again", letter("r")],
  ["d", "fold or unfold how the last answer came about", "fold", letter("d")],
  ["j, k", "to the next request, to the one before", "move", (event) => letter("j")(event) || letter("k")(event)],
  ["m", "models", "models", letter("m")],
  ["t", "theme: system, light, dark", "theme", letter("t")],
  ["?", "these shortcuts", "keys", letter("?")],
];

/** `actions` has a function for each name above, which is given the event. */
export function listen(actions) {
  show(by("keys-body"), ...KEYS.flatMap(([keys, does]) => [
    el("dt", {}, keys.split(", ").map((key) => el("kbd", {}, key))), el("dd", {}, does)]));
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || event.isComposing) return; // a dialog has its own Esc
    const found = KEYS.find(([, , , matches]) => matches?.(event));
    if (!found) return;
    event.preventDefault();
    actions[found[2]](event);
  });
}

function letter(key) {
  return (event) => event.key === key && !event.ctrlKey && !event.metaKey && !event.altKey && !typing(event.target);
}

function typing(target) {
  return target instanceof HTMLElement && target.matches("textarea, input, select");
}
