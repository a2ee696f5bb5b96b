// Charts as small SVG. Each can be read with a pointer, and with the arrow keys when it has the focus.

import { h, s, swap } from "./dom.js";
import { clock, count, ms } from "./format.js";

const WIDTH = innerWidth < 740 ? 360 : 640, HEIGHT = 172, LEFT = 44, RIGHT = 4, TOP = 10, BOTTOM = 22;
const HOUR = 3600;
export const KINDS = ["warm", "prewarmed", "template", "cold", "unborn"];
const NAMES = { unborn: "not started" };

// Steps as bars of equal width that cover the last hour.
export function bars(history, now, wanted = 60) {
  const width = HOUR / wanted, first = now - HOUR;
  const slots = Array.from({ length: wanted }, (_, index) => ({ at: first + (index + 1) * width, warm: 0, prewarmed: 0, template: 0, cold: 0, unborn: 0, failed: 0, waiting: 0, running: 0, took: [] }));
  for (const step of history.steps) {
    const slot = slots[Math.ceil((step.at - first) / width) - 1];
    if (!slot) continue;
    for (const kind of KINDS) slot[kind] += step[kind];
    slot.failed += step.failed + step.refused;
    slot.waiting = Math.max(slot.waiting, step.waiting);
    slot.running = Math.max(slot.running, step.running);
    if (step.p50_ms !== null) slot.took.push(step);
  }
  for (const slot of slots) {
    const total = slot.took.reduce((sum, one) => sum + ended(one), 0);
    slot.p50_ms = total ? slot.took.reduce((sum, one) => sum + one.p50_ms * ended(one), 0) / total : null;
    slot.p99_ms = slot.took.length ? Math.max(...slot.took.map((one) => one.p99_ms)) : null;
  }
  return slots;
}

const ended = (step) => KINDS.reduce((sum, kind) => sum + step[kind], 0) || 1;

export function starts(title) {
  return chart(title, (slots) => {
    const most = nice(Math.max(1, ...slots.map((slot) => KINDS.reduce((sum, kind) => sum + slot[kind], 0))));
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / most);
    const step = (WIDTH - LEFT - RIGHT) / slots.length;
    const shapes = slots.flatMap((slot, index) => {
      let below = 0;
      return KINDS.filter((kind) => slot[kind]).map((kind) => {
        const from = y(below);
        below += slot[kind];
        return s("rect", { class: "fill-" + kind, x: (LEFT + index * step + 1).toFixed(1), width: (step - 2).toFixed(1), y: y(below).toFixed(1), height: Math.max(from - y(below), 0.75).toFixed(1) });
      });
    });
    const shown = KINDS.filter((kind) => slots.some((slot) => slot[kind]));
    return {
      ticks: [0, most / 2, most].filter((one) => Number.isInteger(one)).map((one) => [y(one), count(one)]), shapes,
      legend: (slot) => (shown.length ? shown : ["warm", "cold"]).map((kind) => [kind, NAMES[kind] || kind, count(slot ? slot[kind] : slots.reduce((sum, one) => sum + one[kind], 0))]),
    };
  });
}

export function latency(title) {
  return chart(title, (slots) => {
    const known = slots.flatMap((slot) => [slot.p50_ms, slot.p99_ms]).filter((one) => one !== null);
    const low = Math.floor(Math.log10(known.length ? Math.min(...known) : 1)), high = Math.max(low + 1, Math.ceil(Math.log10(known.length ? Math.max(...known) : 100)));
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (Math.log10(value) - low) / (high - low));
    const step = (WIDTH - LEFT - RIGHT) / slots.length;
    const shapes = ["p99", "p50"].flatMap((key) => runs(slots, key + "_ms").map((run) => run.length === 1
      ? s("circle", { class: "stroke-" + key, cx: LEFT + (run[0][0] + 0.5) * step, cy: y(run[0][1]), r: 2 })
      : s("path", { class: "line stroke-" + key, d: "M" + run.map(([index, value]) => `${(LEFT + (index + 0.5) * step).toFixed(1)} ${y(value).toFixed(1)}`).join("L") })));
    return {
      ticks: Array.from({ length: high - low + 1 }, (_, index) => [y(10 ** (low + index)), tick(10 ** (low + index))]), shapes,
      legend: (slot) => ["p50", "p99"].map((key) => [key, key, slot ? ms(slot[key + "_ms"]) : ""]),
    };
  });
}

