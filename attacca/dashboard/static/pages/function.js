// One function: how it does, what it writes, what it is set to, and a form to call it by.

import { api, fetched, named, post, remove, repeat, tail, watch } from "../api.js";
import { bars, latency, starts } from "../charts.js";
import { ask, card, crumb, doing, empty, field, h, problem, say, swap, table, tile, top, visible } from "../dom.js";
import { ago, clock, count, ms, msParts, percent, span, when } from "../format.js";

const LINES_MOST = 1000;
const LOG_S = 600; // so far back the log begins

export async function one(main, name, signal) {
  const path = "/functions/" + named(name);
  const tiles = { rate: tile("Invocations"), p50: tile("p50"), p99: tile("p99"), cold: tile("Cold starts"), running: tile("Running"), failed: tile("Failed") };
  const charts = { starts: starts("Invocations per minute"), latency: latency("Time to answer") };
  const sub = h("span"), sandboxes = h("div"), revisions = h("div"), settings = h("div"), scale = h("div");
  let known = await api(path);
  const fresh = async () => { known = await api(path); describe(); };
  main.append(
    crumb("#/functions", "Functions"),
    top(visible(name), sub,
      doing("Prewarm one", async () => { await post(path + "/prewarm", { count: 1 }); return "A sandbox is being made ahead of need."; }),
      doing("Evict idle", async () => { await post(path + "/evict", { templates: false }); return "Its idle sandboxes go."; }),
      doing("Delete", async () => {
        if (!await ask(`Delete ${visible(name)}?`, "Its code, revisions and sandboxes go. Calls of it are not found from then on.", "Delete")) return "";
        await remove(path);
        location.hash = "#/functions";
        return `${visible(name)} is deleted.`;
      }, { class: "risky" })),
    h("div", { class: "tiles" }, Object.values(tiles).map((tile) => tile.element)),
    h("div", { class: "two" }, card("Invocations", "per minute, by how their sandbox began", charts.starts.element), card("Time to answer", "per minute, logarithmic", charts.latency.element)),
    h("div", { class: "two" }, invoking(name), logs(path, signal)),
    card("Sandboxes", null, sandboxes),
    h("div", { class: "two" }, card("Revisions", null, revisions), card("Scale", "in force at once, as a new revision", scale)),
    card("Settings", h("span", {}, "changed with ", h("code", {}, "attacca deploy")), settings));

  function describe() {
    sub.textContent = `revision ${known.revision} · ${visible(known.handler)} · ${known.signature} · deployed ${ago(known.deployed_at)}`;
    swap(revisions, table(["Revision", "Deployed", "What changed", ""], known.revisions.map((row) => [
      String(row.revision), { when: when(row.deployed_at) }, { wide: row.changes.map(visible).join(", ") || "–" },
      { do: row.is_current ? h("span", { class: "tag good" }, "current") : doing("Roll back", async () => {
        if (!await ask(`Roll back to revision ${row.revision}?`, `New invocations of ${visible(name)} go to it at once; those that run end where they are.`, "Roll back", false)) return "";
        await post(path + "/rollback", { to: row.revision });
        await fresh();
        return `Revision ${row.revision} is in force.`;
      }, { class: "small", "aria-label": `Roll back to revision ${row.revision}` }) },
    ])));
    swap(settings, h("dl", { class: "facts" }, Object.entries(known.settings).filter(([key, value]) => key !== "name" && value !== null && value !== "" && !(typeof value === "object" && !Object.keys(value).length)).flatMap(([key, value]) => [
      h("dt", { class: "mono" }, key), h("dd", { class: "mono" }, visible(typeof value === "object" ? JSON.stringify(value) : value)),
    ])));
    swap(scale, scaling(known.settings, async (asked) => { await post(path + "/scale", asked); await fresh(); return "The scale is in force."; }));
  }
  describe();

  watch((state) => {
    const now = state.functions.get(name);
    if (!now) return;
    tiles.running.set(count(now.running), "", now.waiting ? `${count(now.waiting)} wait` : "nobody waits");
    if (now.revision !== known.revision) fresh().catch(() => {});
  }, signal);

  repeat(10, async () => {
    const history = await api("/history?function=" + named(name));
    const at = Date.now() / 1000, slots = bars(history, at);
    for (const chart of Object.values(charts)) chart.draw(slots, at);
    const sum = (key) => history.steps.reduce((total, step) => total + step[key], 0);
    const cold = sum("cold") + sum("template"), all = cold + sum("warm") + sum("prewarmed") + sum("unborn");
    tiles.rate.set(count(all), "", "in the last hour");
    tiles.p50.set(...msParts(history.p50_ms), "over an hour");
    tiles.p99.set(...msParts(history.p99_ms), "over an hour");
    tiles.cold.set(all ? percent(cold / all) : "–", "", `${count(cold)} in the last hour`);
    const failed = sum("failed") + sum("refused"), asked = all + sum("refused");
    tiles.failed.set(asked ? percent(failed / asked) : "–", "", `${count(failed)} in the last hour`);
  }, signal);

  repeat(3, async () => {
    const workers = await api("/workers?function=" + named(name));
    const rows = workers.flatMap((worker) => worker.sandboxes.map((one) => [
      h("a", { href: "#/calls/" + named(one.id) }, one.id), visible(worker.name), one.revision.split("@").pop(), one.phase, { n: one.use ? `${Math.round(one.use.memory_mb)} of ${one.memory_mb} MB` : one.memory_mb + " MB" }, { n: one.use ? percent(one.use.cpu_share) : "–" }, { n: String(one.busy) }, { n: count(one.served) }, { n: span(one.age_s) }, { n: one.busy ? "–" : span(one.idle_s) },
    ]));
    swap(sandboxes, rows.length ? table(["Sandbox", "Worker", "Revision", "Phase", "#Memory", "#Processor", "#Busy", "#Served", "#Age", "#Idle"], rows) : empty("It has no sandbox now. The next invocation has one made; so does Prewarm one."));
  }, signal, (error) => swap(sandboxes, problem(error)));
}

