// Elements out of names and texts. Text goes in as text nodes only: nothing here, or anywhere on the page, parses it.

const DRAWING = "http://www.w3.org/2000/svg";

/** el("p", {class: "note", onclick: f}, "text", otherElement); what is null or false is left out. */
export function el(name, given = {}, ...children) {
  return filled(document.createElement(name), given, children);
}

/** The same for a part of a drawing. */
export function svg(name, given = {}, ...children) {
  return filled(document.createElementNS(DRAWING, name), given, children);
}

/** Puts these in place of all that is in an element. */
export function show(element, ...children) {
  element.replaceChildren(...children.filter(wanted));
  return element;
}

export const by = (id) => document.getElementById(id);

function filled(element, given, children) {
  for (const [name, value] of Object.entries(given)) {
    if (!wanted(value)) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter(wanted));
  return element;
}

function wanted(value) {
  return value !== null && value !== undefined && value !== false;
}
