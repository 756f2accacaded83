// From what the server tells of a turn to the rows of its timeline: plain values in and out, nothing is drawn here.
// All times are in seconds; a row's `start` counts from when the server accepted the run.

const SAID = {
  route: "routed", choose: "chosen", fill: "filled", tool: "tool", answer: "answered",
  recall: "recalled", summary: "summed up", taint: "checked", cache: "remembered", native: "called", refuse: "refused",
  classify: "classified", refine: "refined", attempt: "tried", escalate: "escalated",
};

const NOTHING = { prompt_tokens: 0, cached_tokens: 0, generated_tokens: 0, forced_tokens: 0, guessed_tokens: 0 };

/** A wait that is shorter than this is the machine's, and no row of its own. */
const SHORTEST_WAIT = 0.05;

const HASTE = 0.02;

/** Rows of a turn that is over: its trace, the waits for a person, and how long it was `queued` before it began. */
export function rowsOf(trace, waits, queued) {
  const first = firstQuestion(trace);
  const load = first && trace.load ? { question: first, seconds: trace.load } : null;
  const found = trace.steps.flatMap((step) => nested(step, 0, load));
  const shifted = found.map((row) => behind(later(row, queued), waits));
  const rows = [...shifted, ...waits];
  if (queued >= SHORTEST_WAIT) rows.push(row("began", "a seat in the line, and an agent", 0, queued, { phase: "waited" }));
  return inOrder(rows);
}

/** Rows of a turn that is under way: what is known of it so far. */
export function rowsSoFar(steps, waits, queued) {
  const rows = steps.map((step) => later(nested(step, 0, null)[0], queued));
  return inOrder([...rows, ...waits]);
}

/** How long a turn was queued: a step is told no earlier than it ends, and some are told at once. */
export function queuedBefore(told) {
  return Math.max(0, Math.min(...told.map(({ step, at }) => at - step.start - step.seconds)));
}

/** A wait for a decision, until one was made (`approved` true or false) or still (null): a row as the others. */
export function asked(call, start, end, approved) {
  const said = approved === null ? "waits for you" : approved ? "you allowed it" : "it was not allowed";
  return row("asked", `${call.name}: ${said}`, start, end - start, { phase: "waited" });
}

/** Tokens by what became of them; together they are all that the model was given and gave. */
export function tokens(usage) {
  return [
    { phase: "cached", count: usage.cached_tokens },
    { phase: "prefilled", count: usage.prompt_tokens - usage.cached_tokens },
    { phase: "forced", count: usage.forced_tokens },
    { phase: "decoded", count: usage.generated_tokens - usage.forced_tokens },
  ].filter((part) => part.count > 0);
}

/** Places for three to five marks on an axis that ends at `total`. */
export function ticks(total) {
  if (!(total > 0)) return [];
  const rough = total / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((times) => power * times >= rough * 0.999);
  return Array.from({ length: Math.floor(total / step + 1e-9) + 1 }, (_, index) => index * step);
}

/** By their beginnings. A question to a person is told by a shorter way than the step before it, so it may seem early. */
function inOrder(rows) {
  const place = (one) => one.start + (one.name === "asked" ? HASTE : 0);
  return rows.sort((a, b) => place(a) - place(b) || a.depth - b.depth);
}

function nested(step, depth, load) {
  const parts = merged((step.questions ?? []).flatMap((question) => phasesOf(question, load)));
  const by = step.data?.by ? ` · by ${step.data.by}` : "";
  const own = row(SAID[step.kind] ?? step.kind, step.detail + by, step.start, step.seconds, {
    depth, parts, usage: step.usage ?? NOTHING, phase: step.kind === "tool" ? "tool" : parts.length ? "code" : worked(step.usage),
  });
  return [own, ...(step.parts ?? []).flatMap((part) => nested(part, depth + 1, load))];
}

/** What a step mostly was whose questions are not told (yet): by the tokens that it took. */
function worked(usage = NOTHING) {
  if (usage.generated_tokens > usage.forced_tokens) return "decoded";
  return usage.prompt_tokens ? "prefilled" : "code";
}

/** What the model did for one question: loading first, then its prompt, then token after token. */
function phasesOf(question, load) {
  if (question.cached) return [part("cached", question.start, question.seconds)];
  const spoken = question.kind === "chat" || question.kind === "continue";
  const before = spoken && question.first !== null ? question.first : question.seconds;
  const loading = load?.question === question ? Math.min(load.seconds, before) : 0;
  return [
    part("loaded", question.start, loading),
    part("prefilled", question.start + loading, before - loading),
    part("decoded", question.start + before, question.seconds - before),
  ].filter((found) => found.seconds > 0);
}

/** Questions that were under way together are one stretch of a phase, not several on top of each other. */
function merged(parts) {
  const done = [];
  for (const next of parts.sort((a, b) => a.start - b.start)) {
    const same = done.findLast((one) => one.phase === next.phase);
    if (same && next.start <= same.start + same.seconds + 1e-4) {
      same.seconds = Math.max(same.seconds, next.start + next.seconds - same.start);
    } else done.push({ ...next });
  }
  return uncovered(done);
}

/** Loading comes first, for those too that were asked meanwhile. */
function uncovered(parts) {
  const load = parts.find((one) => one.phase === "loaded");
  if (!load) return parts;
  const end = load.start + load.seconds;
  return parts.flatMap((one) => {
    if (one === load || one.start >= end) return [one];
    const left = one.start + one.seconds - end;
    return left > 0 ? [part(one.phase, end, left)] : [];
  });
}

function firstQuestion(trace) {
  return questions(trace)[0];
}

/** What the model's last prompt took, where it was asked at all: to choose a tool or to fill its arguments, if not to answer. */
export function lastPrompt(trace) {
  return questions(trace).findLast((question) => question.usage?.prompt_tokens)?.usage ?? null;
}

/** All that the model was asked, by their beginnings. */
function questions(trace) {
  const within = (step) => [...(step.questions ?? []), ...(step.parts ?? []).flatMap(within)];
  return [...(trace.questions ?? []), ...trace.steps.flatMap(within)].sort((a, b) => a.start - b.start);
}

function later(one, seconds) {
  const parts = one.parts.map((each) => ({ ...each, start: each.start + seconds }));
  return { ...one, start: one.start + seconds, parts };
}

/** A tool does not run while somebody is asked about it, though a refused one counts that time as its own. */
function behind(one, waits) {
  const wait = waits.find(({ start, seconds }) => one.phase === "tool" && one.start < start + seconds && one.start + one.seconds > start);
  if (!wait) return one;
  const start = Math.max(one.start, wait.start + wait.seconds);
  return { ...one, start, seconds: Math.max(0, one.start + one.seconds - start) };
}

function row(name, detail, start, seconds, more = {}) {
  return { name, detail, start, seconds, depth: 0, parts: [], usage: NOTHING, ...more };
}

function part(phase, start, seconds) {
  return { phase, start, seconds };
}
