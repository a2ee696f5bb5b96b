// Who may ask this server from elsewhere.

import { api, named, post, remove } from "../api.js";
import { ask, card, doing, empty, field, h, say, swap, table, top, visible } from "../dom.js";
import { ago } from "../format.js";

export async function show(main) {
  const place = h("div"), fresh = h("div");
  const name = h("input", { maxlength: 63, spellcheck: "false", autocomplete: "off" });
  const button = h("button", { class: "main" }, "Create");
  async function load() {
    const rows = await api("/tokens");
    swap(place, rows.length ? table(["Name", "Id", "Made", ""], rows.map((one) => [
      visible(one.name || "–"), h("code", {}, one.id), { when: ago(one.created_at) },
      { do: doing("Revoke", async () => {
        if (!await ask(`Revoke ${visible(one.name || one.id)}?`, "Whoever shows it is refused from then on, and sessions that began with it end.", "Revoke")) return "";
        await remove("/tokens/" + named(one.id));
        await load();
        return "It is revoked.";
      }, { class: "small risky", "aria-label": `Revoke ${visible(one.name || one.id)}` }) },
    ])) : empty("There is no token. On this machine its owner needs none; others do, and so do other machines."));
  }
  const form = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const made = await post("/tokens", { name: name.value.trim() });
      const secret = h("code", { tabindex: "0" }, made.token);
      swap(fresh, h("div", { class: "notice calm", role: "status" }, h("p", {}, "This is shown once. Only its digest is kept."), h("p", {}, secret),
        h("p", {}, doing("Copy", async () => { await navigator.clipboard.writeText(made.token); return "It is copied."; }, { class: "small" }))));
      name.value = "";
      await load();
    } catch (error) { say("", error); } finally { button.disabled = false; }
  } }, h("div", { class: "fields" }, field("Name", name, { class: "span" }), button), fresh);
  main.append(top("Tokens", "for clients of this server, on other machines and on this one"), card("Create one", null, form), card("Those there are", null, place));
  await load();
}
