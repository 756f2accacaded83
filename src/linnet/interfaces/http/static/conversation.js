// The turns of one conversation: asked one after the other, watched, cancelled, asked again. Which runs they are is
// kept in this tab, so that a page that is loaded anew shows them again: the server tells its runs from the beginning.

import { Turn } from "./turn.js";

const PLACE = "linnet.talk";

/** Messages that go along with a request at most; the server decides how many of them the model hears. */
const MOST = 400;

export class Conversation {
  #api;
  #place;
  #changed;
  #turns = [];

  /** Turns appear in `place`; `changed(what)` is told "began", "waits", "ended". */
  constructor(api, place, changed) {
    [this.#api, this.#place, this.#changed] = [api, place, changed];
  }

  get last() {
    return this.#turns.at(-1) ?? null;
  }

  get busy() {
    return this.last !== null && !this.last.over;
  }

  async ask(text) {
    const history = this.#turns.flatMap((turn) => turn.history).slice(-MOST);
    const turn = this.#add(text);
    try {
      const run = await this.#api.post("/v1/agent/runs", { text, history });
      turn.id = run.id;
      this.#remember();
      if (turn.unwanted) await this.cancel();
      await this.#follow(turn);
    } catch (error) {
      turn.failed(error);
    }
    this.#changed("ended");
  }

  /** The last request once more, in place of what came of it. */
  again() {
    if (this.busy || !this.last) return;
    const turn = this.#turns.pop();
    turn.element.remove();
    this.ask(turn.text);
  }

  async cancel() {
    const turn = this.last;
    if (!this.busy) return;
    turn.unwanted = true; // it may have no id yet
    if (turn.id) await this.#api.post(`/v1/agent/runs/${turn.id}/cancel`).catch(() => {});
  }

  clear() {
    this.cancel();
    this.#turns = [];
    this.#place.replaceChildren();
    this.#remember();
  }

  /** What this tab had before; the server has forgotten some of it, perhaps. */
  async restore() {
    for (const { text, id } of remembered()) {
      const turn = this.#add(text);
      turn.id = id;
      try {
        await this.#follow(turn);
      } catch {
        this.#turns = this.#turns.filter((other) => other !== turn);
        turn.element.remove();
        turn.failed({ code: "not_there", message: "forgotten" });
      }
      this.#changed("ended");
    }
    this.#remember();
  }

  #add(text) {
    this.last?.fold(false);
    const turn = new Turn(text, {
      decide: (number, approve) => this.#decide(turn, number, approve),
      again: () => this.again(),
    });
    this.#turns.push(turn);
    this.#place.append(turn.element);
    this.#changed("began");
    return turn;
  }

  async #follow(turn) {
    for await (const event of this.#api.events(turn.id, (gone) => turn.lost(gone))) {
      turn.take(event);
      if (event.type === "approval") this.#changed("waits");
    }
  }

  /** Where the decision came too late, the run's events say what became of the call. */
  #decide(turn, number, approve) {
    this.#api.post(`/v1/agent/runs/${turn.id}/decision`, { number, approve }).catch(() => {});
  }

  #remember() {
    const kept = this.#turns.filter((turn) => turn.id).map(({ text, id }) => ({ text, id }));
    try {
      sessionStorage.setItem(PLACE, JSON.stringify(kept));
    } catch {
      // too much, or forbidden: it is only lost when the page is loaded anew
    }
  }
}

function remembered() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(PLACE) ?? "[]");
    return kept.filter(({ text, id }) => typeof text === "string" && /^run_[0-9a-f]+$/.test(id));
  } catch {
    return [];
  }
}
