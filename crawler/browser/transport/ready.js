// ready: is the page what is waited for? Comes after find.js, which looks up selectors.
//
// Arguments  0 selectors  each must match
//            1 asked      whether PREDICATE, an expression that is put in, must be true
//            2 quiet      ms without any load, or null
//            3 watch      property under which watch.js keeps what is being loaded
//            4 pictures   whether images are loaded at all
// Returns    what is missing, as words for people; an empty list: nothing
const [selectors, asked, quiet, watch, pictures] = arguments;
const missing = [];
for (const css of selectors) if (!one(css)) missing.push(css);
if (asked) {
  let met = false;
  try {
    met = PREDICATE;
  } catch {
    // Often because what it looks at is not there yet.
  }
  if (!met) missing.push("the condition");
}
if (quiet !== null) {
  const seen = window[watch] || { busy: 0, last: 0 };
  const entries = performance.getEntriesByType("resource");
  const last = Math.max(seen.last, entries.length ? entries[entries.length - 1].responseEnd : 0);
  const loads = (image) => !image.complete && image.loading !== "lazy";
  const images = pictures && Array.from(document.images).some(loads);
  const loading = document.readyState !== "complete" || seen.busy || images;
  if (loading || performance.now() - last < quiet) missing.push("a quiet network");
}
return missing;
