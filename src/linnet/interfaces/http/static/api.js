// The server's API as this page uses it: JSON, a run's events, one key. A connection that breaks is taken up again.

import { frames } from "./sse.js";

const TRIES = 5;

/** What went wrong, as the server tells it: `code`, `hint`, `retryable` beside the message. */
export class Fault extends Error {
  constructor(told, status = 0) {
    super(told.message);
    Object.assign(this, { code: told.code, hint: told.hint ?? "", retryable: Boolean(told.retryable), status });
  }
}

const silent = () => new Fault({ code: "no_answer", message: "The server does not answer.", retryable: true });

export class Api {
  #keyring;

  /** `keyring.key` is sent with each request; `keyring.ask()` gets another where it is not the right one. */
  constructor(keyring) {
    this.#keyring = keyring;
  }

  get(path) {
    return this.#json(path);
  }

  post(path, body = {}) {
    return this.#json(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  }

  async text(path) {
    return (await this.#sent(path)).text();
  }

  /** The events of a run from its first one to its end. `lost(true)` is called when the connection has broken, and
   * `lost(false)` when it is there again. */
  async *events(id, lost = () => {}) {
    let last = -1;
    for (let tries = 0, over = false; !over; tries += 1) {
      try {
        const headers = last < 0 ? {} : { "Last-Event-ID": String(last) };
        const response = await this.#sent(`/v1/agent/runs/${id}/events`, { headers });
        if (tries) lost(false);
        for await (const frame of frames(pieces(response))) {
          if (frame.id !== null) [last, tries] = [frame.id, 0];
          over = ["done", "error"].includes(frame.data.type);
          yield frame.data;
        }
        if (!over) throw silent();
      } catch (error) {
        if (error.code !== "no_answer" || tries >= TRIES) throw error;
        lost(true);
        await new Promise((wake) => setTimeout(wake, 250 * 2 ** tries));
      }
    }
  }

  async #json(path, options) {
    return (await this.#sent(path, options)).json();
  }

  async #sent(path, options = {}) {
    for (;;) {
      const key = this.#keyring.key;
      const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
      const response = await fetch(path, { ...options, headers, cache: "no-store" }).catch(() => Promise.reject(silent()));
      if (response.ok) return response;
      if (response.status !== 401) throw await fault(response);
      await this.#keyring.ask(key);
    }
  }
}

async function fault(response) {
  const told = await response.json().catch(() => ({}));
  const error = told.error ?? { code: "unexpected", message: `The server answered with ${response.status}.` };
  return new Fault(error, response.status);
}

async function* pieces(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => Promise.reject(silent()));
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