export function load(title) {
  return chart(title, (slots) => {
    const most = nice(Math.max(2, ...slots.map((slot) => Math.max(slot.waiting, slot.running))));
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / most);
    const step = (WIDTH - LEFT - RIGHT) / slots.length;
    const shapes = ["running", "waiting"].map((key) => s("path", { class: "line stroke-" + key, d: "M" + slots.map((slot, index) => `${(LEFT + (index + 0.5) * step).toFixed(1)} ${y(slot[key]).toFixed(1)}`).join("L") }));
    return {
      ticks: [0, most / 2, most].map((one) => [y(one), count(one)]), shapes,
      legend: (slot) => ["running", "waiting"].map((key) => [key, key, slot ? count(slot[key]) : ""]),
    };
  });
}

function runs(slots, key) {
  const found = [];
  let run = [];
  slots.forEach((slot, index) => {
    if (slot[key] !== null) run.push([index, Math.max(slot[key], 0.01)]);
    else if (run.length) { found.push(run); run = []; }
  });
  return run.length ? [...found, run] : found;
}

function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((one) => one * power).find((one) => one >= value);
}

const tick = (value) => (value >= 1000 ? value / 1000 + " s" : value + " ms");

function chart(title, drawn) {
  const legend = h("div", { class: "legend", "aria-live": "off" });
  const drawing = s("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", tabindex: "0", "aria-label": title });
  const cursor = s("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  let slots = [], words = () => [], at = null;
  const tell = () => {
    const slot = at === null ? null : slots[at];
    const step = (WIDTH - LEFT - RIGHT) / slots.length;
    cursor.setAttribute("visibility", slot ? "visible" : "hidden");
    if (slot) for (const name of ["x1", "x2"]) cursor.setAttribute(name, LEFT + (at + 0.5) * step);
    const parts = words(slot);
    swap(legend, slot && h("span", {}, h("b", {}, clock(slot.at))), parts.map(([kind, name, value]) => h("span", {}, h("i", { class: kind }), name, " ", value && h("b", {}, value))));
    drawing.setAttribute("aria-label", `${title}: ${slot ? clock(slot.at) + ", " : ""}${parts.map(([, name, value]) => `${name} ${value}`.trim()).join(", ")}`);
  };
  const move = (index) => { at = index === null ? null : Math.max(0, Math.min(slots.length - 1, index)); tell(); };
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * WIDTH;
    move(x < LEFT ? null : Math.floor((x - LEFT) / (WIDTH - LEFT - RIGHT) * slots.length));
  });
  drawing.addEventListener("pointerleave", () => move(null));
  drawing.addEventListener("blur", () => move(null));
  drawing.addEventListener("focus", () => legend.setAttribute("aria-live", "polite"));
  drawing.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !slots.length) return;
    event.preventDefault();
    move(at === null ? slots.length - 1 : at + by);
  });
  return {
    element: h("figure", {}, drawing, legend),
    draw(next, now) {
      slots = next;
      const shown = drawn(slots);
      words = shown.legend;
      const x = (seconds) => LEFT + (WIDTH - LEFT - RIGHT) * (1 - seconds / HOUR);
      const times = (WIDTH < 500 ? [3600, 1800, 0] : [3600, 2700, 1800, 900, 0]).map((back) => s("text", { x: x(back), y: HEIGHT - 6, "text-anchor": back === 3600 ? "start" : back ? "middle" : "end" }, back ? `${back / 60} min ago` : "now"));
      swap(drawing,
        shown.ticks.map(([y, text], index) => [s("line", { class: index ? "grid" : "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y }), s("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, text)]),
        shown.shapes, times, cursor);
      tell();
    },
  };
}
