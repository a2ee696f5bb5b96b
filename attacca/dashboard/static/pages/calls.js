// Invocations that have ended lately; and one of them, with where its time went and why.

import { api, lines, named, now, repeat, watch } from "../api.js";
import { card, crumb, empty, field, h, problem, startKind, swap, table, tile, top, visible } from "../dom.js";
import { ago, clock, joules, ms, msParts, when } from "../format.js";

const PARTS = [
  ["queued", "waited for its turn", "waits"], ["placed", "where it runs was decided", "waits"], ["sandbox", "a sandbox was made", "makes"],
  ["network", "its network was made", "makes"], ["image", "its image was brought", "makes"], ["code", "the code was brought into it", "makes"],
  ["imports", "the code was imported", "makes"], ["readiness", "it began to take invocations", "makes"], ["run", "the handler ran", ""],
];
const LINES_READ = 20000;

export async function show(main, [id], signal) {
  if (id !== undefined) return one(main, id, signal);
  const told = h("p", { class: "sub", role: "status" });
  const place = h("section", { class: "card", "aria-label": "Invocations" });
  const pick = h("select", { onchange: () => load().catch(failed) }, h("option", { value: "" }, "all functions"));
  const only = h("select", { onchange: () => draw() }, ["all", "failed", "cold"].map((one) => h("option", { value: one }, { all: "all", failed: "failed", cold: "cold or from a template" }[one])));
  let calls = [], isCalled = false;
  const failed = (error) => swap(place, problem(error));
  const draw = () => {
    const shown = calls.filter((one) => (only.value === "failed" ? one.outcome !== "ok" : only.value === "cold" ? one.start === "cold" || one.start === "template" : true));
    told.textContent = `the latest ${shown.length}`;
    swap(place, shown.length ? table(["Invocation", "Function", "Status", "Start", "#Took", "When", "Why"], shown.map((one) => [
      h("a", { class: "mono", href: "#/calls/" + named(one.id) }, one.id), h("a", { href: "#/functions/" + named(one.function) }, visible(one.function)),
      h("span", { class: one.outcome === "ok" ? "tag" : "tag bad" }, one.outcome === "ok" ? String(one.status) : `${one.status} ${one.outcome}`),
      startKind(one.start, one.outcome), { n: ms(one.total_ms) }, { when: ago(one.at) }, { wide: visible(one.why) },
    ])) : empty(calls.length ? "None of the latest is such a one." : "Nothing has been invoked lately. Try", calls.length ? "" : "attacca invoke NAME"));
  };
  async function load() {
    isCalled = false;
    calls = await api("/calls?limit=100" + (pick.value ? "&function=" + named(pick.value) : ""));
    draw();
  }
  main.append(top("Invocations", told, field("Function", pick), field("Which", only)), place);
  watch((state) => {
    isCalled ||= state.changed === null || state.changed.size > 0;
    if (pick.childElementCount !== state.functions.size + 1) {
      const chosen = pick.value;
      swap(pick, h("option", { value: "" }, "all functions"), [...state.functions.keys()].map((name) => h("option", { value: name }, visible(name))));
      pick.value = state.functions.has(chosen) ? chosen : "";
    }
  }, signal);
  isCalled = true;
  repeat(3, async () => { if (isCalled || !now.isHere) await load(); }, signal, failed);
}

