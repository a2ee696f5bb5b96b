// The admin API, as it is asked by every client; and what of it goes on.

const meta = (name) => document.querySelector(`meta[name="attacca-${name}"]`).content;

// A page that is loaded again has its key from its own entry of the tab's history, which no other page can look into:
// for the server it cannot be told from one that another page has opened, and so gets none.
export const page = { state: meta("state"), key: meta("key"), hasSession: meta("session") === "yes" };
if (page.state === "typed" && typeof history.state?.attacca === "string") Object.assign(page, { state: "", key: history.state.attacca });

export const keep = () => history.replaceState({ attacca: page.key }, "");

export class Refused extends Error {
  constructor(status, code, message, hint) {
    super(message);
    Object.assign(this, { status, code, hint });
  }
}

export async function fetched(path, options = {}) {
  const headers = { "x-attacca-page": page.key, ...options.headers };
  let answer;
  try {
    answer = await fetch("/ui" + path, { ...options, headers, redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "gone", "The server does not answer.", "This page goes on by itself when it is back.");
  }
  return answer;
}

export async function api(path, options = {}) {
  const answer = await fetched("/api" + path, options);
  if (!answer.ok) throw await refusal(answer);
  return answer.status === 204 ? null : answer.json();
}

export const post = (path, value) => api(path, { method: "POST", body: JSON.stringify(value), headers: { "content-type": "application/json" } });
export const remove = (path) => api(path, { method: "DELETE" });
export const named = encodeURIComponent;

async function refusal(answer) {
  let said = {};
  try { said = (await answer.json()).error; } catch { /* it was no JSON */ }
  const error = new Refused(answer.status, said.code || String(answer.status), said.message || answer.statusText, said.try || "");
  if ((error.code === "unauthorized" || error.code === "forbidden") && page.state === "") document.dispatchEvent(new CustomEvent("refused", { detail: error }));
  return error;
}

// Lines, as they come, until the signal says stop. Who cannot follow lets the server wait.
export async function* lines(path, signal) {
  const answer = await fetched("/api" + path, { signal });
  if (!answer.ok) throw await refusal(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const one of parts) yield one;
  }
}

// A browser has six connections to a server: had streams them all, whatever else its pages ask would wait. So all of
// its pages together have as many streams as this, and those that have none ask from time to time.
const STREAMS = 3, ASKED_S = 5;

// What ends the stream; null: there are enough.
async function allowed() {
  for (let number = 0; number < STREAMS; number += 1) {
    const end = await new Promise((resolve) => {
      navigator.locks.request(`attacca stream ${number}`, { ifAvailable: true }, (lock) => (lock ? new Promise(resolve) : resolve(null))).catch(() => resolve(null));
    });
    if (end) return end;
  }
  return null;
}

const seen = () => document.hidden && new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));

function pause(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

// Works while the page is looked at, and with a stream of its own where there is one to be had.
async function looked(work, signal) {
  await seen();
  const end = await allowed(), stop = new AbortController();
  const hidden = () => { if (document.hidden) stop.abort(); };
  const over = () => stop.abort();
  document.addEventListener("visibilitychange", hidden);
  signal?.addEventListener("abort", over);
  try {
    if (!signal?.aborted) await work(end !== null, stop.signal);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  } finally {
    document.removeEventListener("visibilitychange", hidden);
    signal?.removeEventListener("abort", over);
    end?.();
  }
  return end !== null;
}

// Lines of a log from so many seconds back on, each told once, until the signal says stop. Whoever forbids it, or knows
// of no such log, is not asked again.
export async function tail(path, seconds, tell, signal) {
  let from = performance.now() - seconds * 1000, last = 0;
  while (!signal.aborted) {
    const before = last, since = Math.ceil((performance.now() - from) / 1000);
    try {
      const isStreamed = await looked(async (isStream, stop) => {
        from = performance.now();
        for await (const line of lines(`${path}?since=${since}${isStream ? "&follow=true" : ""}`, stop)) {
          from = performance.now();
          if (!line) continue;
          const told = JSON.parse(line);
          if (told.at <= before) continue;
          last = Math.max(last, told.at);
          tell(told);
        }
      }, signal);
      await pause(isStreamed && !document.hidden ? 1 : ASKED_S, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error.status >= 400 && error.status < 500) throw error;
      await pause(ASKED_S, signal);
    }
  }
}

// What all planes do: told whole at first, then as it changes. One stream serves whatever page is open.
export const now = { state: null, isHere: false, listeners: new Set() };

export function watch(listener, signal) {
  now.listeners.add(listener);
  signal.addEventListener("abort", () => now.listeners.delete(listener));
  if (now.state) listener(now.state);
}

export async function follow() {
  for (let wait = 0.5; ; wait = Math.min(wait * 2, 10)) {
    try {
      const isStreamed = await looked(async (isStream, stop) => {
        if (!isStream) return compare(await api("/overview", { signal: stop }));
        let name = "";
        for await (const line of lines("/events", stop)) {
          if (line.startsWith("event: ")) name = line.slice(7);
          if (line.startsWith("data: ")) take(name, JSON.parse(line.slice(6)));
          wait = 0.5;
        }
        return undefined;
      });
      if (document.hidden) continue;
      if (!isStreamed) { wait = 0.5; await pause(ASKED_S); continue; }
    } catch (error) {
      if (error.status === 401 || error.status === 403) return;
      if (error.code === "overloaded" && await asked()) { wait = 0.5; await pause(ASKED_S); continue; } // by as many as may follow
    }
    here(false);
    await pause(wait);
  }
}

async function asked() {
  try { compare(await api("/overview")); return true; } catch { return false; }
}

// What was asked for whole is told as what has changed.
function compare(told) {
  if (!now.state) return take("overview", told);
  const known = now.state.functions, names = new Set(told.functions.map((one) => one.function));
  const functions = told.functions.filter((one) => JSON.stringify(known.get(one.function)) !== JSON.stringify(one));
  return take("change", { ...told, functions, gone: [...known.keys()].filter((name) => !names.has(name)) });
}

function here(isHere) {
  if (now.isHere === isHere) return;
  now.isHere = isHere;
  document.dispatchEvent(new CustomEvent("here", { detail: isHere }));
}

function take(name, told) {
  if (name === "overview") {
    now.state = { ...told, functions: new Map(told.functions.map((one) => [one.function, one])), changed: null };
  } else {
    const known = now.state;
    for (const one of told.functions || []) known.functions.set(one.function, one);
    for (const one of told.gone || []) known.functions.delete(one);
    for (const key of ["workers", "gateways", "waiting", "running"]) if (key in told) known[key] = told[key];
    known.changed = new Set((told.functions || []).map((one) => one.function));
  }
  here(true);
  for (const listener of [...now.listeners]) listener(now.state);
}

// Does it at once, then again that long after it is done, until the signal says stop; not while nobody looks.
export async function repeat(seconds, work, signal, failed) {
  while (!signal.aborted) {
    if (!document.hidden) {
      try { await work(); } catch (error) { if (!signal.aborted && error.name !== "AbortError") failed?.(error); }
    }
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, seconds * 1000);
      signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
    });
  }
}
