// Sends this many generated seconds of status and log through the page's own modules; returns the sizes afterwards.
async ([start, count]) => {
  const { drawCharts, remember } = await import("/charts.js");
  const { drawStatus } = await import("/panels.js");
  const { addLines } = await import("/log.js");
  const status = await (await fetch("/status")).json();
  let points = 0;
  for (let second = start; second < start + count; second += 1) {
    status.slot_uses = [{ context_tokens: 1000, used_tokens: second % 1000, busy: true }];
    points = remember(status, 2000000000 + second);
    addLines([`line ${second}`, `another ${second}`]);
    if (second % 20 === 0) { drawStatus(status); drawCharts(status); }
  }
  return { points, elements: document.querySelectorAll("#log *").length };
}
