// timings: how long the parts of this page took, in ms since its navigation began; also bytes, and
// the number of resources.
const page = performance.getEntriesByType("navigation")[0] || {};
const times = {
  dns: page.domainLookupEnd,
  connect: page.connectEnd,
  tls: page.secureConnectionStart,
  request: page.requestStart,
  first_byte: page.responseStart,
  response: page.responseEnd,
  interactive: page.domInteractive,
  dom: page.domContentLoadedEventEnd,
  load: page.loadEventEnd,
};
for (const paint of performance.getEntriesByType("paint"))
  times[paint.name.replaceAll("-", "_")] = paint.startTime;
const known = {};
for (const name of Object.keys(times))
  if (times[name] > 0) known[name] = Math.round(times[name] * 10) / 10;
const resources = performance.getEntriesByType("resource");
known.resources = resources.length;
known.bytes = resources.reduce(
  (sum, one) => sum + (one.transferSize || 0),
  page.transferSize || 0,
);
return known;
