// The model list: narrow it, switch, stop. A refusal of the server is shown beside the list.

import { ask } from "./server.js";
import { show } from "./panels.js";
import { byId, element, fileSize, number } from "./words.js";

let models = [];
let now = null;

export function startModels() {
  byId("model-filter").addEventListener("input", draw);
  byId("stop").addEventListener("click", () => {
    byId("stop-text").textContent = now?.slots_busy ? "A reply is being written. Stop the model anyway?" : "Stop the model?";
    byId("stop-question").showModal();
  });
  byId("stop-question").addEventListener("close", () => {
    if (byId("stop-question").returnValue === "stop") wish(ask("/stop", {}));
    byId("stop-question").returnValue = "";
  });
}

export async function loadModels() {
  models = (await ask("/models")).models.sort((one, other) => other.on_disk - one.on_disk);
  draw();
}

export function drawModels(status) {
  const before = [now?.profile, now?.state, Boolean(now?.work)].join();
  now = status;
  byId("stop").disabled = now.state === "stopped" || Boolean(now.work);
  if (before !== [now.profile, now.state, Boolean(now.work)].join()) draw();
}

function draw() {
  const words = byId("model-filter").value.toLowerCase().split(/\s+/);
  const focused = document.activeElement?.dataset?.model;
  const shown = models.filter((model) => words.every((word) =>
    [model.name, ...model.aliases, model.title, model.description].join(" ").toLowerCase().includes(word)));
  byId("model-list").replaceChildren(...(shown.length ? shown.map(row) : [element("li", { class: "quiet" }, "no model matches")]));
  // Drawing again must not move the keyboard focus out of the list.
  if (focused) byId("model-list").querySelector(`[data-model="${CSS.escape(focused)}"]`)?.focus();
}

function row(model) {
  const active = model.name === now?.profile && ["ready", "loading", "starting"].includes(now.state);
  const facts = [fileSize(model.size_bytes), model.context_tokens ? `${number(model.context_tokens)} tokens` : "context chosen to fit",
    model.on_disk ? null : "not downloaded", model.verdict];
  const button = element("button", { type: "button", "data-model": model.name, "aria-disabled": active || now?.work ? "true" : null,
    "aria-label": `${active ? "active:" : "switch to"} ${model.name}` }, active ? "active" : "switch");
  button.addEventListener("click", () => { if (button.getAttribute("aria-disabled") !== "true") choose(model.name); });
  return element("li", {}, element("strong", { class: "name" }, model.name), element("span", { class: "quiet" },
    facts.filter(Boolean).join(", "), element("br"), model.description), button);
}

function choose(name) {
  const path = now && ["stopped", "failed"].includes(now.state) ? "/start" : "/switch";
  wish(ask(path, { model: name, wait: false }));
}

async function wish(answer) {
  show("notice", "");
  try {
    await answer;
  } catch (error) {
    show("notice", error.message);
  }
}