async function one(main, id, signal) {
  const told = await api("/explain/" + named(id));
  const call = told.call;
  const moments = card("What happened", "as the planes remember it", told.moments.length ? h("ol", { class: "steps" }, told.moments.map((moment) => h("li", {},
    h("span", { class: "mono" }, clock(moment.at, 3)), h("span", { class: "dim" }, visible(moment.where)), h("span", {}, visible(moment.what), moment.about && h("span", { class: "dim" }, " · " + visible(moment.about)))))) : empty("The planes have forgotten it."));
  if (!call) {
    main.append(crumb("#/calls", "Invocations"), top(visible(id), "What the planes remember of it"), moments);
    return;
  }
  const tiles = { status: tile("Status"), took: tile("Took"), start: tile("Start"), place: tile("Worker") };
  tiles.status.set(String(call.status), "", call.outcome);
  tiles.took.set(...msParts(call.total_ms), "from its arrival to its answer");
  tiles.start.set(call.start || "none", "", call.start ? "of its sandbox" : "it was never in a sandbox");
  tiles.place.set(visible(call.worker || "–"), "", call.gateway ? "by " + visible(call.gateway) : "");
  const log = h("div", {}, h("p", { class: "dim" }, "reading"));
  const why = [["Its sandbox", call.reasons.start], ["Its turn", call.reasons.turn], ["Its place", call.reasons.place], [call.outcome === "ok" ? "" : "It failed", call.outcome === "ok" ? "" : call.why]].filter(([, text]) => text);
  main.append(
    crumb("#/calls", "Invocations"),
    top(visible(id), h("span", {}, "of ", h("a", { href: "#/functions/" + named(call.function) }, visible(call.function)), ` revision ${call.revision}, ${when(call.at)}`)),
    h("div", { class: "tiles" }, Object.values(tiles).map((one) => one.element)),
    card("Where the time went", (call.energy_j ?? null) === null ? null : `${joules(call.energy_j).join(" ")} ± ${joules(call.energy_error_j).join(" ")}`, waterfall(call)),
    card("Its trace", "as other programs have it, in W3C Trace Context", trace(call.traced)),
    card("Why so", "in the words of the policies that decided", why.length ? h("dl", { class: "facts" }, why.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, visible(text))])) : empty("Nothing had to be decided.")),
    moments,
    card("What it wrote", null, log));
  wrote(call, signal).then((rows) => swap(log, rows.length ? h("div", { class: "log short", tabindex: "0", role: "log", "aria-label": "What it wrote" }, rows) : empty("Nothing, or it is not kept any more.")), (error) => { if (!signal.aborted) swap(log, problem(error)); });
}

function trace(traced) {
  if (!traced) return empty("It belongs to none: its client sent no traceparent, and no collector is told of any.");
  const page = /^https?:/.test(traced.page) && h("a", { href: traced.page, target: "_blank", rel: "noopener noreferrer" }, "look at it");
  return h("dl", { class: "facts" },
    h("dt", {}, "Trace"), h("dd", { class: "mono" }, traced.trace),
    h("dt", {}, "Span"), h("dd", { class: "mono" }, traced.span),
    h("dt", {}, "Collector"), h("dd", {}, traced.is_sent ? "is sent it" : "is not sent it", page && " · ", page));
}

function waterfall(call) {
  const spent = PARTS.map(([key, text, kind]) => [key, text, kind, call.timing[key]]);
  const all = spent.reduce((sum, [, , , took]) => sum + took, 0), total = Math.max(call.total_ms, all, 0.001);
  spent.push(["passing on", "everything in between", "rest", Math.max(total - all, 0)]);
  let from = 0;
  return h("div", { class: "fall" }, spent.flatMap(([key, text, kind, took]) => {
    const bar = h("i", { class: kind, hidden: took === 0 });
    bar.style.left = (from / total * 100).toFixed(2) + "%";
    bar.style.width = (took / total * 100).toFixed(2) + "%";
    from += took;
    return [h("span", { title: text }, key), h("div", { class: "rail", role: "img", "aria-label": `${text}: ${ms(took)}` }, bar), h("span", { class: "ms" }, took ? ms(took) : "–")];
  }));
}

async function wrote(call, signal) {
  const stop = new AbortController();
  signal.addEventListener("abort", () => stop.abort());
  const since = Math.ceil(Date.now() / 1000 - call.at + 60), rows = [];
  let read = 0;
  for await (const line of lines(`/functions/${named(call.function)}/logs?since=${since}`, stop.signal)) {
    if (!line) continue;
    const told = JSON.parse(line);
    if (told.invocation === call.id) rows.push(h("div", { class: String(told.stream).toLowerCase().replace(/[^a-z]/g, "") }, h("time", {}, clock(told.at, 3)), h("span", {}, visible(told.text))));
    read += 1;
    if (read >= LINES_READ || rows.length >= 500) { stop.abort(); break; }
  }
  return rows;
}

