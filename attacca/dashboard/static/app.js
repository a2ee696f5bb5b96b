// The frame around every page: who may come in, where one is, and what is said to those who cannot see it.

import { follow, keep, page, Refused } from "./api.js";
import { h, problem, s, swap } from "./dom.js";

const PAGES = [
  ["", "Overview", "overview"],
  ["functions", "Functions", "functions"],
  ["calls", "Invocations", "calls"],
  ["async", "Asynchronous", "async"],
  ["schedules", "Schedules", "schedules"],
  ["workflows", "Workflows", "workflows"],
  ["cluster", "Cluster", "cluster"],
  ["energy", "Energy", "energy"],
  ["laboratory", "Laboratory", "laboratory"],
  ["tokens", "Tokens", "tokens"],
];
const THEMES = ["system", "light", "dark"];
const dark = matchMedia("(prefers-color-scheme: dark)");

function theme(wanted) {
  const chosen = THEMES.includes(wanted) ? wanted : "system";
  document.documentElement.dataset.theme = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
  try { localStorage.setItem("attacca-theme", chosen); } catch { /* it is not remembered then */ }
  return chosen;
}

function remembered() {
  try { return localStorage.getItem("attacca-theme"); } catch { return null; }
}

function brand() {
  return h("a", { class: "brand", href: "#/" },
    s("svg", { viewBox: "0 0 32 32", "aria-hidden": "true" },
      s("rect", { width: 32, height: 32, rx: 7, class: "fill-accent" }),
      s("path", { d: "M6 21.5 16 7.5l10 14M11.500 25h9", fill: "none", stroke: "var(--on-accent)", "stroke-width": 3.2, "stroke-linecap": "round", "stroke-linejoin": "round" })),
    "attacca");
}

const said = () => h("div", { id: "said", class: "toast", role: "status", "aria-live": "polite" });

function alone(...children) {
  swap(document.body, h("main", { class: "alone" }, brand(), children), said());
  document.title = "attacca";
}

function login() {
  const token = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true, spellcheck: "false" });
  const told = h("div");
  const form = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    swap(told);
    const answer = await fetch("/ui/session", { method: "POST", headers: { authorization: "Bearer " + token.value.trim() } }).catch(() => null);
    if (!answer?.ok) {
      const error = (await answer?.json().catch(() => null))?.error || { message: "The server does not answer.", try: "Try again in a moment." };
      token.value = "";
      token.focus();
      swap(told, problem(new Refused(answer?.status, error.code, error.message, error.try)));
      return;
    }
    Object.assign(page, { key: (await answer.json()).key, state: "", hasSession: true });
    begin();
  } }, h("label", {}, "Token", token), h("button", { class: "main" }, "Log in"), told);
  alone(h("h1", {}, "Log in"), h("p", {}, "With a token of this server. ", h("code", {}, "attacca token create"), " makes one, on the server itself."), form);
  token.focus();
}

function turnedAway(title, text, address) {
  alone(h("h1", {}, title), h("p", {}, text), address && h("p", {}, h("code", {}, address)));
}

function begin() {
  const main = h("main", { id: "main", tabindex: "-1" });
  const links = PAGES.map(([place, name]) => h("a", { href: "#/" + place, "data-place": place }, name));
  const chooser = h("select", { "aria-label": "Colours", onchange: () => theme(chooser.value) }, THEMES.map((one) => h("option", { value: one }, { system: "Colours: system", light: "Colours: light", dark: "Colours: dark" }[one])));
  chooser.value = theme(remembered());
  const state = h("span", { class: "where", role: "status" }, "connecting");
  document.addEventListener("here", (event) => { state.textContent = event.detail ? "live" : "the server does not answer"; });
  const out = h("button", { type: "button", class: "small", onclick: async () => { await fetch("/ui/session", { method: "DELETE" }); history.replaceState(null, ""); location.reload(); } }, "Log out");
  swap(document.body,
    h("a", { class: "skip", href: "#main", onclick: (event) => { event.preventDefault(); main.focus(); } }, "Skip to the content"),
    h("div", { class: "shell" },
      h("header", { class: "side" }, brand(), h("nav", { "aria-label": "Pages" }, links), h("footer", {}, state, chooser, page.hasSession ? out : null)),
      main),
    said());
  let leaving = new AbortController();
  let isFirst = true;
  const go = async () => {
    leaving.abort();
    leaving = new AbortController();
    const signal = leaving.signal;
    keep();
    const [place, ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
    const found = PAGES.find(([name]) => name === place) || PAGES[0];
    for (const link of links) link.toggleAttribute("aria-current", link.dataset.place === found[0]);
    for (const link of links) if (link.hasAttribute("aria-current")) { link.setAttribute("aria-current", "page"); reveal(link); }
    try {
      const { show } = await import(`./pages/${found[2]}.js`);
      if (signal.aborted) return;
      swap(main);
      await show(main, rest.filter(Boolean), signal);
    } catch (error) {
      if (signal.aborted) return;
      console.warn(error);
      swap(main, h("h1", { tabindex: "-1" }, "This cannot be shown"), problem(error));
    }
    if (signal.aborted) return;
    const heading = main.querySelector("h1");
    document.title = (heading ? heading.textContent + " · " : "") + "attacca";
    if (!isFirst) { scrollTo(0, 0); heading?.focus(); }
    isFirst = false;
  };
  addEventListener("hashchange", go);
  document.addEventListener("refused", (event) => {
    leaving.abort();
    turnedAway("The server has begun anew, or the session has ended", event.detail.message);
    document.querySelector("main").append(h("p", {}, h("button", { class: "main", onclick: () => { history.replaceState(null, ""); location.reload(); } }, "Reload")));
  }, { once: true });
  follow();
  go();
}

// On a phone the pages stand in a row that is wider than it.
function reveal(link) {
  const row = link.parentElement;
  row.scrollLeft = link.offsetLeft - row.offsetLeft - (row.clientWidth - link.offsetWidth) / 2;
}

function decoded(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

theme(remembered());
dark.addEventListener("change", () => theme(remembered()));
if (page.state === "login") login();
else if (page.state === "typed") turnedAway("Open this page yourself", "It was opened by another page, which could read what it shows. Type its address, paste it, or open a bookmark:", location.origin + "/ui");
else if (page.state === "secured") turnedAway("This needs https, or this machine", "Over plain http from another machine a browser does not say whose page asks. Put a proxy with TLS before the server, or bring its port here:", `ssh -L 8080:127.0.0.1:${location.port || 80} ${location.hostname}`);
else begin();
