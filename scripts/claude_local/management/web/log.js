// The server's log: a bounded number of lines, a filter, and following.

import { byId, element } from "./words.js";

const LINES_KEPT = 2000;
// Direction marks and other characters that could hide or reverse a text.
const HARMFUL = /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}]/gu;

let lines = [];
let shape = "";  // of the box: a scroll event after a change of shape does not come from the user

export function startLog() {
  byId("log-filter").addEventListener("input", drawAll);
  byId("log-follow").addEventListener("change", follow);
  byId("log").addEventListener("scroll", scrolled);
  new ResizeObserver(follow).observe(byId("log"));
}

// Whether the box has changed since the last call.
function reshaped() {
  const log = byId("log");
  const before = shape;
  shape = [log.clientWidth, log.clientHeight, log.scrollHeight].join();
  return shape !== before;
}

function scrolled() {
  const log = byId("log");
  if (reshaped()) return follow();
  byId("log-follow").checked = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
}

export function replaceLines(all) {
  lines = [];
  byId("log").replaceChildren();
  addLines(all);
}

export function addLines(more) {
  const shown = more.map((line) => line.replace(HARMFUL, "·"));
  lines = [...lines, ...shown].slice(-LINES_KEPT);
  const log = byId("log");
  const following = byId("log-follow").checked;
  log.append(...shown.slice(-LINES_KEPT).filter(wanted).map(row));
  while (log.childElementCount > LINES_KEPT) log.firstElementChild.remove();
  if (following) follow();
}

function drawAll() {
  byId("log").replaceChildren(...lines.filter(wanted).map(row));
  follow();
}

const wanted = (line) => line.toLowerCase().includes(byId("log-filter").value.toLowerCase());

function row(line) {
  const start = line.slice(0, 60);
  return element("div", { class: start.includes(" E ") ? "bad" : start.includes(" W ") ? "warn" : null }, line || " ");
}

function follow() {
  if (!byId("log-follow").checked) return;
  byId("log").scrollTop = byId("log").scrollHeight;
  reshaped();  // recorded: the next scroll event comes from the user
}
