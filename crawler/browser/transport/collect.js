// collect: what is there? One round trip after each navigation answers everything a run asks of a page, and marks the document.
//
// Arguments  0 mark    property name, drawn at random for the session
//            1 token   number of this navigation; another one in the document's mark means that it was collected for another page
//            2 limit   most links to return
//            3 html    whether to return the source
// Returns    url, title, mime, ready; seen (this document belongs to an earlier navigation), age (ms since its navigation began),
//            origin (when that was: tells one document from the next), type (of the navigation), worker (a service worker answered),
//            status (null: unknown), empty (it has no body), error (Chrome's code, on an error document that has one),
//            timing ([response, dom, load], ms), links (one a line: url TAB rel TAB text;
//            those of open shadow roots, too), html
//
// Pages overwrite and shadow globals (<img name=title> is document.title), so facts are read from the prototypes.
const [mark, token, limit, wantHtml] = arguments;

const read = (name) => {
  try {
    return Object.getOwnPropertyDescriptor(Document.prototype, name).get.call(document);
  } catch {
    return document[name];
  }
};
const text = (value) => (typeof value !== "string" ? "" : value.toWellFormed ? value.toWellFormed() : value);
const line = (value) => text(value).replace(/\s+/g, " ").trim();

let seen = false;
try {
  const before = document[mark];
  seen = before !== undefined && before !== token;
  // On the document, not on window: it is new for every document, and not enumerable, so no page trips over it.
  Object.defineProperty(document, mark, { value: token, writable: true });
} catch {
  // A frozen document: the age tells as well.
}

let age = null;
let origin = null;
let entry = {};
try {
  age = performance.now();
  origin = performance.timeOrigin;
  entry = performance.getEntriesByType("navigation")[0] || {};
} catch {
  // A page that replaced performance: unknown.
}

const links = Object.create(null); // not a Map: pages replace those
let count = 0;
const roots = []; // open shadow roots, outer ones first: what a reader sees is in them, too
const look = (root, all) => {
  const found = all.call(root, "a[href], area[href]");
  for (let i = 0; i < found.length && count < limit; i += 1) {
    const a = found[i];
    if (a.protocol !== "http:" && a.protocol !== "https:") continue; // also drops addresses that cannot be parsed, and SVG's
    const address = a.href;
    const hash = address.indexOf("#");
    const key = (hash < 0 ? address : address.slice(0, hash)) + "\t" + line(a.rel);
    if (links[key] === undefined) count += 1;
    if (!links[key]) links[key] = line(a.textContent).slice(0, 200);
  }
  const elements = all.call(root, "*"); // 0.1 µs an element: there is no cheaper way to see who has a shadow
  for (let i = 0; i < elements.length; i += 1) {
    const inner = elements[i].shadowRoot;
    if (!inner || inner.nodeType !== 11) continue; // a form has what its fields are called
    roots.push(inner);
    look(inner, DocumentFragment.prototype.querySelectorAll);
  }
};
look(document, Document.prototype.querySelectorAll);
let rows = "";
for (const key in links) rows += key + "\t" + links[key] + "\n";

// Shadows are in the source as templates: <template shadowrootmode="open">.
const source = (top) => {
  if (!roots.length || !top.getHTML) return top.outerHTML;
  const shell = top.cloneNode(false).outerHTML;
  const end = shell.lastIndexOf("</");
  return shell.slice(0, end) + top.getHTML({ shadowRoots: roots }) + shell.slice(end);
};

const code = document.querySelector && location.protocol === "chrome-error:" && document.querySelector(".error-code");
return {
  url: location.href,
  title: line(read("title")),
  mime: read("contentType") || null,
  ready: read("readyState"),
  seen,
  age,
  origin,
  type: entry.type || null,
  worker: entry.workerStart > 0,
  status: entry.responseStatus || null,
  empty: entry.responseEnd > 0 && entry.decodedBodySize === 0 && entry.encodedBodySize === 0,
  error: code ? code.textContent : null,
  timing: [entry.responseStart || null, entry.domContentLoadedEventEnd || null, entry.loadEventEnd || null],
  links: rows,
  html: wantHtml ? text(document.documentElement ? source(document.documentElement) : "") : null,
};
