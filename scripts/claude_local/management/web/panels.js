// Draws a status: the model, its last requests, the switch, cards, system. Names are those of GET /status.

import { byId, duration, element, gib, meter, number, percent } from "./words.js";

const PHASES = ["waiting", "stopping", "starting", "verifying"];

export function drawStatus(now) {
  byId("state").textContent = [now.state, now.profile].filter(Boolean).join("  ");
  byId("state").dataset.state = now.state;
  document.title = [now.profile, now.state, "claude-local"].filter(Boolean).join(" · ");
  show("reason", now.reason);
  drawWork(now);
  byId("facts").replaceChildren(...facts(now).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  byId("slots").replaceChildren(...now.slot_uses.map((slot, index) =>
    meter(`context of slot ${index}${slot.busy ? ", busy" : ""}`, slot.used_tokens, slot.context_tokens,
      `${number(slot.used_tokens)} of ${number(slot.context_tokens)} tokens`)));
  drawTurns(now.turns);
  byId("gpus").replaceChildren(...cards(now.cards));
  byId("system").replaceChildren(...system(now.system ?? {}));
}

export function show(id, text) {
  byId(id).hidden = !text;
  if (byId(id).textContent !== (text ?? "")) byId(id).textContent = text ?? "";
}

function drawWork(now) {
  byId("work").hidden = !now.work && now.state !== "loading";
  const since = now.work ? `, ${duration(Math.max(0, Date.now() / 1000 - now.work.since))}` : "";
  byId("work-text").textContent = (now.work?.purpose ?? "loading") + since;
  const phase = now.work?.phase;
  const phases = PHASES.includes(phase) ? PHASES : phase ? [phase] : [];
  byId("phases").replaceChildren(...phases.map((name) => element("li", { "aria-current": name === phase ? "step" : null }, name)));
  const progress = byId("work-progress");
  if (now.load_fraction === null) progress.removeAttribute("value");
  else progress.value = now.load_fraction;
}

function facts(now) {
  const last = now.turns.at(-1);
  const rows = [];
  if (now.state === "stopped" && !now.work) rows.push(["", "no model is running: start one below"]);
  if (now.model_file) rows.push(["file", now.model_file]);
  if (now.loaded_profile && now.loaded_profile !== now.profile) rows.push(["in memory", now.loaded_profile]);
  if (now.engine) rows.push(["engine", [now.engine, now.build].filter(Boolean).join(" ")]);
  if (now.uptime_seconds !== null) rows.push(["up", duration(now.uptime_seconds)]);
  if (now.state === "ready") {
    const prompt = now.prompt_tokens_per_second ?? last?.prompt_tokens_per_second;
    const answer = now.generation_tokens_per_second ?? last?.generation_tokens_per_second;
    rows.push(["speed", `prompt ${number(prompt)}, answer ${number(answer, "", 1)} tokens/s`]);
    rows.push(["queue", `${number(now.slots_busy)} of ${number(now.slots)} busy, ${number(now.requests_waiting)} waiting`]);
    rows.push(["reused", `${percent(now.cache_hit_fraction)} of all prompts since loading`]);
  }
  if (now.last_switch) rows.push(["last switch", lastSwitch(now.last_switch)]);
  return rows;
}

function lastSwitch(last) {
  const way = last.from_profile ? `${last.from_profile} → ${last.to_profile}` : last.to_profile;
  return `${way} in ${number(last.seconds, " s", 1)}: ${last.outcome}${last.reason ? ` (${last.reason})` : ""}`;
}

function drawTurns(turns) {
  byId("turns").hidden = !turns.length;
  byId("turns").tBodies[0].replaceChildren(...[...turns].reverse().map((turn) => element("tr", {},
    element("td", { class: turn.reason ? "warn" : null }, percent(turn.cached_tokens / turn.prompt_tokens)),
    element("td", {}, number(turn.prompt_tokens)),
    element("td", {}, number(turn.answer_tokens)),
    element("td", {}, number(turn.generation_tokens_per_second, "", 1)),
    element("td", {}, turn.reason ?? ""))));
}

function cards(reading) {
  if (!reading) return [element("p", { class: "quiet" }, "not measured yet")];
  if (!reading.gpus.length) return [element("p", { class: "quiet" }, reading.problem ?? "none")];
  return reading.gpus.map((gpu) => {
    const name = `${gpu.index} ${gpu.name ?? "unnamed card"}`;
    if (gpu.problem) return element("p", {}, name, " ", element("span", { class: "reason" }, gpu.problem));
    return element("div", {},
      meter(`${name}: memory`, gpu.memory_used_bytes, gpu.memory_total_bytes,
        `${gib(gpu.memory_used_bytes)} of ${gib(gpu.memory_total_bytes)} GiB`),
      element("p", { class: "figure quiet" },
        `${number(gpu.utilization_percent, " %")} busy, ${number(gpu.temperature_celsius, " °C")}, ` +
        `${number(gpu.power_watts)} of ${number(gpu.power_limit_watts, " W")}, ` +
        `${number(gpu.graphics_clock_mhz)} and ${number(gpu.memory_clock_mhz, " MHz")}`));
  });
}

function system(sample) {
  const swap = sample.swap_total_bytes === 0 ? "no swap" : `swap ${gib(sample.swap_used_bytes)} of ${gib(sample.swap_total_bytes)} GiB`;
  return [
    meter("CPU", sample.cpu_percent, 100, `${number(sample.cpu_percent, " %")}, load ${number(sample.load_1_minute, "", 2)}`),
    meter("memory", sample.memory_used_bytes, sample.memory_total_bytes,
      `${gib(sample.memory_used_bytes)} of ${gib(sample.memory_total_bytes)} GiB, ${swap}`),
    element("p", { class: "figure quiet" },
      `the server: ${number(sample.container_cpu_percent, " %")} of a core, ${gib(sample.container_memory_bytes)} GiB`),
  ];
}

/** The announcement for screen readers when `now` follows `before`; "" if nothing relevant changed. */
export function announcement(before, now) {
  const relevant = (status) => [status?.state, status?.profile, status?.work?.phase, status?.reason].join();
  if (relevant(before) === relevant(now)) return "";
  const step = now.work?.phase ? `: ${now.work.purpose}, ${now.work.phase}` : "";
  return `${now.profile ?? "the model"} is ${now.state}${step}${now.reason ? `: ${now.reason}` : ""}`;
}
