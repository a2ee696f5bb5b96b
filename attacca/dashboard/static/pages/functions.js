// All functions, as they are now; and one of them.

import { watch } from "../api.js";
import { empty, h, swap, table, top, visible } from "../dom.js";
import { count, ms, percent } from "../format.js";
import { one } from "./function.js";

const SHOWN_MOST = 100;
const COLUMNS = [
  ["Function", (row) => row.function, 1], ["#Ended", (row) => row.ended, -1], ["#Running", (row) => row.running, -1], ["#Waiting", (row) => row.waiting, -1],
  ["#Cold", (row) => (row.ended ? row.cold / row.ended : -1), -1], ["#Failed", (row) => row.failed, -1], ["#p50", (row) => row.p50_ms ?? -1, -1], ["#p99", (row) => row.p99_ms ?? -1, -1],
];
const kept = { find: "", by: 1, down: -1 };

export async function show(main, [name], signal) {
  if (name !== undefined) return one(main, name, signal);
  const told = h("p", { class: "sub", role: "status" });
  const find = h("input", { class: "find", type: "search", placeholder: "Find a function", "aria-label": "Find a function", value: kept.find });
  const place = h("section", { class: "card", "aria-label": "Functions" });
  let known = null, isBig = false;
  const draw = () => {
    if (!known) return;
    const of = COLUMNS[kept.by][1];
    const found = [...known.functions.values()].filter((row) => row.function.includes(kept.find));
    found.sort((a, b) => (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : a.function < b.function ? -kept.down : kept.down) * kept.down);
    told.textContent = found.length === known.functions.size ? `${found.length} deployed` : `${found.length} of ${known.functions.size}`;
    if (!known.functions.size) return swap(place, empty("No function is deployed yet. The first is made and deployed with", "attacca init hello && attacca deploy hello"));
    if (!found.length) return swap(place, empty("No function's name has this in it."));
    const shown = table(COLUMNS.map(([title]) => title), found.slice(0, isBig ? found.length : SHOWN_MOST).map((row) => [
      h("a", { href: "#/functions/" + encodeURIComponent(row.function) }, visible(row.function)),
      { n: count(row.ended) }, { n: String(row.running) }, { n: String(row.waiting) }, { n: row.ended ? percent(row.cold / row.ended) : "–" },
      { n: row.failed ? h("span", { class: "tag bad" }, count(row.failed)) : "0" }, { n: ms(row.p50_ms) }, { n: ms(row.p99_ms) },
    ]));
    shown.querySelectorAll("th").forEach((head, index) => {
      if (index === kept.by) head.setAttribute("aria-sort", kept.down > 0 ? "ascending" : "descending");
      swap(head, h("button", { type: "button", onclick: () => {
        kept.down = kept.by === index ? -kept.down : COLUMNS[index][2];
        kept.by = index;
        draw();
      } }, head.textContent));
    });
    const more = found.length > SHOWN_MOST && !isBig && h("p", {}, h("button", { type: "button", onclick: () => { isBig = true; draw(); } }, `Show all ${found.length}`));
    swap(place, shown, more);
    return undefined;
  };
  find.addEventListener("input", () => { kept.find = find.value; draw(); });
  main.append(top("Functions", told, find), place);
  watch((state) => { known = state; draw(); }, signal);
}
