// Calls whose answers are fetched later: what waits, what failed, and what can be tried anew.

import { api, named, post, remove, repeat } from "../api.js";
import { ask, card, crumb, doing, empty, field, h, problem, swap, table, tile, top, visible } from "../dom.js";
import { ago, count, ms, until, when } from "../format.js";

const STATES = ["", "waiting", "dead", "done", "cancelled"];
const LOOKS = { done: "tag good", dead: "tag bad", waiting: "tag warn", cancelled: "tag" };

export async function show(main, [id], signal) {
  if (id !== undefined) return one(main, id, signal);
  const told = h("p", { class: "sub", role: "status" });
  const state = h("select", { onchange: () => load().catch(failed) }, STATES.map((one) => h("option", { value: one }, one || "all")));
  const place = h("section", { class: "card", "aria-label": "Asynchronous calls" });
  const failed = (error) => swap(place, problem(error));
  let seen = "";
  async function load(isByItself = false) {
    const calls = await api("/async?limit=200" + (state.value ? "&state=" + state.value : ""));
    const now = JSON.stringify([calls, state.value, Math.floor(Date.now() / 15000)]);
    if (now === seen || (isByItself && place.contains(document.activeElement))) return; // nobody's place is taken away
    seen = now;
    told.textContent = `the latest ${calls.length}`;
    swap(place, calls.length ? table(["Call", "Function", "State", "#Tries", "#Bytes", "#Accepted", "#Next", "Why", ""], calls.map((one) => [
      h("a", { class: "mono", href: "#/async/" + named(one.id), title: one.id }, one.id.slice(0, 12)), h("a", { href: "#/functions/" + named(one.function) }, visible(one.function)),
      h("span", { class: LOOKS[one.state] }, one.state), { n: String(one.attempts) }, { n: count(one.size) }, { n: ago(one.at) },
      { n: one.state === "waiting" && one.due ? until(one.due) : "–" }, { wide: visible(one.why) }, { do: buttons(one, load) },
    ])) : empty(state.value ? `No call is ${state.value}.` : "No call has been made whose answer is fetched later. One is made with", state.value ? "" : "curl -d '{}' " + location.origin + "/async-function/NAME"));
  }
  const dead = doing("Retry all dead", async () => {
    const calls = await api("/async?limit=1000&state=dead");
    if (!calls.length) return "No call is dead.";
    if (!await ask(`Retry ${calls.length} dead call${calls.length === 1 ? "" : "s"}?`, "Each is tried anew, with all its attempts before it.", "Retry", false)) return "";
    for (const call of calls) await post(`/async/${named(call.id)}/retry`, {});
    await load();
    return calls.length === 1 ? "One is tried anew." : `${calls.length} are tried anew.`;
  });
  main.append(top("Asynchronous calls", told, field("State", state), dead), place);
  repeat(3, () => load(true), signal, failed);
}

function buttons(call, load) {
  const path = "/async/" + named(call.id);
  if (call.state === "waiting") return null;
  return h("span", { class: "actions" },
    call.state === "dead" && doing("Retry", async () => { await post(path + "/retry", {}); await load(); return "It is tried anew."; }, { class: "small", "aria-label": "Retry " + call.id }),
    doing("Forget", async () => {
      if (!await ask("Forget this call?", "Its answer cannot be fetched any more.", "Forget")) return "";
      await remove(path);
      await load();
      return "It is forgotten.";
    }, { class: "small", "aria-label": "Forget " + call.id }));
}

async function one(main, id, signal) {
  let told;
  const body = (text) => { try { return visible(new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)))); } catch { return "(bytes that are no text)"; } };
  async function load() {
    const next = await api("/async/" + named(id));
    if (told && JSON.stringify(told) === JSON.stringify(next)) return;
    told = next;
    const call = told.call;
    const tiles = { state: tile("State"), tries: tile("Attempts"), at: tile("Accepted"), end: tile("Over") };
    tiles.state.set(call.state, "", visible(call.callback === "none" ? "" : "callback " + call.callback));
    tiles.tries.set(String(call.attempts), "", call.state === "waiting" && call.due ? "next " + until(call.due) : "");
    tiles.at.set(ago(call.at), "", when(call.at));
    tiles.end.set(call.ended_at ? ago(call.ended_at) : "–", "", call.expires_at ? "kept for " + until(call.expires_at).replace("in ", "") : "");
    swap(main, crumb("#/async", "Asynchronous calls"),
      top(visible(call.id), h("span", {}, "of ", h("a", { href: "#/functions/" + named(call.function) }, visible(call.function))), buttons(call, async () => { await load().catch(() => { location.hash = "#/async"; }); })),
      h("div", { class: "tiles" }, Object.values(tiles).map((one) => one.element)),
      told.message && h("div", { class: "notice" }, h("b", {}, visible(told.error)), " ", visible(told.message), told.traceback && h("pre", {}, visible(told.traceback))),
      card("Attempts", null, told.tries.length ? table(["Invocation", "Status", "#Took", "When", "Why"], told.tries.map((one) => [
        h("a", { class: "mono", href: "#/calls/" + named(one.id) }, one.id), h("span", { class: one.outcome === "ok" ? "tag good" : "tag bad" }, `${one.status} ${one.outcome}`), { n: ms(one.total_ms) }, { when: when(one.at) }, { wide: visible(one.why) },
      ])) : empty("It has not been tried yet.")),
      told.answer !== null && card("Answer", visible(told.answer_type), h("pre", { class: "answer", tabindex: "0" }, body(told.answer))),
      told.body !== null && card("Request", visible([`${told.method} ${told.path}${told.query ? "?" + told.query : ""}`, told.content_type].filter(Boolean).join(" · ")), h("pre", { class: "answer", tabindex: "0" }, body(told.body) || "(empty)")));
  }
  await load();
  repeat(3, load, signal, () => {});
}
