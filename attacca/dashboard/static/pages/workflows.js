// Workflows, as graphs that live: what runs where, how many events pass, and a hand to move it.

import { api, named, post, remove, repeat, tail } from "../api.js";
import { ask, card, crumb, doing, empty, h, problem, s, say, swap, table, top, visible } from "../dom.js";
import { ago, clock, count, ms } from "../format.js";

const RATE_S = 10; // nodes tell of what was handled once a second: a rate is that of some looks
const LOG_S = 600; // so far back the log begins
const BOX = { width: 168, height: 62, across: 92, down: 26 };

export async function show(main, [id], signal) {
  if (id !== undefined) return one(main, id, signal);
  const place = h("section", { class: "card", "aria-label": "Workflows" });
  main.append(top("Workflows", "functions that live on between events, wired into a graph"), place);
  repeat(3, async () => {
    const rows = await api("/workflows");
    swap(place, rows.length ? table(["Workflow", "Id", "#Components", "State", "#Handled", "Started"], rows.map((view) => {
      const up = view.instances.filter((row) => row.state === "up").length;
      return [h("a", { href: "#/workflows/" + named(view.id) }, visible(view.name)), h("code", {}, view.id), { n: String(view.spec.components.length) },
        h("span", { class: up === view.instances.length ? "tag good" : "tag warn" }, `${up} of ${view.instances.length} up`),
        { n: count(view.instances.reduce((sum, row) => sum + (row.seen?.handled || 0), 0)) }, { when: ago(view.started_at) }];
    })) : empty("No workflow runs. docs/workflows.md has the first one; it is started with", "attacca workflow start workflow.toml"));
  }, signal, (error) => swap(place, problem(error)));
}

async function one(main, id, signal) {
  const path = "/workflows/" + named(id);
  let view = await api(path), nodes = await api("/nodes"), looks = [], rates = new Map();
  const sub = h("span"), graph = h("div", { class: "graph", tabindex: "0", role: "group", "aria-label": "The graph" }), lanes = h("div", { class: "lanes" }), rows = h("div");
  const move = async (component, to) => {
    await post(path + "/migrate", { to: [to], component });
    await load();
    return `${component} is up on ${visible(to)}.`;
  };
  main.append(
    crumb("#/workflows", "Workflows"),
    top(visible(view.name), sub, doing("Stop", async () => {
      if (!await ask(`Stop ${visible(view.name)}?`, "Its components end, and what waits for them is dropped.", "Stop")) return "";
      await remove(path);
      location.hash = "#/workflows";
      return "It is stopped.";
    }, { class: "risky" })),
    card("Graph", "what is sent from where to where, and events handled per second", graph),
    card("Where it runs", "drag a component to another node, or choose one", lanes),
    card("Components", null, rows), log(path, signal));

  function draw() {
    sub.textContent = `${view.id} · started ${ago(view.started_at)}`;
    swap(graph, picture(view, rates));
    if (!lanes.contains(document.activeElement) && !lanes.querySelector(".over")) swap(lanes, nodes.map((node) => lane(node, nodes, view, move)));
    swap(rows, table(["Component", "State", "Node", "#Starts", "#Handled", "#Failed", "#Mean", "#Waiting"], view.instances.map((row) => [
      visible(row.component), h("span", { class: row.state === "up" ? "tag good" : "tag warn", title: row.why }, row.state), visible(row.worker || "–"), { n: String(row.starts) },
      { n: count(row.seen?.handled || 0) }, { n: row.seen?.failed ? h("span", { class: "tag bad" }, count(row.seen.failed)) : "0" }, { n: row.seen?.handled ? ms(row.seen.handled_s * 1000 / row.seen.handled) : "–" }, { n: String(row.seen?.waiting || 0) },
    ])));
  }
  async function load() {
    [view, nodes] = await Promise.all([api(path), api("/nodes")]);
    const at = performance.now() / 1000, handled = new Map();
    for (const row of view.instances) handled.set(row.component, (handled.get(row.component) || 0) + (row.seen?.handled || 0));
    const before = looks[0];
    if (before && at - before.at > 1) rates = new Map([...handled].map(([name, value]) => [name, Math.max(value - (before.handled.get(name) || 0), 0) / (at - before.at)]));
    looks = [...looks, { at, handled }].filter((look) => at - look.at < RATE_S);
    draw();
  }
  await load();
  repeat(4, load, signal, (error) => { if (error.status === 404) swap(graph, problem(error)); });
}

// Each component one place behind the furthest that sends to it; what leads back does not count.
function layered(components) {
  const level = new Map(components.map((one) => [one.name, 0]));
  const visit = (one, path) => {
    for (const name of targets(one)) {
      if (path.includes(name)) continue;
      if (level.get(name) < level.get(one.name) + 1 && path.length <= components.length) {
        level.set(name, level.get(one.name) + 1);
        visit(components.find((other) => other.name === name), [...path, name]);
      }
    }
  };
  const sentTo = new Set(components.flatMap((one) => targets(one).filter((name) => name !== one.name)));
  const first = components.filter((one) => !sentTo.has(one.name));
  for (const one of first.length ? first : components.slice(0, 1)) visit(one, [one.name]);
  return level;
}

const targets = (component) => [...new Set(Object.values(component.outputs).flatMap((output) => output.to))];

