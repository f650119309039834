// Readable numbers, and small elements of the page.

export const UNKNOWN = "–";

export const number = (value, unit = "", digits = 0) =>
  value === null || value === undefined
    ? UNKNOWN
    : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }) + unit;

export const gib = (bytes) => number(bytes === null || bytes === undefined ? null : bytes / 2 ** 30, "", 1);

/** `17.3 GB`, as in foundation/figures.py. */
export const fileSize = (bytes) => {
  if (bytes === null) return "?";
  for (const [unit, name] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]])
    if (bytes >= unit) return number(bytes / unit, ` ${name}`, 1);
  return `${bytes} bytes`;
};

/** `98%` of 0.98; never rounds up to 100%, which means "all". */
export const percent = (fraction) =>
  fraction === null || fraction === undefined
    ? UNKNOWN
    : `${fraction < 1 ? Math.min(99, Math.round(100 * fraction)) : 100}%`;

export function duration(seconds) {
  const whole = Math.floor(seconds);
  if (whole >= 3600) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return whole >= 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${whole} s`;
}

export const byId = (id) => document.getElementById(id);

/** An element with attributes and children; text is always text, never markup. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A bar with its name above and its figures after it. */
export function meter(name, used, total, figures) {
  const bar = element("progress", { "aria-label": name, max: total || 1, value: used ?? 0 });
  return element("div", { class: "meter" }, element("span", { class: "name" }, name), bar,
    element("span", { class: "figure" }, figures));
}
