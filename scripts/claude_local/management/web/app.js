// The page: receives the server's events and draws them.

import { drawCharts, makeCharts, remember } from "./charts.js";
import { drawConnect } from "./connect.js";
import { addLines, replaceLines, startLog } from "./log.js";
import { drawModels, loadModels, startModels } from "./models.js";
import { announcement, drawStatus, show } from "./panels.js";
import { listen } from "./server.js";
import { byId } from "./words.js";

let now = null;

function takeStatus(status) {
  const text = announcement(now, status);
  now = status;
  if (text) byId("announcement").textContent = text;
  byId("link").textContent = "";
  remember(status);
  if (!document.hidden) draw();
}

function draw() {
  if (!now) return;
  drawStatus(now);
  drawModels(now);
  drawCharts(now);
  drawConnect(now);
}

function take(name, data) {
  if (name === "state" || name === "sample") takeStatus(data);
  if (name === "state") loadModels().catch((error) => show("notice", error.message));
  if (name === "log_tail") replaceLines(data.lines);
  if (name === "log") addLines(data.lines);
}

makeCharts();
startLog();
startModels();
document.addEventListener("visibilitychange", draw);
listen(take, (reason) => { byId("link").textContent = `○ ${reason}, trying again`; });
