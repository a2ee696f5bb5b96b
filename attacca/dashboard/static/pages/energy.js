// Where the watts go: what each machine spends now, and for which functions it has spent it.

import { api, named, repeat } from "../api.js";
import { card, empty, h, problem, swap, table, tile, top, visible } from "../dom.js";
import { count, joules, percent, watts } from "../format.js";

export async function show(main, _, signal) {
  const tiles = { now: tile("Now"), idle: tile("Doing nothing"), spent: tile("Spent"), share: tile("For functions") };
  const machines = h("div"), functions = h("div"), sub = h("span");
  main.append(
    top("Energy", sub),
    h("div", { class: "tiles" }, Object.values(tiles).map((one) => one.element)),
    card("Machines", "since each worker began to look", machines),
    card("Functions", "what each has taken, on all machines; the error is what can be seen of it", functions));

  repeat(2, async () => {
    const workers = await api("/workers?function=");
    const measured = workers.filter((one) => one.energy);
    sub.textContent = measured.length ? `${measured.length} of ${workers.length} machine${workers.length === 1 ? "" : "s"} measured` : "nobody measures it";
    if (!measured.length) {
      for (const one of Object.values(tiles)) one.set("–");
      swap(functions, empty("Nothing was measured."));
      swap(machines, empty("No worker looks at what its machine takes. Which sources this one has is said by attacca energy sources; a server asks the first of them with", "attacca up --set energy.source=auto"));
      return;
    }
    const sum = (key) => measured.reduce((total, one) => total + one.energy[key], 0);
    const total = sum("total_j"), accelerators = measured.reduce((all, one) => all + one.energy.accelerators_w.reduce((a, b) => a + b, 0), 0);
    tiles.now.set(...watts(sum("watts")), accelerators ? `accelerators: ${watts(accelerators).join(" ")}` : "");
    tiles.idle.set(...watts(sum("idle_w")), "reckoned or set");
    tiles.spent.set(...joules(total), total >= 3600 ? `${(total / 3600).toFixed(1)} Wh` : "");
    tiles.share.set(total ? percent(sum("functions_j") / total) : "–", "", `${joules(sum("functions_j")).join(" ")}`);
    swap(machines, table(["Worker", "Source", "#Now", "#Doing nothing", "#Spent", "For whom"], measured.map(({ name, energy }) => [
      h("a", { href: "#/cluster" }, visible(name)), visible(energy.source), { n: watts(energy.watts).join(" ") }, { n: watts(energy.idle_w).join(" ") }, { n: joules(energy.total_j).join(" ") },
      shares([["functions", energy.functions_j], ["other programs", energy.other_j], ["being on", energy.idle_j]]),
    ])), h("div", { class: "legend" }, ["functions", "other programs", "being on"].map((name) => h("span", {}, h("i", { class: SHADES[name] }), name))));
    const rows = together(measured);
    swap(functions, rows.length ? table(["Function", "#Taken", "#While it ran", "#Kept ready", "#Of one invocation", "#Error", "#Invocations"], rows.map((one) => [
      whose(one.function), { n: joules(one.run_j + one.kept_j).join(" ") }, { n: joules(one.run_j).join(" ") }, { n: joules(one.kept_j).join(" ") },
      { n: one.invocations ? joules(one.mean_j).join(" ") : "–" }, { n: "± " + joules(one.error_j).join(" ") }, { n: count(one.invocations) },
    ])) : empty("No function has taken anything yet."));
  }, signal, (error) => swap(machines, problem(error)));
}

// What belongs to a workflow is called by that and by its component.
function whose(name) {
  const [workflow, component] = name.split(".");
  const place = component === undefined ? "#/functions/" + named(name) : "#/workflows/" + named(workflow);
  return h("a", { href: place }, visible(component === undefined ? name : `${component} of ${workflow}`));
}

const SHADES = { functions: "warm", "other programs": "cold", "being on": "rest" };

function shares(parts) {
  const all = parts.reduce((sum, [, value]) => sum + value, 0);
  const said = parts.map(([name, value]) => `${name} ${all ? percent(value / all) : "–"}`).join(", ");
  return h("div", { class: "meter wide", role: "img", "aria-label": said, title: said }, parts.map(([name, value]) => {
    const bar = h("i", { class: SHADES[name] });
    bar.style.width = (all ? value / all * 100 : 0).toFixed(1) + "%";
    return bar;
  }));
}

// The same function on several machines is one row; the mean is that of all its invocations.
function together(workers) {
  const found = new Map();
  for (const { energy } of workers) {
    for (const one of energy.functions) {
      const known = found.get(one.function) || { function: one.function, run_j: 0, kept_j: 0, error_j: 0, invocations: 0, mean_j: 0 };
      const all = known.invocations + one.invocations;
      known.mean_j = all ? (known.mean_j * known.invocations + one.mean_j * one.invocations) / all : 0;
      known.invocations = all;
      for (const key of ["run_j", "kept_j", "error_j"]) known[key] += one[key];
      found.set(one.function, known);
    }
  }
  return [...found.values()].sort((a, b) => b.run_j + b.kept_j - a.run_j - a.kept_j || (a.function < b.function ? -1 : 1)).slice(0, 100);
}
