// Talks to the management API that served this page: one stream of events, and requests.

const RETRY_MILLISECONDS = 1000;

// A required token comes after the # of the address, so it never reaches a server's log.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem("token", given);
  history.replaceState(null, "", location.pathname);
}

function headers(more = {}) {
  const token = sessionStorage.getItem("token");
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

/** The JSON answer of a GET, or of a POST if a body is given. Throws an Error with the server's message. */
export async function ask(path, body) {
  const request = body === undefined
    ? { headers: headers() }
    : { method: "POST", headers: headers({ "Content-Type": "application/json" }), body: JSON.stringify(body) };
  const answer = await fetch(path, request);
  if (!answer.ok) throw new Error(await refusal(answer));
  return answer.json();
}

async function refusal(answer) {
  try {
    const { message, hint } = (await answer.json()).error;
    return hint ? `${message} (${hint})` : message;
  } catch {
    return `the server answers with HTTP ${answer.status}`;
  }
}

/** Calls `take(name, data)` for every event, and `lost(reason)` whenever the connection is lost; never ends. */
export async function listen(take, lost) {
  for (;;) {
    try {
      const answer = await fetch("/events", { headers: headers() });
      if (!answer.ok) throw new Error(await refusal(answer));
      await readEvents(answer.body, take);
      lost("the server closed the connection");
    } catch (error) {
      lost(error instanceof TypeError ? "the server does not answer" : error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
  }
}

async function readEvents(stream, take) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const found = /^event: (\w+)\ndata: (.*)$/s.exec(event);
      if (found) take(found[1], JSON.parse(found[2]));
    }
  }
}
