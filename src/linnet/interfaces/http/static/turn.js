// One request on the page: what was asked, the steps as they happen, the answer, and how it came about.

import { approval, argumentsOf } from "./approval.js";
import { el, show } from "./dom.js";
import { count, counted, rate, time } from "./numbers.js";
import { asked, queuedBefore, rowsOf, rowsSoFar, tokens } from "./phases.js";
import { legend, timeline, tokenBar } from "./timeline.js";

const HOW = { rule: "by rule", intent: "by an intent", model: "by the model", cache: "remembered", abstained: "abstained", failed: "failed" };

/** Fewer tokens than this say nothing about speed. */
const ENOUGH = 8;

export class Turn {
  #steps = [];
  #waits = [];
  #calls = [];
  #pending = null;
  #clock = null;
  #parts;

  /** `decide(number, approve)` answers for a call that waits, `again()` asks once more. */
  constructor(text, { decide, again }) {
    Object.assign(this, { text, decide, id: "", result: null, seconds: 0, fault: null, unwanted: false, unsaid: 0, unkept: 0 });
    this.#parts = {
      answer: el("div", { class: "answer", "aria-live": "polite" }),
      working: el("p", { class: "working" }),
      approval: el("div"),
      how: el("p", { class: "how" }),
      notes: el("div"),
      body: el("div", { class: "came-body" }),
      again: el("button", { type: "button", class: "quiet again", onclick: again }, "Ask again"),
    };
    this.#parts.came = el("details", { class: "came", open: true }, el("summary", {}, "How this came about"), this.#parts.body);
    const { answer, working, approval: place, how, notes, again: button, came } = this.#parts;
    this.element = el("article", { class: "turn", tabindex: -1, "aria-label": `Request: ${text.slice(0, 80)}` },
      el("p", { class: "asked" }, text), answer, working, place, notes, el("div", { class: "foot" }, how, button), came);
    this.#began();
  }

  get over() {
    return Boolean(this.result || this.fault);
  }

  /** What was said of it, as the next request hears it; nothing of one that failed. */
  get history() {
    if (!this.result?.answer) return [];
    return [{ role: "user", content: this.text }, { role: "assistant", content: this.result.answer }];
  }

  fold(open) {
    this.#parts.came.open = open ?? !this.#parts.came.open;
  }

  /** The buttons of a call that waits, if one does. */
  get choice() {
    const [yes, no] = this.#parts.approval.querySelectorAll("button");
    return yes && !yes.disabled ? { yes, no } : null;
  }

  /** An event of its run, in order. */
  take(event) {
    if ("left_out" in event) {
      this.unkept += 1; // the server told only what kind of event it was; the result has all that counts
      return;
    }
    const taken = {
      step: () => this.#steps.push(event),
      said: () => this.#parts.answer.append(event.text),
      approval: () => this.#waitsFor(event),
      decision: () => this.#decided(event),
      result: () => this.#calls.push(event),
      done: () => this.#done(event),
      error: () => this.failed(event.error, event.at),
    };
    taken[event.type]?.();
    if (!this.over && event.type !== "said") this.#drawSoFar(event.at ?? 0); // words come often, and change no row
  }

  /** The end of one without an answer, so many seconds after it was accepted: {code, message, hint}. */
  failed(error, at = 0) {
    this.fault = error;
    const cancelled = error.code === "cancelled";
    this.#ended();
    show(this.#parts.how, el("b", {}, cancelled ? "cancelled" : "failed"), at > 0 && el("span", {}, `after ${time(at)}`));
    if (!cancelled) show(this.#parts.notes, el("div", { class: "fault", role: "alert" },
      el("p", {}, error.message), error.hint && el("p", { class: "note" }, error.hint), el("p", { class: "code" }, error.code)));
  }

  /** Says that the connection is gone, or is there again. */
  lost(gone) {
    this.element.classList.toggle("lost", gone);
  }

  #began() {
    const start = performance.now();
    const tick = () => {
      const words = this.element.classList.contains("lost") ? "connection lost, trying again" : this.#pending ? "waits for you" : "at work";
      this.#parts.working.textContent = `${words} · ${time((performance.now() - start) / 1000)}`;
      if (this.#pending) this.#drawSoFar(this.#pending.at + (performance.now() - this.#pending.seen) / 1000);
    };
    tick();
    this.#clock = setInterval(tick, 200);
  }

  #ended() {
    clearInterval(this.#clock);
    this.#pending = null;
    this.lost(false);
    this.#parts.working.remove();
    show(this.#parts.approval);
    this.element.classList.add("over");
  }

  #waitsFor(event) {
    this.#pending = { ...event, seen: performance.now() };
    show(this.#parts.approval, approval(event, (approve) => this.decide(event.number, approve)));
  }

  #decided(event) {
    this.#waits.push([event.call, this.#pending?.at ?? event.at, event.at, event.approved]);
    this.#pending = null;
    show(this.#parts.approval);
  }

  /** Rows of the waits for a person, one that lasts until `now` included. */
  #waitRows(now) {
    const open = this.#pending ? [asked(this.#pending.call, this.#pending.at, now, null)] : [];
    return [...this.#waits.map((wait) => asked(...wait)), ...open];
  }

  get #queued() {
    return this.#steps.length ? queuedBefore(this.#steps) : 0;
  }

  #drawSoFar(now) {
    this.#draw(rowsSoFar(this.#steps.map(({ step }) => step), this.#waitRows(now), this.#queued), now);
  }

  #done({ result, at }) {
    Object.assign(this, { result, seconds: at });
    this.#ended();
    const { answer, how, notes } = this.#parts;
    if (answer.textContent !== result.answer) answer.textContent = result.answer;
    const waits = this.#waitRows();
    show(how, el("b", { title: `how: ${result.how}` }, HOW[result.how] ?? result.how), ...figures(result, at, waits).map((words) => el("span", {}, words)));
    const unsaid = this.unsaid ? [`the first ${count(this.unsaid)} messages of this conversation`] : [];
    const unkept = this.unkept ? [`${counted(this.unkept, "event")} of this run, which the server did not keep`] : [];
    show(notes, this.unwanted && el("p", { class: "note" }, "Cancelled."), listed("Not as it should be", [...unkept, ...result.degraded]), listed("Left out, for it did not fit", [...unsaid, ...result.dropped]));
    this.#draw(rowsOf(result.trace, waits, this.#queued), at, result.usage);
  }

  #draw(rows, total, usage = null) {
    show(this.#parts.body,
      timeline(rows, total), usage && tokenBar(usage), this.#called(), usage && legend(rows, usage));
  }

  #called() {
    if (!this.#calls.length) return null;
    return el("div", { class: "calls" }, el("h3", {}, "Calls"), this.#calls.map(called));
  }
}

