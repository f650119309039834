// Lines to copy that connect a client to the model.

import { byId, element } from "./words.js";

let drawn = "";

export function drawConnect(now) {
  const key = now.api_key_file;
  const wanted = JSON.stringify([now.base_url, key, now.command]);
  if (wanted === drawn) return;
  drawn = wanted;
  const base = now.base_url ?? "http://127.0.0.1:8080";
  const secret = key ? `"$(cat ${quoted(key)})"` : "local";
  byId("connect").replaceChildren(
    ...line("Claude Code", now.command ? quoted(now.command) : "claude-local"),
    ...line("Anthropic clients", `export ANTHROPIC_BASE_URL=${base} ANTHROPIC_AUTH_TOKEN=${secret} ANTHROPIC_MODEL=local-llama`),
    ...line("OpenAI clients", `export OPENAI_BASE_URL=${base}/v1 OPENAI_API_KEY=${secret}  # model: local-llama`),
    ...line("curl", `curl ${base}/v1/messages -H "Authorization: Bearer ${key ? `$(cat ${quoted(key)})` : "local"}" -H 'Content-Type: application/json' -d '{"model":"local-llama","max_tokens":100,"messages":[{"role":"user","content":"hello"}]}'`),
    ...line("switch the model", `curl -X POST ${location.origin}/switch -H 'Content-Type: application/json' -d '{"model":"${now.profile ?? "NAME"}"}'`),
  );
}

const quoted = (text) => /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

function line(title, text) {
  const button = element("button", { type: "button", "aria-label": `copy the line for ${title}` }, "copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    byId("announcement").textContent = `copied: ${title}`;
    button.textContent = "copied";
  });
  return [element("div", { class: "copy" }, element("span", {}, title), button), element("pre", {}, text)];
}