function picture(view, rates) {
  const components = view.spec.components, level = layered(components);
  const columns = [];
  for (const one of components) (columns[level.get(one.name)] ||= []).push(one);
  const shown = columns.filter(Boolean);
  const tallest = Math.max(...shown.map((column) => column.length));
  const above = components.some((one) => targets(one).includes(one.name)) ? 34 : 8;
  const at = new Map();
  shown.forEach((column, x) => column.forEach((one, y) => at.set(one.name, {
    x: 10 + x * (BOX.width + BOX.across), y: above + (y + (tallest - column.length) / 2) * (BOX.height + BOX.down),
  })));
  const width = 20 + shown.length * (BOX.width + BOX.across) - BOX.across, height = above + 8 + tallest * (BOX.height + BOX.down);
  const edges = components.flatMap((one) => targets(one).map((name) => edge(at.get(one.name), at.get(name), one.name === name, (rates.get(name) || 0) > 0)));
  const boxes = components.map((one) => {
    const { x, y } = at.get(one.name), instances = view.instances.filter((row) => row.component === one.name);
    const isUp = instances.length > 0 && instances.every((row) => row.state === "up");
    const rate = rates.get(one.name);
    return s("g", { transform: `translate(${x} ${y})` },
      s("title", {}, `${one.name}: ${instances.map((row) => `${row.state} on ${row.worker || "no node"}`).join(", ")}`),
      s("rect", { class: "box" + (isUp ? " up" : " bad"), width: BOX.width, height: BOX.height, rx: 8 }),
      s("text", { x: 14, y: 26 }, short(one.name, 18)),
      s("text", { class: "more", x: 14, y: 46 }, short(`${rate === undefined ? "" : rate.toFixed(rate < 10 ? 1 : 0) + "/s · "}${instances.length > 1 ? instances.length + " × " : ""}${instances[0]?.worker || one.resource || "nowhere"}`, 24)));
  });
  return s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `${components.length} components: ` + components.map((one) => `${one.name}${targets(one).length ? " sends to " + targets(one).join(", ") : ""}`).join("; ") },
    s("defs", {}, s("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, s("path", { class: "tip", d: "M0 0 8 4 0 8z" }))), edges, boxes);
}

function edge(from, to, isOwn, isLive) {
  const look = { class: "edge" + (isLive ? " live" : ""), "marker-end": "url(#tip)" };
  if (isOwn) return s("path", { ...look, d: `M${from.x + 44} ${from.y}c-8 -34 ${BOX.width - 72} -34 ${BOX.width - 88} 0` });
  const x1 = from.x + BOX.width, y1 = from.y + BOX.height / 2, x2 = to.x, y2 = to.y + BOX.height / 2;
  if (x2 > x1) return s("path", { ...look, d: `M${x1} ${y1}C${x1 + 46} ${y1} ${x2 - 46} ${y2} ${x2} ${y2}` });
  const low = Math.max(from.y, to.y) + BOX.height;
  return s("path", { ...look, d: `M${from.x + BOX.width / 2} ${from.y + BOX.height}C${from.x + BOX.width / 2} ${low + 40} ${to.x + BOX.width / 2} ${low + 40} ${to.x + BOX.width / 2} ${to.y + BOX.height}` });
}

const short = (text, most) => { const shown = visible(text); return shown.length > most ? shown.slice(0, most - 1) + "…" : shown; };

function lane(node, nodes, view, move) {
  const here = [...new Set(view.instances.filter((row) => row.worker === node.name).map((row) => row.component))];
  const element = h("section", { class: "lane", "aria-label": "Node " + node.name },
    h("div", { class: "between" }, h("h3", {}, visible(node.name)), node.cordoned ? h("span", { class: "tag warn" }, "cordoned") : h("span", { class: "dim" }, `${node.reserved_mb} of ${node.memory_mb} MB`)),
    here.map((name) => chip(name, node, nodes, move)), !here.length && h("span", { class: "dim" }, "nothing of it"));
  element.addEventListener("dragover", (event) => { event.preventDefault(); element.classList.add("over"); });
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", async (event) => {
    event.preventDefault();
    element.classList.remove("over");
    const name = event.dataTransfer.getData("text/plain");
    if (!view.spec.components.some((one) => one.name === name) || here.includes(name)) return;
    try { say(await move(name, node.name)); } catch (error) { say("", error); }
  });
  return element;
}

function chip(name, node, nodes, move) {
  const others = nodes.filter((one) => one.name !== node.name && !one.cordoned);
  const pick = h("select", { "aria-label": `Move ${name} to`, onchange: async () => {
    const to = pick.value;
    pick.disabled = true;
    pick.blur();
    try { say(await move(name, to)); } catch (error) { say("", error); pick.disabled = false; pick.value = ""; }
  } }, h("option", { value: "" }, "move to"), others.map((one) => h("option", { value: one.name }, one.name)));
  const element = h("div", { class: "chip", draggable: "true" }, h("span", {}, visible(name)), others.length ? h("span", {}, pick) : null);
  element.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", name));
  return element;
}

function log(path, signal) {
  const box = h("div", { class: "log", tabindex: "0", role: "log", "aria-label": "Logs", "aria-live": "off" }, empty("What its components write comes here."));
  tail(path + "/logs", LOG_S, (told) => {
    const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    box.querySelector(".empty")?.remove();
    box.append(h("div", { class: String(told.stream).toLowerCase().replace(/[^a-z]/g, "") }, h("time", {}, clock(told.at)), h("span", {}, visible(`${told.component ? told.component + "  " : ""}${told.text}`))));
    while (box.childElementCount > 500) box.firstElementChild.remove();
    if (isAtEnd) box.scrollTop = box.scrollHeight;
  }, signal).catch((error) => { if (!signal.aborted) swap(box, problem(error)); });
  return card("Logs", null, box);
}

