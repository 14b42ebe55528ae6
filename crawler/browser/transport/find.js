// find: elements by CSS selectors. This comes before the body of a function, which then has ``one``
// and ``all``.
//
// Selectors are asked of the document; only if nothing matches there, of its open shadow roots.
// Where IN_FRAMES is true, documents in its frames, of the same origin, are parts of it.
const inFrames = IN_FRAMES;
const shadows = function* (root) {
  for (const e of root.querySelectorAll("*"))
    if (e.shadowRoot) {
      yield e.shadowRoot;
      yield* shadows(e.shadowRoot);
    }
};
const parts = function* (page) {
  yield page;
  for (const frame of inFrames ? page.querySelectorAll("iframe, frame") : [])
    if (frame.contentDocument) yield* parts(frame.contentDocument);
};
const one = (css) => {
  for (const page of parts(document)) {
    const match = page.querySelector(css);
    if (match) return match;
  }
  for (const page of parts(document))
    for (const root of shadows(page)) {
      const match = root.querySelector(css);
      if (match) return match;
    }
  return null;
};
const all = (css) => {
  const matches = [];
  // one by one: so many arguments as a page may have elements, no call takes
  const take = (found) => {
    for (const e of found) matches.push(e);
  };
  for (const page of parts(document)) take(page.querySelectorAll(css));
  if (!matches.length)
    for (const page of parts(document))
      for (const root of shadows(page)) take(root.querySelectorAll(css));
  return matches;
};