/** What stands beside `how`: time since it was accepted, to which the timeline is drawn, tokens by kind, speed. */
function figures(result, at, waits) {
  const waited = waits.reduce((sum, wait) => sum + wait.seconds, 0);
  const spent = tokens(result.usage).map((part) => `${count(part.count)} ${part.phase}`);
  return [...(result.error ? [result.error.code] : []), time(at), ...(waited ? [`${time(waited)} of it waiting for you`] : []), ...(spent.length ? spent : ["no token spent"]), ...speed(result.trace)];
}

function speed(trace) {
  const within = (step) => [...step.questions, ...step.parts.flatMap(within)];
  const free = trace.steps.flatMap(within).filter((one) => one.first !== null && !one.usage.forced_tokens);
  const said = free.reduce((sum, one) => sum + one.usage.generated_tokens - 1, 0);
  const seconds = free.reduce((sum, one) => sum + one.seconds - one.first, 0);
  return said >= ENOUGH && seconds > 0 ? [rate(said / seconds)] : [];
}

function called({ call, value, error, seconds }) {
  const outcome = error ? error.message : typeof value === "string" ? value : JSON.stringify(value);
  return el("div", { class: "call" },
    el("p", {}, el("b", {}, call.name), ` · decided by ${call.how} · ${time(seconds)}`),
    el("dl", { class: "arguments" }, argumentsOf(call), el("dt", { class: "gave" }, error ? "failed" : "gave"), el("dd", {}, outcome)));
}

function listed(title, lines) {
  return lines.length > 0 && el("div", { class: "caution" },
    el("p", {}, `${title}${lines.length > 1 ? ` (${counted(lines.length, "thing")})` : ""}:`), el("ul", {}, lines.map((line) => el("li", {}, line))));
}
