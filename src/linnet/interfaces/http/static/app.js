// The page, wired: the question at the bottom, the conversation above it, dialogs, keys, and what the server is.

import { Api } from "./api.js";
import { label, switchTheme } from "./appearance.js";
import { drawBudget, sections } from "./budget.js";
import { Conversation } from "./conversation.js";
import { by, el } from "./dom.js";
import { Keyring } from "./keyring.js";
import { distinct, showModels } from "./models.js";
import { time } from "./numbers.js";
import { lastPrompt } from "./phases.js";
import { listen } from "./shortcuts.js";

const EXAMPLES = ["What is 15% of 2,340 plus the square root of 144?", "What is the capital of France?", "Write two sentences about linnets."];

const api = new Api(new Keyring());
const talk = new Conversation(api, by("talk"), changed);
let contextTokens = 0;

function changed(what, turn) {
  const { last, busy } = talk;
  by("hello").hidden = last !== null;
  by("send").textContent = busy ? "Cancel" : "Ask";
  by("send").classList.toggle("cancels", busy);
  if (what === "waits") tell("A tool asks for permission. Alt+Y allows it, Alt+N does not.");
  if (what === "began") {
    tell("At work.");
    turn.element.scrollIntoView({ block: "start" });
  }
  if (what === "ended" && turn === last) ended(turn);
}

function ended({ result, seconds, fault }) {
  tell(result ? `Answered in ${time(seconds)}.` : fault.code === "cancelled" ? "Cancelled." : "That did not work.");
  if (result) budget(result);
  if (fault?.code === "no_answer") state("silent", "no answer");
  else look();
}

function budget(result) {
  const said = result?.trace.steps.findLast((step) => step.kind === "answer");
  const usage = said?.data.usage ?? (result && lastPrompt(result.trace));
  if (contextTokens) drawBudget(by("budget"), sections(said?.data.context, usage, contextTokens), contextTokens, !result || Boolean(said ?? usage));
}

function tell(words) {
  by("told").textContent = words;
}

function state(kind, words) {
  by("state").className = `state ${kind}`;
  by("state").querySelector(".words").textContent = words;
}

/** What the server is: asked at the beginning and after each turn, never in between. A page that lies open computes nothing. */
async function look() {
  try {
    const model = distinct((await api.get("/v1/models")).data)[0];
    const first = !contextTokens;
    contextTokens = model.context;
    if (first) budget(talk.last?.result);
    state("well", model.name);
  } catch (error) {
    state("silent", error.message);
  }
}

function grow() {
  const box = by("ask");
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

function submit() {
  const text = by("ask").value.trim();
  if (talk.busy || !text) return;
  by("ask").value = "";
  grow();
  talk.ask(text);
}

function move({ key }) {
  const turns = [...document.querySelectorAll(".turn")];
  const at = turns.indexOf(document.activeElement?.closest(".turn"));
  const next = at < 0 ? turns.length - 1 : at + (key === "j" ? 1 : -1);
  turns[Math.min(turns.length - 1, Math.max(0, next))]?.focus();
}

by("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (talk.busy) talk.cancel();
  else submit();
});
by("ask").addEventListener("input", grow);
by("ask").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault(); // while one is at work the next stays written, and cancels nothing
  submit();
});
by("new").addEventListener("click", () => {
  talk.clear();
  changed();
  budget(null);
  by("ask").focus();
});
by("theme").addEventListener("click", () => switchTheme(by("theme")));
by("show-models").addEventListener("click", () => showModels(api));
by("show-keys").addEventListener("click", () => by("keys").showModal());
by("examples").append(...EXAMPLES.map((text) =>
  el("li", {}, el("button", { type: "button", class: "example", onclick: () => talk.busy || talk.ask(text) }, text))));
// what is clicked away takes the focus with it: it goes on where the next thing is written
document.addEventListener("click", ({ target }) => {
  if (target.closest(".example, .again, .approval button")) by("ask").focus({ preventScroll: true });
});

listen({
  cancel: () => (talk.busy ? talk.cancel() : by("ask").blur()),
  allow: () => talk.last?.choice?.yes.click(),
  refuse: () => talk.last?.choice?.no.click(),
  write: () => by("ask").focus(),
  again: () => talk.again(),
  fold: () => talk.last?.fold(),
  move,
  models: () => showModels(api),
  theme: () => switchTheme(by("theme")),
  keys: () => by("keys").showModal(),
});

label(by("theme"));
look();
talk.restore();
