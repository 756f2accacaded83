// The parts of the page that need no browser. tests/interfaces/http/test_page.py runs this where Node.js is installed.

import assert from "node:assert/strict";
import test from "node:test";

import { sections } from "./budget.js";
import { counter, distinct } from "./models.js";
import { bytes, count, counted, rate, round, time } from "./numbers.js";
import { asked, lastPrompt, queuedBefore, rowsOf, rowsSoFar, ticks, tokens } from "./phases.js";
import { frames } from "./sse.js";

const USAGE = { prompt_tokens: 257, cached_tokens: 78, generated_tokens: 40, forced_tokens: 12, guessed_tokens: 5 };
const step = (kind, start, seconds, more = {}) => ({ kind, detail: "", start, seconds, usage: USAGE, questions: [], parts: [], ...more });
const question = (kind, start, seconds, first) => ({ kind, start, seconds, first, usage: USAGE, cached: "" });
const near = (found, wanted) => assert.ok(Math.abs(found - wanted) < 1e-9, `${found} is not ${wanted}`);

async function* pieces(...texts) {
  yield* texts;
}

test("events come out whole wherever their pieces end", async () => {
  const stream = 'event: step\nid: 7\ndata: {"a": "x\\ny"}\n\n: still at work\n\ndata: [1]\n\ndata: {"lost": 1}';
  for (let cut = 1; cut < stream.length; cut += 1) {
    const found = [];
    for await (const one of frames(pieces(stream.slice(0, cut), stream.slice(cut)))) found.push(one);
    assert.deepEqual(found, [{ id: 7, data: { a: "x\ny" } }, { id: null, data: [1] }]);
  }
});

test("tokens of every kind are counted once", () => {
  const found = tokens(USAGE);
  assert.deepEqual(found.map((one) => [one.phase, one.count]), [["cached", 78], ["prefilled", 179], ["forced", 12], ["decoded", 28]]);
  assert.equal(found.reduce((sum, one) => sum + one.count, 0), 257 + 40);
  assert.deepEqual(tokens({ ...USAGE, prompt_tokens: 0, cached_tokens: 0, generated_tokens: 0, forced_tokens: 0 }), []);
});

test("an answer is a prompt, and then token after token", () => {
  const trace = { seconds: 2, load: null, questions: [], steps: [step("route", 0, 0.1), step("answer", 0.1, 1.9, { questions: [question("chat", 0.2, 1.8, 0.5)] })] };
  const [began, routed, answered] = rowsOf(trace, [], 0.5);
  assert.deepEqual([began.name, routed.name, answered.name], ["began", "routed", "answered"]);
  near(began.seconds, 0.5);
  near(routed.start, 0.5);
  const [prompt, decoded] = answered.parts;
  assert.deepEqual([prompt.phase, decoded.phase], ["prefilled", "decoded"]);
  near(prompt.start, 0.7);
  near(prompt.seconds, 0.5);
  near(decoded.start + decoded.seconds, 2.5);
});

test("loading is told apart from the prompt, and questions that ran together are one stretch", () => {
  const scores = [question("score", 1, 2, null), question("score", 1.1, 2.4, null), question("score", 4, 0.5, null)];
  const trace = { seconds: 5, load: 0.75, questions: [], steps: [step("fill", 1, 4, { questions: scores })] };
  const [filled] = rowsOf(trace, [], 0);
  assert.deepEqual(filled.parts.map((one) => one.phase), ["loaded", "prefilled", "prefilled"]);
  near(filled.parts[0].seconds, 0.75);
  near(filled.parts[1].start, 1.75);
  near(filled.parts[1].start + filled.parts[1].seconds, 3.5);
});

test("the context shows the last prompt that there was, whatever it was for, and none where a rule answered", () => {
  const later = { ...question("score", 3, 1, null), usage: { ...USAGE, prompt_tokens: 300 } };
  const remembered = { ...question("chat", 5, 0, null), usage: { ...USAGE, prompt_tokens: 0 } };
  const parts = [step("choose", 0, 2, { questions: [question("score", 1, 1, null)] })];
  const steps = [step("fill", 3, 1, { questions: [later, remembered] }), step("native", 0, 2, { parts })];
  assert.equal(lastPrompt({ questions: [], steps }).prompt_tokens, 300);
  assert.deepEqual(sections(null, lastPrompt({ questions: [], steps }), 2000)[0], { name: "system and request", tokens: 300 });
  assert.equal(lastPrompt({ questions: [], steps: [step("route", 0, 1)] }), null);
});

