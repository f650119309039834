// Charts of the last 15 minutes, as plain SVG. Memory use is bounded however long the page is open.

import { byId, element, gib, number, percent } from "./words.js";

const SECONDS = 900;
const SHORTEST_SECONDS = 60;  // the span of a chart when the page was just opened
const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 100;
const LINES = 4;

const CHARTS = [
  { title: "answer, tokens/s", values: (now) => [speed(now)], text: (value) => number(value, "", 1) },
  { title: "VRAM, GiB", values: (now) => (now.cards?.gpus ?? []).map((gpu) => gpu.memory_used_bytes), text: gib,
    top: (now) => Math.max(0, ...(now.cards?.gpus ?? []).map((gpu) => gpu.memory_total_bytes ?? 0)) },
  { title: "context used, tokens", values: (now) => [used(now)], text: (value) => number(value),
    top: (now) => now.context_tokens_per_slot },
  { title: "prompt reused", values: (now) => [reused(now)], text: percent, top: () => 1 },
];

// Between two requests the server reports no average; the line falls to zero then.
const speed = (now) => now.slots_busy ? now.generation_tokens_per_second ?? now.turns.at(-1)?.generation_tokens_per_second ?? null : now.state === "ready" ? 0 : null;
const used = (now) => now.slot_uses.length ? Math.max(...now.slot_uses.map((slot) => slot.used_tokens)) : null;
const reused = (now) => now.turns.length ? now.turns.at(-1).cached_tokens / now.turns.at(-1).prompt_tokens : now.cache_hit_fraction;

const points = [];  // {second, values: one list per chart}

export function makeCharts() {
  byId("charts").replaceChildren(...CHARTS.map((chart) => {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "chart");
    svg.setAttribute("viewBox", `0 0 ${SECONDS} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    for (let line = 0; line < LINES; line += 1) {
      const drawn = document.createElementNS(SVG, "polyline");
      drawn.setAttribute("class", `line-${line}`);
      svg.append(drawn);
    }
    return element("figure", {}, element("figcaption", {}, element("span", {}, chart.title), element("span", { class: "figure" })), svg);
  }));
}

/** Keeps at most one point a second, for 15 minutes. Returns their number. */
export function remember(now, second = Math.floor(Date.now() / 1000)) {
  if (points.at(-1)?.second !== second) points.push({ second, values: CHARTS.map((chart) => chart.values(now).slice(0, LINES)) });
  while (points.length > SECONDS || points[0].second < second - SECONDS) points.shift();
  return points.length;
}

export function drawCharts(now) {
  const newest = points.at(-1)?.second ?? 0;
  const span = Math.min(SECONDS, Math.max(SHORTEST_SECONDS, newest - (points[0]?.second ?? 0)));
  [...byId("charts").children].forEach((figure, index) => {
    const chart = CHARTS[index];
    const latest = chart.values(now);
    const highest = Math.max(...points.flatMap((point) => point.values[index].map((value) => value ?? 0)), 0);
    const top = Math.max(chart.top?.(now) ?? 0, highest) || 1;
    const texts = latest.length ? latest.map(chart.text).join(", ") : "none";
    figure.querySelector(".figure").textContent = texts;
    const svg = figure.querySelector("svg");
    svg.setAttribute("aria-label", `${chart.title}: now ${texts}, highest ${chart.text(highest)}`);
    [...svg.children].forEach((line, number) => line.setAttribute("points", points
      .filter((point) => (point.values[index][number] ?? null) !== null)
      .map((point) => `${(SECONDS * (1 - (newest - point.second) / span)).toFixed(1)},${(HEIGHT - 2 - (HEIGHT - 4) * point.values[index][number] / top).toFixed(1)}`)
      .join(" ")));
  });
}
