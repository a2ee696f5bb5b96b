// What happens now, and what the last hour was like.

import { api, now, repeat, watch } from "../api.js";
import { bars, KINDS, latency, load, starts } from "../charts.js";
import { card, empty, h, startKind, swap, table, tile, top, visible } from "../dom.js";
import { ago, count, ms, msParts, percent } from "../format.js";

const BUSY_MOST = 8;

export async function show(main, _, signal) {
  const tiles = { rate: tile("Invocations"), p50: tile("p50"), p99: tile("p99"), cold: tile("Cold starts"), load: tile("Running"), memory: tile("Memory"), failed: tile("Failed") };
  const charts = { starts: starts("Invocations per minute"), latency: latency("Time to answer"), load: load("Load") };
  const workers = h("div"), busy = h("div"), latest = h("div");
  const planes = h("span", { class: "sub" });
  main.append(
    top("Overview", planes),
    h("div", { class: "tiles" }, Object.values(tiles).map((one) => one.element)),
    h("div", { class: "two" },
      card("Invocations", "per minute, by how their sandbox began", charts.starts.element),
      card("Time to answer", "per minute, logarithmic", charts.latency.element)),
    h("div", { class: "two" },
      card("Busiest functions", h("a", { href: "#/functions" }, "all functions"), busy),
      card("Load", "waiting and running at once", charts.load.element)),
    h("div", { class: "two" },
      card("Latest invocations", h("a", { href: "#/calls" }, "more"), latest),
      card("Workers", h("a", { href: "#/cluster" }, "cluster"), workers)));

  let isCalled = true;
  watch((state) => {
    isCalled ||= state.changed === null || state.changed.size > 0;
    const functions = [...state.functions.values()];
    planes.textContent = [`${functions.length} function${functions.length === 1 ? "" : "s"}`, many(state.gateways.length, "gateway"), many(state.workers.length, "worker")].join(" · ");
    tiles.load.set(count(state.running), "", state.waiting ? `${count(state.waiting)} wait` : "nobody waits");
    const used = state.workers.reduce((sum, one) => sum + one.used_mb, 0), all = state.workers.reduce((sum, one) => sum + one.memory_mb, 0);
    tiles.memory.set(all ? percent(used / all) : "–", "", all ? `${(used / 1024).toFixed(1)} of ${(all / 1024).toFixed(1)} GB` : "");
    swap(workers, state.workers.length ? table(["Worker", "#Running", "#Waiting", "Memory", ""], state.workers.map((one) => [
      h("a", { href: "#/cluster" }, visible(one.name)), { n: `${one.running} of ${one.limit}` }, { n: String(one.queued) }, meter(one.used_mb, one.memory_mb),
      one.silent ? h("span", { class: "tag bad" }, "silent") : one.draining ? h("span", { class: "tag warn" }, "cordoned") : h("span", { class: "tag good" }, "ready"),
    ])) : empty("No worker has joined. One is started with", "attacca worker --control HOST:PORT"));
    swap(busy, functions.length ? table(["Function", "#Ended", "#Running", "#p50", "#p99"], functions.sort((a, b) => b.running - a.running || b.ended - a.ended || (a.function < b.function ? -1 : 1)).slice(0, BUSY_MOST).map((one) => [
      h("a", { href: "#/functions/" + encodeURIComponent(one.function) }, visible(one.function)), { n: count(one.ended) }, { n: String(one.running) }, { n: ms(one.p50_ms) }, { n: ms(one.p99_ms) },
    ])) : empty("No function is deployed yet. The first is made and deployed with", "attacca init hello && attacca deploy hello"));
  }, signal);

  repeat(10, async () => {
    const history = await api("/history");
    const at = Date.now() / 1000;
    const slots = bars(history, at);
    for (const chart of Object.values(charts)) chart.draw(slots, at);
    const minute = history.steps.slice(-6).filter((step) => step.at > at - 75);
    const sum = (steps, key) => steps.reduce((total, step) => total + step[key], 0);
    const all = (steps) => KINDS.reduce((total, kind) => total + sum(steps, kind), 0);
    const hour = all(history.steps), spent = minute.length * history.step_s || 60;
    const cold = (steps) => sum(steps, "cold") + sum(steps, "template");
    const failed = (steps) => sum(steps, "failed") + sum(steps, "refused"), asked = (steps) => all(steps) + sum(steps, "refused");
    tiles.rate.set(rate(all(minute) / spent), "/s", `hour: ${count(hour)}`);
    tiles.p50.set(...msParts(minute.length ? history.lately[0] : null), `hour: ${ms(history.p50_ms)}`);
    tiles.p99.set(...msParts(minute.length ? history.lately[1] : null), `hour: ${ms(history.p99_ms)}`);
    tiles.cold.set(share(cold(minute), all(minute)), "", `hour: ${share(cold(history.steps), hour)}`);
    tiles.failed.set(share(failed(minute), asked(minute)), "", `hour: ${share(failed(history.steps), asked(history.steps))}`);
  }, signal);

  repeat(5, async () => {
    if (!isCalled && now.isHere) return;
    isCalled = false;
    const calls = await api("/calls?limit=8");
    swap(latest, calls.length ? table(["Function", "Start", "#Took", "When"], calls.map((one) => [
      h("a", { href: "#/calls/" + one.id }, visible(one.function)), startKind(one.start, one.outcome), { n: ms(one.total_ms) }, { when: ago(one.at) },
    ])) : empty("Nothing has been invoked lately. Try", "attacca invoke NAME"));
  }, signal);
}

const share = (part, of) => (of ? percent(part / of) : "–");
const many = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
const rate = (value) => (value === 0 ? "0" : value < 10 ? value.toFixed(1) : count(Math.round(value)));

function meter(used, all) {
  const share = all ? used / all : 0;
  const bar = h("i", { class: share > 0.9 && "much" });
  bar.style.width = (share * 100).toFixed(1) + "%";
  return h("div", { class: "meter", role: "img", "aria-label": percent(share) + " of the memory is used" }, bar);
}
