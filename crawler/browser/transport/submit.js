// submit: submit the form that form.js has made, once.
//
// Arguments  0 name of the property that keeps the form
// Returns    whether it was there: not a second time, and not in the document of the answer
const form = window[arguments[0]];
if (!form) return false;
delete window[arguments[0]];
// a field may be called submit
HTMLFormElement.prototype.submit.call(form);
return true;
