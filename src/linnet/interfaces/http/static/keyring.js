// The API key: asked for when the server wants one, kept in this tab, gone with it.

import { by } from "./dom.js";
import { keep, recall } from "./store.js";

const PLACE = "linnet.key";

export class Keyring {
  #asking = null;

  get key() {
    return recall("sessionStorage", PLACE);
  }

  /** Resolves once there is another key than the `refused` one; all who ask meanwhile wait for the same. */
  ask(refused) {
    if (this.key !== refused) return Promise.resolve();
    this.#asking ??= this.#asked(refused !== "").finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  #asked(again) {
    const [dialog, form, field] = [by("key"), by("key-form"), by("key-text")];
    by("key-note").textContent = again ? "That key is not one of this server's." : "";
    field.value = "";
    dialog.showModal();
    field.focus();
    return new Promise((resolve) => {
      const given = (event) => {
        event.preventDefault();
        if (!field.value.trim()) return;
        keep("sessionStorage", PLACE, field.value.trim());
        form.removeEventListener("submit", given);
        field.value = "";
        dialog.close();
        resolve();
      };
      form.addEventListener("submit", given);
      dialog.oncancel = (event) => event.preventDefault(); // without a key there is nothing behind it
    });
  }
}
