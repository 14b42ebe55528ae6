// collect: describe the document. One round trip after each navigation answers all that a run
// asks of a page, and marks the document.
//
// Arguments  0 mark    property name, drawn at random for the session
//            1 token   number of this navigation; another one in the document's mark means that
//                      the document was collected for another page
//            2 limit   most links to return
//            3 html    whether to return the source; a number: its first characters only
//            4 hashes  whether links keep what follows #
//            5 patience  seconds within which a declared refresh is a link, too
// Returns    url, title, mime, ready
//            seen      this document belongs to an earlier navigation
//            age       ms since its navigation began
//            origin    when that was: tells one document from the next
//            type      of the navigation
//            worker    a service worker answered
//            status    null: unknown
//            empty     it has no body
//            error     Chrome's code, on an error document that has one
//            silent    it is an error document without a word
//            timing    [response, dom, load], ms
//            links     one a line: url TAB rel TAB text; those of open shadow roots, too
//            html
//
// Pages overwrite and shadow globals (<img name=title> is document.title), so facts are read from
// the prototypes.
const [mark, token, limit, wantHtml, hashes, patience] = arguments;
const limitHtml = typeof wantHtml === "number" ? wantHtml : Infinity;

const read = (name) => {
  try {
    return Object.getOwnPropertyDescriptor(Document.prototype, name).get.call(document);
  } catch {
    return document[name];
  }
};
const text = (value) => {
  if (typeof value !== "string") return "";
  return value.toWellFormed ? value.toWellFormed() : value;
};
const line = (value) => text(value).replace(/\s+/g, " ").trim();

let seen = false;
try {
  const before = document[mark];
  seen = before !== undefined && before !== token;
  // On the document, not on window: it is new for every document, and not enumerable, so no page
  // trips over it.
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
const addLinks = (root, all) => {
  const anchors = all.call(root, "a[href], area[href]");
  for (let i = 0; i < anchors.length && count < limit; i += 1) {
    const a = anchors[i];
    // also drops addresses that cannot be parsed, and SVG's
    if (a.protocol !== "http:" && a.protocol !== "https:") continue;
    const address = a.href;
    const hash = hashes ? -1 : address.indexOf("#");
    const key = (hash < 0 ? address : address.slice(0, hash)) + "\t" + line(a.rel);
    if (links[key] === undefined) count += 1;
    if (!links[key]) links[key] = line(a.textContent).slice(0, 200);
  }
  // 0.1 µs an element: no cheaper way finds those with a shadow
  const elements = all.call(root, "*");
  for (let i = 0; i < elements.length; i += 1) {
    const inner = elements[i].shadowRoot;
    if (!inner || inner.nodeType !== 11) continue; // a form has the names of its fields
    roots.push(inner);
    addLinks(inner, DocumentFragment.prototype.querySelectorAll);
  }
};
addLinks(document, Document.prototype.querySelectorAll);
const refresh =
  patience &&
  limit &&
  Document.prototype.querySelector.call(document, "meta[http-equiv=refresh i]");
if (refresh) {
  const form = /^\s*([\d.]+)\s*[;,\s]\s*(?:url\s*=\s*)?(["']?)(.+?)\2\s*$/is;
  try {
    const [, seconds, , target] = form.exec(refresh.getAttribute("content"));
    const to = new URL(target, document.baseURI);
    if (!hashes) to.hash = "";
    const http = to.protocol === "http:" || to.protocol === "https:";
    if (http && parseFloat(seconds) <= patience) links[to.href + "\trefresh"] = "";
  } catch {
    // It leads nowhere, or to this page.
  }
}
let rows = "";
for (const key in links) rows += key + "\t" + links[key] + "\n";

// Shadows are in the source as templates: <template shadowrootmode="open">.
const source = (top) => {
  if (!top) return "";
  if (!roots.length || !top.getHTML) return top.outerHTML;
  const shell = top.cloneNode(false).outerHTML;
  const end = shell.lastIndexOf("</");
  return shell.slice(0, end) + top.getHTML({ shadowRoots: roots }) + shell.slice(end);
};

const failed = location.protocol === "chrome-error:";
const code = failed && document.querySelector && document.querySelector(".error-code");
const body = entry.decodedBodySize || entry.encodedBodySize;
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
  empty: entry.responseEnd > 0 && body === 0,
  error: code ? code.textContent : null,
  silent: failed && !(document.body && document.body.innerText.trim()),
  timing: [
    entry.responseStart || null,
    entry.domContentLoadedEventEnd || null,
    entry.loadEventEnd || null,
  ],
  links: rows,
  html: wantHtml ? text(source(document.documentElement)).slice(0, limitHtml) : null,
};
