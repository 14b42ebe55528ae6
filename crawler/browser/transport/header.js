// header: ask for the headers of this page, and give one of them back.
//
// Arguments  0 name, 1 timeout (ms), 2 credentials (as of fetch), 3 callback
// Returns    the header's value; null if there is none, or it cannot be read
const [name, timeout, credentials, done] = arguments;
fetch(location.href, {
  method: "HEAD",
  cache: "no-store",
  credentials,
  redirect: "manual",
  signal: AbortSignal.timeout(timeout),
})
  .then((response) => done(response.headers.get(name)))
  .catch(() => done(null));
