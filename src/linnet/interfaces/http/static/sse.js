// Server-sent events out of pieces of text, which may end anywhere. No browser in here.

/** Yields {id, data} for each whole event: `id` a number or null, `data` its JSON. Comments are passed over. */
export async function* frames(pieces) {
  let rest = "";
  for await (const piece of pieces) {
    const blocks = (rest + piece).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const found = parsed(block);
      if (found) yield found;
    }
  }
}

function parsed(block) {
  let id = null;
  const data = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 1) continue;
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (line.startsWith("id:")) id = Number(value);
    if (line.startsWith("data:")) data.push(value);
  }
  return data.length ? { id, data: JSON.parse(data.join("\n")) } : null;
}
