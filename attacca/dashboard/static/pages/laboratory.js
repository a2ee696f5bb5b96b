// Runs of the laboratory that lie on control's machine, and the reports that were written of them.

import { api, fetched, named, repeat } from "../api.js";
import { card, crumb, doing, empty, field, h, problem, swap, table, tile, top, visible } from "../dom.js";
import { ago, count, ms, msParts, percent, span, when } from "../format.js";

const SHOWN = 200;

export async function show(main, rest, signal) {
  if (rest.length) return one(main, rest.join("/"));
  const sub = h("span"), runs = h("div"), reports = h("div");
  const wanted = h("input", { type: "search", spellcheck: "false", oninput: () => draw() });
  let told = { runs: [], reports: [], directory: "" };
  main.append(top("Laboratory", sub, field("Find", wanted)), card("Runs", "the latest first", runs), card("Reports", "as attacca report and attacca lab write them", reports));
  function draw() {
    const words = wanted.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = told.runs.filter((run) => words.every((word) => `${run.id} ${run.name} ${run.kind} ${run.about}`.toLowerCase().includes(word)));
    sub.textContent = `${count(told.runs.length)} run${told.runs.length === 1 ? "" : "s"} in ${visible(told.directory)}`;
    swap(runs, found.length ? table(["Run", "What", "#Invocations", "#p50", "#p99", "#Cold", "#Failed", "When"], found.slice(0, SHOWN).map((run) => [
      h("a", { href: "#/laboratory/" + run.id.split("/").map(named).join("/") }, visible(run.id)), { wide: `${visible(run.kind)}, seed ${run.seed}${run.about ? ": " + visible(run.about) : ""}` },
      { n: number(run.totals.invocations, count) }, { n: number(run.totals.p50_ms, ms) }, { n: number(run.totals.p99_ms, ms) }, { n: number(run.totals.cold_share, percent) },
      { n: run.totals.invocations ? percent(failed(run.totals) / run.totals.invocations) : "–" }, { when: ago(run.at) },
    ])) : empty(told.runs.length ? "None of them has all of these words." : "No run lies there. One is made with", told.runs.length ? "" : "attacca sim run SCENARIO.toml"));
    swap(reports, told.reports.length ? table(["Report", "#Size", "Written", ""], told.reports.map((report) => [
      visible(report.id), { n: count(Math.ceil(report.bytes / 1024)) + " KB" }, { when: ago(report.at) }, { do: doing("Keep", () => keep(report.id), { class: "small", "aria-label": `Keep ${visible(report.id)}` }) },
    ])) : empty("No report lies there. One is written with", "attacca report runs/NAME --out runs/NAME.html"));
  }
  repeat(15, async () => { told = await api("/runs"); draw(); }, signal, (error) => swap(runs, problem(error)));
}

async function one(main, id) {
  const { run, wall_s, scenario, versions } = await api("/runs/" + id.split("/").map(named).join("/"));
  const totals = run.totals;
  const tiles = { all: tile("Invocations"), p50: tile("p50"), p99: tile("p99"), cold: tile("Cold starts"), failed: tile("Failed") };
  tiles.all.set(number(totals.invocations, count), "", totals.throughput ? `${count(Math.round(totals.throughput))} a second` : "");
  tiles.p50.set(...msParts(finite(totals.p50_ms)), "");
  tiles.p99.set(...msParts(finite(totals.p99_ms)), totals.max_ms ? `at most ${number(totals.max_ms, ms)}` : "");
  tiles.cold.set(number(totals.cold_share, percent), "");
  tiles.failed.set(totals.invocations ? percent(failed(totals) / totals.invocations) : "–", "", `${count(failed(totals))} in all`);
  const facts = (of) => h("dl", { class: "facts" }, Object.entries(of).flatMap(([key, value]) => [h("dt", { class: "mono" }, visible(key)), h("dd", { class: "mono" }, visible(typeof value === "object" ? JSON.stringify(value) : value))]));
  main.append(
    crumb("#/laboratory", "Laboratory"),
    top(visible(run.name), `${visible(run.kind)}, seed ${run.seed}, ${when(run.at)}, in ${span(wall_s)}${run.about ? " · " + visible(run.about) : ""}`),
    h("div", { class: "tiles" }, Object.values(tiles).map((one) => one.element)),
    h("div", { class: "two" }, card("What came of it", null, facts(totals)), card("Made by", null, facts(versions))),
    card("Scenario", "as it was run", h("pre", { class: "answer", tabindex: "0", "aria-label": "The scenario" }, visible(JSON.stringify(scenario, null, 1)))));
}

// It is a page of somebody's, and opens from the disk where it can do nothing here.
async function keep(id) {
  const answer = await fetched("/api/reports/" + id.split("/").map(named).join("/"));
  if (!answer.ok) throw new Error("The report is not there any more.");
  const address = URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type: "application/octet-stream" }));
  const link = h("a", { href: address, download: id.split("/").pop() });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
  return `${visible(id)} is kept.`;
}

const finite = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);
const number = (value, written) => (finite(value) === null ? "–" : written(value));
const failed = (totals) => ["failed", "refused", "unanswered"].reduce((sum, key) => sum + (finite(totals[key]) ?? 0), 0);
