// What the browser keeps for this page. Where it may keep nothing, what is put there lasts as long as the page.

const lasting = new Map();

/** `storage` is "localStorage" or "sessionStorage"; "" for what is not there. */
export function recall(storage, place) {
  try {
    return window[storage].getItem(place) ?? lasting.get(place) ?? "";
  } catch {
    return lasting.get(place) ?? "";
  }
}

/** "" forgets it. */
export function keep(storage, place, value) {
  lasting.set(place, value);
  try {
    if (value) window[storage].setItem(place, value);
    else window[storage].removeItem(place);
  } catch {
    // forbidden, or too much
  }
}
