// What pages are made of. Whatever comes from elsewhere becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

export function s(tag, props = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

function filled(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Characters that would move a cursor, ring a bell or turn the direction of writing, spelt out.
export function visible(text) {
  return String(text)
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (one) => "\\x" + one.charCodeAt(0).toString(16).padStart(2, "0"))
    .replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (one) => "\\u" + one.charCodeAt(0).toString(16).padStart(4, "0"));
}

// In place of what an element has. Who has the focus in it has it again in what stands there for it.
export function swap(element, ...children) {
  const before = document.activeElement, isInside = before && before !== element && element.contains(before);
  element.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  if (isInside) [...element.querySelectorAll(before.tagName)].find((one) => alike(one, before))?.focus({ preventScroll: true });
  return element;
}

const alike = (one, other) => ["href", "aria-label", "name"].every((name) => one.getAttribute(name) === other.getAttribute(name)) && one.textContent === other.textContent;

export function card(title, sub, ...children) {
  const heading = h("h2", {}, title);
  return h("section", { class: "card", "aria-label": title }, h("header", {}, heading, sub && h("span", { class: "sub" }, sub)), children);
}

export function top(title, sub, ...actions) {
  return h("div", { class: "top" },
    h("div", {}, h("h1", { tabindex: "-1" }, title), sub && h("p", { class: "sub" }, sub)),
    actions.length ? h("div", { class: "actions" }, actions) : null);
}

export function crumb(href, text) {
  return h("a", { class: "crumb", href }, "‹ " + text);
}

export function tile(label) {
  const value = h("dd", {}, "–");
  const note = h("div", { class: "note" }, "\u00a0");
  const element = h("dl", { class: "tile" }, h("dt", {}, label), value, note);
  return {
    element,
    set(text, unit = "", more = "") {
      swap(value, text, unit && h("small", {}, unit));
      note.textContent = more || "\u00a0";
    },
  };
}

// Rows of cells; a cell is text, an element, or {n: text} for numbers, {when}, {wide}, {do}. On phones each row is a card.
export function table(columns, rows, props = {}) {
  const cells = (row) => row.map((cell, index) => {
    const label = columns[index].replace(/^#/, "");
    const is = (kind) => cell !== null && typeof cell === "object" && !(cell instanceof Node) && !Array.isArray(cell) && kind in cell;
    if (is("n")) return h("td", { class: "n", "data-label": label }, cell.n);
    if (is("wide")) return h("td", { class: "wide", "data-label": label }, cell.wide);
    if (is("when")) return h("td", { class: "nowrap", "data-label": label }, cell.when);
    if (is("do")) return h("td", { class: "do" }, cell.do);
    return h("td", { "data-label": label }, cell);
  });
  return h("div", { class: "scroll" }, h("table", { class: "cards", ...props },
    h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col", class: name.startsWith("#") && "n" }, name.replace(/^#/, ""))))),
    h("tbody", {}, rows.map((row) => h("tr", {}, cells(row))))));
}

export function empty(text, command) {
  return h("div", { class: "empty" }, text, command && h("code", {}, command));
}

export function problem(error) {
  return h("div", { class: "notice", role: "alert" }, h("div", {}, visible(error.message)), error.hint && h("div", { class: "try" }, visible(error.hint)));
}

export function startKind(kind, outcome) {
  if (!kind) return h("span", { class: "start failed" }, "none");
  return h("span", { class: "start " + (outcome && outcome !== "ok" ? "failed" : kind) }, kind);
}

export function field(label, control, props = {}) {
  return h("label", props, label, control);
}

// What is said of something that was done, also to who does not see.
export function say(text, error) {
  const region = document.getElementById("said");
  const note = error ? problem(error) : h("div", { class: "notice calm" }, text);
  region.append(note);
  setTimeout(() => note.remove(), error ? 12000 : 5000);
}

export function ask(title, text, verb, isRisky = true) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "asked" },
      h("h2", { id: "asked" }, title), h("p", {}, text),
      h("div", { class: "actions" },
        h("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"),
        h("button", { type: "button", class: isRisky ? "risky" : "main", onclick: () => dialog.close("yes") }, verb)));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// A button that does something once at a time and says what came of it.
export function doing(text, work, props = {}) {
  const button = h("button", { type: "button", ...props, onclick: async () => {
    button.disabled = true;
    try { const said = await work(); if (said) say(said); } catch (error) { if (error.name !== "AbortError") say("", error); } finally { button.disabled = false; }
  } }, text);
  return button;
}
