// Which functions are run by themselves, and when next.

import { api, named, repeat } from "../api.js";
import { empty, h, problem, swap, table, top, visible } from "../dom.js";
import { short, until, when } from "../format.js";

export async function show(main, _, signal) {
  const told = h("p", { class: "sub" });
  const place = h("section", { class: "card", "aria-label": "Schedules" });
  main.append(top("Schedules", told), place);
  repeat(10, async () => {
    const rows = await api("/schedules");
    told.textContent = rows.length ? `${rows.length}, the next first` : "";
    swap(place, rows.length ? table(["Function", "Schedule", "Zone", "Next", "Then", "If missed", "#Missed"], rows.map((one) => [
      h("a", { href: "#/functions/" + named(one.function) }, visible(one.function)), h("code", {}, visible(one.schedule)), visible(one.timezone),
      one.next ? h("span", { title: when(one.next) }, until(one.next)) : "never", one.following.map(short).join(", ") || "–", one.policy, { n: one.missed ? h("span", { class: "tag warn" }, String(one.missed)) : "0" },
    ])) : empty("No function is run by itself. One is with a line in its function.toml, and", "schedule = [\"*/5 * * * *\"]"));
  }, signal, (error) => swap(place, problem(error)));
}
