// Which models this server has, what they take and how fast they are; and what it has done since it started.

import { by, el, show } from "./dom.js";
import { bytes, count, rate } from "./numbers.js";

/** One of each: the same model may be offered by several names. */
export function distinct(list) {
  const found = new Map();
  for (const { id, linnet } of list) {
    const known = found.get(linnet.name) ?? { ...linnet, ids: [] };
    known.ids.push(id);
    found.set(linnet.name, known);
  }
  return [...found.values()];
}

/** Sums of the samples of a counter, by the value of one label. */
export function counter(text, name, label) {
  const sums = {};
  for (const [, labels, value] of text.matchAll(new RegExp(`^${name}\\{(.*)\\} (\\S+)$`, "gm"))) {
    const key = labels.match(new RegExp(`${label}="([^"]*)"`))?.[1] ?? "";
    sums[key] = (sums[key] ?? 0) + Number(value);
  }
  return sums;
}

/** Asks the server anew each time that it is opened. */
export async function showModels(api) {
  const place = by("models-body");
  show(place, el("p", { class: "note" }, "asking the server"));
  by("models").showModal();
  try {
    const [models, props, metrics, health] = await Promise.all([
      api.get("/v1/models"), api.get("/props"), api.text("/metrics"), api.get("/health").catch((error) => error)]);
    show(place, table(distinct(models.data)), since(metrics, props, health));
  } catch (error) {
    show(place, el("p", { class: "fault", role: "alert" }, error.message));
  }
}

function table(models) {
  const head = ["Model", "Context", "Memory", "Speed"].map((name) => el("th", { scope: "col" }, name));
  const rows = models.map((model) =>
    el("tr", {},
      el("th", { scope: "row" }, model.name, el("span", { class: "note" }, model.ids.filter((id) => id !== model.name).join(", "))),
      el("td", {}, `${count(model.context)} tokens`),
      el("td", {}, memory(model)),
      el("td", {}, model.tokens_per_second ? rate(model.tokens_per_second) : "not measured yet")));
  return el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
}

function memory(model) {
  if (model.memory_bytes) return `${bytes(model.memory_bytes)} at most`;
  return model.loaded === false ? "not loaded" : "unknown";
}

function since(metrics, props, health) {
  const kinds = counter(metrics, "linnet_tokens_total", "kind");
  const { prompt = 0, cached = 0, generated = 0, forced = 0 } = kinds;
  const line = health.status === "ok"
    ? `answers; ${count(health.running)} at work, ${count(health.waiting)} waiting, ${count(props.total_slots)} together at most`
    : health.message;
  const facts = {
    Server: props.build_info,
    State: line,
    "Prompt tokens": `${count(prompt)}, ${count(cached)} of them cached`,
    "Said tokens": `${count(generated)}, ${count(forced)} of them forced`,
  };
  return el("dl", { class: "facts" }, Object.entries(facts).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}
