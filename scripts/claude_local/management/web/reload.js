// Loads the page again if one of its scripts did not arrive, for instance because the server was just starting.
// A plain script: a module would be among the scripts that may be missing.

const RELOAD_MILLISECONDS = 1000;

addEventListener("error", (event) => {
  if (event.target instanceof HTMLScriptElement) setTimeout(() => location.reload(), RELOAD_MILLISECONDS);
}, true);
