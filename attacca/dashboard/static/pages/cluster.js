// The machines: what each does and has, and whether it is given anything new.

import { api, named, post, repeat, watch } from "../api.js";
import { ask, card, doing, empty, h, swap, table, top, visible } from "../dom.js";
import { mb, percent } from "../format.js";

export async function show(main, _, signal) {
  const cluster = await api("/cluster");
  const address = new Map(cluster.workers.map((one) => [one.name, one.address]));
  const place = h("div", { class: "workers" });
  const cards = new Map();
  const sub = h("span");
  main.append(
    top("Cluster", sub),
    card("Workers", "run functions, and what workflows are made of", place),
    card("Gateways", "take requests", cluster.gateways.length ? table(["Gateway", "Answers at"], cluster.gateways.map((one) => [visible(one.name), one.url ? h("code", {}, visible(one.url)) : "here"])) : empty("No gateway has joined. One is started with", "attacca gateway --control HOST:PORT")),
    card("Control", "keeps what is deployed", table(["Leads", "#Term", "#Functions"], [[cluster.leader ? h("code", {}, visible(cluster.leader)) : "here", { n: String(cluster.term) }, { n: String(cluster.functions) }]])));
  watch((state) => {
    const off = state.workers.filter((one) => one.silent || one.draining).length;
    sub.textContent = `${state.workers.length} worker${state.workers.length === 1 ? "" : "s"}, ${off ? off + " given nothing new" : "ready"}`;
    if (!state.workers.length) { cards.clear(); swap(place, empty("No worker has joined. One is started with", "attacca worker --control HOST:PORT")); return; }
    if (!cards.size) swap(place);
    const names = new Set(state.workers.map((one) => one.name));
    for (const [name, one] of cards) if (!names.has(name)) { one.element.remove(); cards.delete(name); }
    for (const worker of state.workers) {
      if (!cards.has(worker.name)) { const made = box(worker.name, address.get(worker.name)); cards.set(worker.name, made); place.append(made.element); }
      cards.get(worker.name).set(worker);
    }
  }, signal);
  repeat(5, async () => {
    for (const one of await api("/workers?function=")) cards.get(one.name)?.equip(one.devices || []);
  }, signal);
}

// Each accelerator in a line of its own: what sandboxes hold of it, or that it is gone.
function device(one) {
  const name = visible(one.model ? `${one.name} ${one.model}` : one.name);
  if (one.is_gone) return h("dd", {}, name, " ", h("span", { class: "tag bad" }, "gone"));
  const memory = one.memory_mb ? `${mb(Math.round(one.held_mb || 0))} of ${mb(one.memory_mb)}` : `${mb(Math.round(one.held_mb || 0))} held`;
  return h("dd", {}, `${name}: ${percent(one.share || 0)} held, ${memory}`);
}

function box(name, where) {
  const tag = h("span"), rows = h("dl", { class: "facts" }), devices = h("dl", { class: "devices" }), memory = meter(), cpu = meter(), slots = meter();
  const cordon = doing("Cordon", () => turn(true), { class: "small" });
  const back = doing("Take back", () => turn(false), { class: "small" });
  const drain = doing("Drain", async () => {
    if (!await ask(`Drain ${visible(name)}?`, "It is given nothing new, what runs ends, and components of workflows move to other nodes.", "Drain")) return "";
    await turn(true);
    return moved(name);
  }, { class: "small" });
  async function turn(on) {
    await post(`/workers/${named(name)}/cordon`, { on });
    return on ? `${visible(name)} is given nothing new.` : `${visible(name)} takes part again.`;
  }
  const element = h("section", { class: "card worker", "aria-label": "Worker " + visible(name) },
    h("div", { class: "between" }, h("h3", {}, visible(name)), tag), where && h("code", { class: "dim" }, visible(where)), memory.element, cpu.element, slots.element, rows, devices, h("div", { class: "actions" }, cordon, drain, back));
  return {
    element,
    set(worker) {
      element.classList.toggle("off", worker.silent || worker.draining);
      swap(tag, worker.silent ? h("span", { class: "tag bad" }, "silent") : worker.draining ? h("span", { class: "tag warn" }, worker.running ? `drains, ${worker.running} run` : "cordoned") : h("span", { class: "tag good" }, "ready"));
      memory.set("Memory", worker.memory_mb ? worker.used_mb / worker.memory_mb : 0, worker.memory_mb ? `${mb(worker.used_mb)} of ${mb(worker.memory_mb)}` : "–");
      cpu.set("Processors", worker.cpu_share ?? 0, worker.cpu_share === null ? "–" : `${percent(worker.cpu_share)} of ${worker.cores}, load ${worker.load_1m}`);
      slots.set("Invocations", worker.limit ? worker.running / worker.limit : 0, `${worker.running} of ${worker.limit}${worker.queued ? `, ${worker.queued} wait` : ""}`);
      swap(rows, h("dt", {}, "Idle sandboxes"), h("dd", {}, String(worker.idle)));
      cordon.hidden = drain.hidden = worker.draining;
      back.hidden = !worker.draining;
    },
    equip(known) {
      swap(devices, known.length > 0 && h("dt", {}, "Accelerators"), known.map(device));
    },
  };
}

// Components go one by one to whichever other node takes them.
async function moved(name) {
  const nodes = await api("/nodes");
  const others = nodes.filter((node) => node.name !== name && !node.cordoned).map((node) => node.name);
  const workflows = await api("/workflows");
  const here = workflows.flatMap((one) => [...new Set(one.instances.filter((row) => row.worker === name).map((row) => row.component))].map((component) => [one.id, component]));
  if (!here.length) return `${visible(name)} is drained: no workflow has anything there.`;
  if (!others.length) return `${visible(name)} is cordoned; there is no other node for the ${here.length} components there.`;
  for (const [workflow, component] of here) await post(`/workflows/${named(workflow)}/migrate`, { to: others, component });
  return `${here.length} components have moved off ${visible(name)}.`;
}

function meter() {
  const label = h("span", { class: "dim" }), value = h("span"), bar = h("i"), rail = h("div", { class: "meter", role: "img" }, bar);
  return {
    element: h("div", {}, h("div", { class: "between" }, label, value), rail),
    set(name, share, text) {
      label.textContent = name;
      value.textContent = text;
      bar.style.width = (Math.min(share, 1) * 100).toFixed(1) + "%";
      bar.classList.toggle("much", share > 0.9);
      rail.setAttribute("aria-label", `${name}: ${text}`);
    },
  };
}