function scaling(settings, work) {
  const least = h("input", { type: "number", min: 0, max: 10000, required: true, value: settings.min_sandboxes });
  const most = h("input", { type: "number", min: 1, max: 10000, value: settings.max_sandboxes ?? "" });
  const button = h("button", {}, "Apply");
  return h("form", { onsubmit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    try { say(await work({ min_sandboxes: Number(least.value), max_sandboxes: most.value === "" ? null : Number(most.value) })); } catch (error) { say("", error); } finally { button.disabled = false; }
  } }, h("div", { class: "fields" }, field("Sandboxes at least", least), field("and at most", most), button));
}

// What was typed last is kept in the browser, where the pages of functions could read it too.
function invoking(name) {
  const place = "attacca-invoke " + name;
  let last = {};
  try { last = JSON.parse(localStorage.getItem(place)) || {}; } catch { /* nothing is remembered */ }
  const method = h("select", {}, ["POST", "GET", "PUT", "PATCH", "DELETE"].map((verb) => h("option", {}, verb)));
  method.value = last.method || "POST";
  const way = h("input", { value: last.way || "/", spellcheck: "false", pattern: "/.*", required: true });
  const type = h("input", { value: last.type || "application/json", spellcheck: "false" });
  const body = h("textarea", { spellcheck: "false", value: last.body ?? "{}" });
  const answer = h("div", { role: "status" });
  const button = h("button", { class: "main" }, "Invoke");
  const form = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    try { localStorage.setItem(place, JSON.stringify({ method: method.value, way: way.value, type: type.value, body: body.value })); } catch { /* it is full */ }
    try { swap(answer, await invoked(name, method.value, way.value, type.value, body.value)); } catch (error) { swap(answer, problem(error)); } finally { button.disabled = false; }
  } },
    h("div", { class: "fields" }, field("Method", method), field("Path and query", way, { class: "span" })),
    h("div", { class: "fields" }, field("Content type", type)),
    field("Body", body), h("div", { class: "actions" }, button), answer);
  body.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); } });
  return card("Invoke", "Ctrl + Enter in the body", form);
}

