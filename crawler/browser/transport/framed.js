// framed: the source of this document, with its frames numbered, and the frames.
//
// Arguments  0 mark   attribute that has the number of a frame in the source; the document itself
//                     does not keep it
//            1 whole  whether the source is that of the document, or of its body, as a div
// Returns    html, frames (elements)
const [mark, whole] = arguments;
const roots = [];
const frames = [];
const look = (root) => {
  frames.push(...root.querySelectorAll("iframe, frame"));
  for (const e of root.querySelectorAll("*"))
    if (e.shadowRoot) {
      roots.push(e.shadowRoot);
      look(e.shadowRoot);
    }
};
look(document);
const source = (top) => {
  const shell = top.cloneNode(false).outerHTML;
  const end = shell.lastIndexOf("</");
  return shell.slice(0, end) + top.getHTML({ shadowRoots: roots }) + shell.slice(end);
};
let html = "";
frames.forEach((frame, number) => frame.setAttribute(mark, number));
try {
  const top = whole ? document.documentElement : document.body;
  html = top ? source(top).toWellFormed() : "";
} finally {
  frames.forEach((frame) => frame.removeAttribute(mark));
}
const name = /^<(body|frameset)\b/.exec(html);
if (name && !whole)
  html = "<div" + html.slice(name[0].length, html.lastIndexOf("</")) + "</div>";
return { html, frames };
