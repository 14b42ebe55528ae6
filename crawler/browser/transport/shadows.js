// shadows: the source of an element, for scripts that have the open shadow roots in it as ``roots``.
// Shadows are in the source as templates: <template shadowrootmode="open">.
const source = (top) => {
  if (!top) return "";
  if (!roots.length || !top.getHTML) return top.outerHTML;
  const shell = top.cloneNode(false).outerHTML;
  const end = shell.lastIndexOf("</");
  return shell.slice(0, end) + top.getHTML({ shadowRoots: roots }) + shell.slice(end);
};
