// watch: keep in mind what a page is loading. Runs in each new document, before the page's scripts.
//
// NAME       property in which it is kept, drawn at random for the session: {busy: requests of
//            scripts under way, last: ms, end of the last load}. Not seen: WebSockets, beacons,
//            workers, frames, and a body that still comes after its headers.
(() => {
  const state = { busy: 0, last: 0 };
  Object.defineProperty(window, NAME, { value: state });
  const now = performance.now.bind(performance);
  const begin = () => {
    state.busy += 1;
    let over = false;
    return () => {
      if (over) return;
      over = true;
      state.busy -= 1;
      state.last = now();
    };
  };
  const plain = window.fetch;
  if (plain)
    window.fetch = function fetch(...args) {
      const end = begin();
      const answer = plain.apply(this, args);
      answer.then(end, end);
      return answer;
    };
  const send = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function (...args) {
    const end = begin();
    this.addEventListener("loadend", end);
    try {
      return send.apply(this, args);
    } catch (error) {
      end();
      throw error;
    }
  };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) state.last = Math.max(state.last, entry.responseEnd);
  }).observe({ type: "resource", buffered: true });
})();
