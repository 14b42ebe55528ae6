// whole: run a function, BODY, and give back its value with U+FFFD for each half of a surrogate
// pair: ChromeDriver cannot hand those out, neither in a value nor in an error.
const wholeText = (text) =>
  text.toWellFormed ? text.toWellFormed() : text.replace(/\p{Surrogate}/gu, "\ufffd");
const whole = (part, depth = 0) => {
  if (typeof part === "string") return wholeText(part);
  if (part === null || typeof part !== "object" || depth > 20) return part;
  if (Array.isArray(part)) return part.map((item) => whole(item, depth + 1));
  if (Object.getPrototypeOf(part) !== Object.prototype) return part;
  const items = Object.entries(part);
  return Object.fromEntries(items.map((item) => whole(item, depth + 1)));
};
const wholeError = (error) => {
  const text = String(error && error.message);
  if (wholeText(text) === text) throw error;
  throw new Error(wholeText(text));
};
try {
  const value = function () {BODY
  }.apply(this, arguments);
  if (value && typeof value.then === "function") return value.then((v) => whole(v), wholeError);
  return whole(value);
} catch (error) {
  wholeError(error);
}
