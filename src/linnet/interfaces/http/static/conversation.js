// The turns of one conversation: asked one after the other, watched, cancelled, asked again. Which runs they are is
// kept in this tab, so that a page that is loaded anew shows them again: the server tells its runs from the beginning.

import { keep, recall } from "./store.js";
import { Turn } from "./turn.js";

const PLACE = "linnet.talk";

/** Messages that go along with a request at most (the server takes 2,048); it decides how many the model hears. */
const MOST = 2000;

export class Conversation {
  #api;
  #place;
  #changed;
  #turns = [];

  /** Turns appear in `place`; `changed(what, turn)` is told "began", "waits", "ended". */
  constructor(api, place, changed) {
    [this.#api, this.#place, this.#changed] = [api, place, changed];
  }

  get last() {
    return this.#turns.at(-1) ?? null;
  }

  get busy() {
    return this.#turns.some((turn) => !turn.over);
  }

  async ask(text) {
    const before = this.#turns.flatMap((turn) => turn.history);
    const turn = this.#add(text);
    turn.unsaid = Math.max(0, before.length - MOST);
    const history = before.slice(turn.unsaid);
    try {
      const run = await this.#api.post("/v1/agent/runs", { text, history });
      turn.id = run.id;
      this.#remember();
      if (turn.unwanted) await this.#end(turn);
      await this.#follow(turn);
    } catch (error) {
      turn.failed(error);
    }
    this.#changed("ended", turn);
  }

  /** The last request once more, in place of what came of it. */
  again() {
    if (this.busy || !this.last) return;
    const turn = this.#turns.pop();
    turn.element.remove();
    this.ask(turn.text);
  }

  cancel() {
    for (const turn of this.#turns.filter((one) => !one.over)) this.#end(turn);
  }

  clear() {
    this.cancel();
    this.#turns = [];
    this.#place.replaceChildren();
    this.#remember();
  }

  /** What this tab had before, as far as the server has not forgotten it. */
  async restore() {
    const turns = remembered().map(({ text, id }) => Object.assign(this.#add(text), { id }));
    for (const turn of turns) {
      await this.#follow(turn).catch((error) => this.#lose(turn, error));
      this.#changed("ended", turn);
    }
    this.#remember();
  }

  #lose(turn, error) {
    turn.failed(error);
    if (error.code !== "not_there") return;
    this.#turns = this.#turns.filter((other) => other !== turn);
    turn.element.remove();
  }

  #add(text) {
    this.last?.fold(false);
    const turn = new Turn(text, {
      decide: (number, approve) => this.#decide(turn, number, approve),
      again: () => this.again(),
    });
    this.#turns.push(turn);
    this.#place.append(turn.element);
    this.#changed("began", turn);
    return turn;
  }

  async #follow(turn) {
    for await (const event of this.#api.events(turn.id, (gone) => turn.lost(gone))) {
      turn.take(event);
      if (event.type === "approval") this.#changed("waits", turn);
    }
  }

  /** It may have no id yet: then it is ended once it has one. */
  async #end(turn) {
    turn.unwanted = true;
    if (turn.id) await this.#api.post(`/v1/agent/runs/${turn.id}/cancel`).catch(() => {});
  }

  #decide(turn, number, approve) {
    return this.#api.post(`/v1/agent/runs/${turn.id}/decision`, { number, approve });
  }

  #remember() {
    const kept = this.#turns.filter((turn) => turn.id).map(({ text, id }) => ({ text, id }));
    keep("sessionStorage", PLACE, kept.length ? JSON.stringify(kept) : "");
  }
}

function remembered() {
  try {
    const kept = JSON.parse(recall("sessionStorage", PLACE) || "[]");
    return kept.filter(({ text, id }) => typeof text === "string" && /^run_[0-9a-f]+$/.test(id));
  } catch {
    return [];
  }
}
