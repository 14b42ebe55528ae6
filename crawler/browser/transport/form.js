// form: make the form that is about to be submitted, in a document of the site that it goes to.
//
// Arguments  0 action (URL), 1 pairs of name and value, 2 name of a property that keeps the form
// Returns    whether this document is one of that site
const [action, pairs, property] = arguments;
const target = new URL(action);
if (location.origin !== target.origin) return false;
// the request tells this address as the one that it comes from
history.replaceState(null, "", target.pathname + target.search);
const form = document.createElement("form");
Object.assign(form, { method: "post", action, acceptCharset: "utf-8" });
for (const [name, value] of pairs) {
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name, value });
  form.append(field);
}
(document.body || document.documentElement).append(form);
window[property] = form;
return true;
