// late: wait for content that comes late, and say how it can be waited for.
//
// Arguments  0 seconds  for which it is waited for, at most
//            1 links, 2 text  that the document held when it was read; null: what it holds now
//            3 scroll   whether to scroll to the end, too, and back
// Returns    url; grown (whether there is more); css, a selector of what came, or null; links, how
//            many came; scrolled, how many more came by scrolling
//
// It ends at once where no script is at work.
const [seconds, linksBefore, textBefore, scroll] = arguments;
const MORE_TEXT = 20; // characters more than twice as many: content
const all = (css) => Array.from(document.querySelectorAll(css));
const CONTENT = "h1, h2, h3, a[href], article, li, p, td, span, div";
const links = () => all("a[href]");
const words = () => (document.body ? document.body.innerText.replace(/\s+/g, " ").trim() : "");
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const known = new WeakSet(all("*"));
const had = linksBefore ?? links().length;
const hadText = textBefore ?? words().length;
const before = words();
const FEW = 60; // characters, beside which any new element with text counts
const isContent = (e) => !known.has(e) && e.textContent.trim().length > 2;
const hasGrown = () =>
  links().length > had + (had && Math.max(2, had / 2)) ||
  words().length > 2 * hadText + MORE_TEXT ||
  (hadText < FEW && words() !== before && all("h1, h2, h3, p, li, td, span, div").some(isContent));

const name = (e) => {
  if (/^[a-z][\w-]*$/i.test(e.id) && !/\d{3}/.test(e.id)) return "#" + e.id;
  const word = Array.from(e.classList).find((one) => /^[a-z][a-z-]{2,30}$/.test(one));
  return e.localName + (word ? "." + word : "");
};
// New elements only may match.
const isNew = (css) => {
  try {
    const matches = all(css);
    return matches.length > 0 && !matches.some((e) => known.has(e));
  } catch {
    return false;
  }
};
const selectorOf = (e) => {
  const own = name(e);
  const choices = [own];
  for (let up = e.parentElement; up && up !== document.documentElement; up = up.parentElement)
    if (up.id || up === document.body) choices.push(name(up) + " " + own);
  return choices.find((css) => !/^(?:a|div|span|p|li)$/.test(css) && isNew(css)) || null;
};

return (async () => {
  const end = performance.now() + seconds * 1000;
  const scripts = Array.from(document.scripts);
  const atWork = scripts.some((one) => !/json|importmap|speculationrules|template/i.test(one.type));
  while (atWork && performance.now() < end && !hasGrown()) await pause(50);
  const grown = hasGrown();
  if (grown) await pause(Math.min(200, Math.max(0, end - performance.now())));
  const fresh = grown ? all(CONTENT).filter((e) => !known.has(e)) : [];
  const first = (css) => fresh.find((e) => e.matches(css));
  const came = [first("a[href]"), first("h1, h2"), fresh[0]].filter(Boolean);
  const css = came.map(selectorOf).find(Boolean) || null;
  const now = links().length;
  if (scroll && atWork && document.documentElement.scrollHeight > innerHeight + 50) {
    const top = scrollY;
    for (let n = 0; n < 8 && links().length <= now; n += 1) {
      scrollTo(0, document.documentElement.scrollHeight);
      await pause(100);
    }
    scrollTo(0, top);
  }
  return { url: location.href, grown, css, links: now - had, scrolled: links().length - now };
})();