test("what is a part of a step stands under it, and what was remembered says so", () => {
  const inner = step("summary", 1, 0.5, { questions: [{ ...question("chat", 1, 0.5, 0.1), cached: "same" }] });
  const rows = rowsOf({ seconds: 3, load: null, questions: [], steps: [step("answer", 0.5, 2, { parts: [inner] })] }, [], 0);
  assert.deepEqual(rows.map((row) => [row.name, row.depth]), [["answered", 0], ["summed up", 1]]);
  assert.deepEqual(rows[1].parts.map((one) => one.phase), ["cached"]);
});

test("waiting for a person is a row of its own", () => {
  const call = { name: "wipe" };
  const open = rowsSoFar([step("route", 0, 0.1)], [asked(call, 1, 1.5, null)], 0.25);
  assert.deepEqual(open.map((row) => [row.start, row.seconds, row.detail]), [[0.25, 0.1, ""], [1, 0.5, "wipe: waits for you"]]);
  const trace = { seconds: 4, load: null, questions: [], steps: [step("tool", 1, 3)] };
  const done = rowsOf(trace, [asked(call, 1, 3, false)], 0);
  assert.deepEqual(done.map((row) => [row.phase, row.start, row.seconds]), [["waited", 1, 2], ["tool", 3, 1]], "no time is counted twice");
  assert.equal(done[0].detail, "wipe: it was not allowed");
});

test("how long a turn was queued is read off the step that was told at once", () => {
  near(queuedBefore([{ step: step("route", 0.1, 0.2), at: 0.8 }, { step: step("choose", 0.3, 1), at: 4 }]), 0.5);
  assert.equal(queuedBefore([{ step: step("route", 0.1, 0.2), at: 0.2 }]), 0);
});

test("an axis has three to five marks, whatever its length", () => {
  for (const total of [0.0003, 0.0071, 0.42, 1, 1.88, 3.14, 9.99, 61, 599]) {
    const marks = ticks(total);
    assert.ok(marks.length >= 3 && marks.length <= 5, `${total}: ${marks}`);
    assert.ok(marks[0] === 0 && marks.at(-1) <= total * 1.000001);
  }
  assert.deepEqual(ticks(0), []);
});

test("the sections are the whole window, each once", () => {
  const sizes = { window: 4096, room: 1536, answer: 1024, system: 21, tools: 10, memory: 5, older: 0, history: 98, request: 13 };
  const found = sections(sizes, USAGE, 4096);
  assert.equal(found.reduce((sum, one) => sum + one.tokens, 0), 4096);
  assert.ok(!found.some((one) => one.name === "older"), "what is not there is not shown");
  const measured = sections(null, USAGE, 4096);
  assert.deepEqual(measured.map((one) => one.tokens), [257, 40, 4096 - 297]);
  assert.deepEqual(sections(null, null, 100), [{ name: "free", tokens: 100 }]);
});

test("numbers have their units, and no more digits than were measured", () => {
  assert.deepEqual([0, 0.00031, 0.0142, 0.9996, 1.5619, 12.34, 75].map(time), ["< 0.1 ms", "0.3 ms", "14 ms", "1.00 s", "1.56 s", "12.3 s", "75 s"]);
  assert.deepEqual([0.0025, 0.5, 1, 2.5].map(round), ["2.5 ms", "500 ms", "1 s", "2.5 s"]);
  assert.deepEqual([bytes(488258984), bytes(3 * 2 ** 30), count(12345), rate(3.14), rate(46.4)], ["466 MiB", "3.0 GiB", "12,345", "3.1 tokens/s", "46 tokens/s"]);
  assert.deepEqual([counted(1, "token"), counted(2, "token")], ["1 token", "2 tokens"]);
});

test("models are listed once, and counters summed by one label", () => {
  const told = { name: "smol", context: 4096 };
  assert.deepEqual(distinct([{ id: "default", linnet: told }, { id: "smol", linnet: told }]), [{ ...told, ids: ["default", "smol"] }]);
  const text = '# HELP x\nx_total{kind="prompt",model="a{b}"} 3.0\nx_total{kind="prompt",model="c"} 4\nx_total{kind="forced",model="c"} 1\nx_totals{kind="prompt"} 9\n';
  assert.deepEqual(counter(text, "x_total", "kind"), { prompt: 7, forced: 1 });
});
