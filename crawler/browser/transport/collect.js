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
//            6 follow  whether the documents in frames are links, too
//            7 leaves  whether Chrome has said that the document declares a refresh
// Returns    url, title, mime, ready
//            seen      this document belongs to an earlier navigation
//            age       ms since its navigation began
//            origin    when that was: tells one document from the next
//            type      of the navigation
//            worker    a service worker answered
//            named     its window has a name, which the next page would find, whatever its site
//            status    null: unknown
//            empty     it has no body
//            error     Chrome's code, on an error document that has one
//            silent    it is an error document without a word
//            timing    [response, dom, load], ms
//            links     one a line: url TAB rel TAB text; those of open shadow roots, and of frames
//                      without an address of their own, too
//            thin      null: the document has links or text (1,000 characters, if it declares a
//                      refresh); else how little: text (characters),
//                      links, frames (that are seen), scripts, forms, leads (whether a script may
//                      lead on later), refresh ([seconds, url] of a declared one, or null)
//            html
//
// Pages overwrite and shadow globals (<img name=title> is document.title), so facts are read from
// the prototypes.
const [mark, token, limit, wantHtml, hashes, patience, follow, leaves] = arguments;
const THIN_TEXT = 200; // characters of a document with hardly any text
const INTERSTITIAL_TEXT = 1000; // of one that is only shown until it leads on
const THIN_LINKS = 3;
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
const frames = [];
const isWeb = (address) => /^https?:/i.test(address);
const addLink = (address, rel, words) => {
  const hash = hashes ? -1 : address.indexOf("#");
  const key = (hash < 0 ? address : address.slice(0, hash)) + "\t" + rel;
  if (links[key] === undefined) count += 1;
  if (!links[key]) links[key] = line(words).slice(0, 200);
};
const addLinks = (root, all) => {
  const anchors = all.call(root, "a[href], area[href]");
  for (let i = 0; i < anchors.length && count < limit; i += 1) {
    const a = anchors[i];
    // also drops addresses that cannot be parsed, and SVG's
    if (a.protocol !== "http:" && a.protocol !== "https:") continue;
    const rel = line(a.rel);
    addLink(a.href, /^(?:refresh|i?frame|object)$/.test(rel) ? "" : rel, a.textContent);
  }
  const inner = all.call(root, "iframe, frame, object[data]");
  for (let i = 0; i < inner.length; i += 1) frames.push(inner[i]);
  // 0.1 µs an element: no cheaper way finds those with a shadow
  const elements = all.call(root, "*");
  for (let i = 0; i < elements.length; i += 1) {
    const shadow = elements[i].shadowRoot;
    if (!shadow || shadow.nodeType !== 11) continue; // a form has the names of its fields
    roots.push(shadow);
    addLinks(shadow, DocumentFragment.prototype.querySelectorAll);
  }
};
const find = Document.prototype.querySelectorAll;
addLinks(document, find);
const anchors = limit ? count : find.call(document, "a[href], area[href]").length;

// Documents in frames are pages of their own. One without an address is a part of this document.
for (let i = 0; i < frames.length && i < 1000 && follow; i += 1) {
  const frame = frames[i];
  const kind = frame.localName;
  let inner = null; // of the same origin: others cannot be seen from here
  let address = "";
  try {
    inner = frame.contentDocument;
    address = inner.location.href;
  } catch {
    // Of another origin, or nothing.
  }
  if (kind === "object" && !(inner && /html/.test(inner.contentType))) continue;
  if (!isWeb(address)) address = kind === "object" ? frame.data : frame.src;
  if (isWeb(address)) {
    if (count < limit) addLink(address, kind, frame.title || frame.name || "");
  } else if (inner) {
    addLinks(inner, find);
  }
}

// A refresh as HTML reads it: "2;URL='x'", "5, url=x", "3"; the soonest counts.
let refresh = null;
const metas = patience ? find.call(document, "meta[http-equiv=refresh i]") : [];
for (let i = 0; i < metas.length; i += 1) {
  const form = /^\s*(\d+|(?=\.))[\d.]*(?:\s*[;,\s]\s*(?:url\s*=\s*)?(.*))?$/is;
  const found = form.exec(metas[i].getAttribute("content"));
  const seconds = found ? Number(found[1]) : 0;
  if (!found || (refresh && seconds >= refresh[0])) continue;
  const target = (found[2] || "").trim();
  const quoted = /^(["'])(.*?)(?:\1|$)/s.exec(target);
  try {
    const to = new URL(quoted ? quoted[2] : target || location.href, document.baseURI);
    if (isWeb(to.href)) refresh = [seconds, to.href];
  } catch {
    // It leads nowhere.
  }
}
if (refresh && refresh[0] > patience) refresh = null;
const here = (address) => address.replace(/#.*/s, "");
if (refresh && limit && here(refresh[1]) !== here(location.href))
  addLink(refresh[1], "refresh", "");

const isJson = (one) => /json|importmap|speculationrules|template/i.test(one.type);
const NAVIGATES = [
  /\blocation["']?\]?(?:\.href)?\s*=[^=]/,
  /\blocation["']?\]?\.(?:replace|assign|reload)\s*\(/,
  /\.(?:submit|requestSubmit|click)\s*\(/,
  /\bnavigation\.navigate\s*\(|\bhistory\.(?:go|back|forward)\s*\(/,
];
const navigates = (code) => NAVIGATES.some((form) => form.test(code));
const WAITS =
  /setTimeout|setInterval|AnimationFrame|addEventListener|onload|ready|\.then\s*\(|\bawait\b/;
const leadsOn = (scripts) => {
  const body = read("body");
  const code = [(body && body.getAttribute && body.getAttribute("onload")) || ""];
  if (navigates(code[0])) return true;
  for (const one of scripts) if (!one.src) code.push(String(one.text).slice(0, 100000));
  return code.some((part) => navigates(part) && WAITS.test(part));
};
const UNSEEN = /^(?:script|style|noscript|template|noframes|iframe|object|textarea|select)$/;
const most = refresh || leaves ? INTERSTITIAL_TEXT : anchors > THIN_LINKS ? 0 : THIN_TEXT;
const textOf = (root) => {
  const walker = Document.prototype.createTreeWalker.call(document, root, 4);
  let length = 0;
  while (length < most && walker.nextNode()) {
    const words = line(walker.currentNode.data);
    const parent = walker.currentNode.parentElement;
    if (!words || (parent && UNSEEN.test(parent.localName))) continue;
    if (parent && !parent.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
      continue;
    length += words.length + 1;
  }
  return length;
};
let thin = null;
try {
  const body = read("body");
  let length = most && body ? textOf(body) : 0;
  for (let i = 0; i < roots.length && length < most; i += 1) length += textOf(roots[i]);
  if (length < most) {
    const scripts = Array.from(read("scripts")).filter((one) => !isJson(one));
    const seen = (one) =>
      one.localName === "frame" || (one.offsetWidth > 100 && one.offsetHeight > 100);
    thin = {
      text: length,
      links: anchors,
      frames: frames.filter(seen).length,
      scripts: scripts.length,
      forms: find.call(document, "form").length,
      leads: leadsOn(scripts),
      refresh,
    };
  }
} catch {
  // A page that replaced what this stands on.
}
let rows = "";
for (const key in links) rows += key + "\t" + links[key] + "\n";

SHADOWS;

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
  named: Boolean(window.name),
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
  thin,
  html: wantHtml ? text(source(document.documentElement)).slice(0, limitHtml) : null,
};