async function invoked(name, method, way, type, body) {
  const began = performance.now();
  const has = method !== "GET";
  const got = await fetched(`/function/${named(name)}${way === "/" ? "" : way}`, { method, body: has ? body : undefined, headers: has && type ? { "content-type": type } : {} });
  const bytes = new Uint8Array(await got.arrayBuffer());
  const took = performance.now() - began;
  const id = got.headers.get("x-attacca-invocation-id");
  const kind = got.headers.get("content-type") || "";
  return h("div", {},
    h("p", { class: "actions" }, h("span", { class: got.ok ? "tag good" : "tag bad" }, String(got.status)), h("span", { class: "tag" }, got.headers.get("x-attacca-start") || "not started"),
      h("span", { class: "dim" }, `${ms(took)} here · ${count(bytes.length)} bytes · ${visible(kind) || "no type"}`), id && h("a", { href: "#/calls/" + named(id) }, "where the time went")),
    h("pre", { class: "answer", tabindex: "0", "aria-label": "The answer" }, text(bytes, kind)));
}

function text(bytes, kind) {
  if (!bytes.length) return "(an empty answer)";
  let decoded;
  try { decoded = new TextDecoder("utf-8", { fatal: true }).decode(bytes.slice(0, 1 << 18)); } catch { return `(${bytes.length} bytes that are no text)`; }
  if (kind.includes("json")) try { decoded = JSON.stringify(JSON.parse(decoded), null, 2); } catch { /* as it is, then */ }
  return visible(decoded) + (bytes.length > 1 << 18 ? "\n(and more)" : "");
}

function logs(path, signal) {
  const box = h("div", { class: "log", tabindex: "0", role: "log", "aria-label": "Logs", "aria-live": "off" });
  const find = h("input", { type: "search", placeholder: "Only lines with", "aria-label": "Only lines with" });
  const pause = h("button", { type: "button", class: "small", "aria-pressed": "false" }, "Pause");
  const matches = (row) => !find.value || row.textContent.includes(find.value);
  let waiting = [];
  const flush = () => {
    const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    box.querySelector(".empty")?.remove();
    box.append(...waiting);
    waiting = [];
    while (box.childElementCount > LINES_MOST) box.firstElementChild.remove();
    if (isAtEnd) box.scrollTop = box.scrollHeight;
  };
  find.addEventListener("input", () => { for (const row of box.children) row.hidden = !matches(row); });
  const isPaused = () => pause.getAttribute("aria-pressed") === "true";
  pause.addEventListener("click", () => { pause.setAttribute("aria-pressed", String(!isPaused())); pause.textContent = isPaused() ? "Go on" : "Pause"; if (!isPaused() && waiting.length) flush(); });
  swap(box, empty("Nothing has been written in the last ten minutes. What it prints comes here."));
  tail(path + "/logs", LOG_S, (told) => {
    const row = h("div", { class: String(told.stream).toLowerCase().replace(/[^a-z]/g, "") }, h("time", { title: told.invocation }, clock(told.at)), h("span", {}, visible(told.text)));
    row.hidden = !matches(row);
    waiting.push(row);
    if (waiting.length > LINES_MOST) waiting.shift();
    if (waiting.length === 1 && !isPaused()) requestAnimationFrame(() => { if (!isPaused()) flush(); });
  }, signal).catch((error) => { if (!signal.aborted) swap(box, problem(error)); });
  return card("Logs", h("span", { class: "actions" }, find, pause), box);
}
