// find: elements by CSS selectors. This comes before the body of a function, which then has ``one``
// and ``all``.
//
// Selectors are asked of the document; only if nothing matches there, of its open shadow roots.
const shadows = function* (root) {
  for (const e of root.querySelectorAll("*"))
    if (e.shadowRoot) {
      yield e.shadowRoot;
      yield* shadows(e.shadowRoot);
    }
};
const one = (css) => {
  let match = document.querySelector(css);
  if (!match) for (const root of shadows(document)) if ((match = root.querySelector(css))) break;
  return match;
};
const all = (css) => {
  const matches = Array.from(document.querySelectorAll(css));
  if (!matches.length)
    for (const root of shadows(document)) matches.push(...root.querySelectorAll(css));
  return matches;
};
