// Single keys for people who do not want to reach for the mouse. They move the focus or follow a link, never decide:
// "a" goes to the button, and Enter presses it. What a key does is on the page, so that each page has what fits:
//
//   j, k   the links that name rows, except those of calendars
//   [, ]   the links rel=prev and rel=next
//   a      the element with data-key=a; in a list of incidents the accept button of the incident with the focus
//   /      the element with data-key="/", or else the first field of the filters
//
// Everybody can switch them off, because dictation software types letters (WCAG 2.1.4).

const OFF = "telemetry-quality-keys-off";
const ROWS = "main :not(.calendar) > table th[scope=row] a[href]";
const FIELDS = "input, select, textarea, [contenteditable]";
const INCIDENT = /^\/health\/incidents\/[^/]+\/[^/]+\/$/;

const KEYS = [
  [["j", "k"], "the next row, the row before; Enter opens it"],
  [["[", "]"], "the day, incident or page before, the next"],
  [["a"], "to the button that accepts; Enter presses it"],
  [["/"], "to the filters"],
  [["?"], "what the keys do"],
  [["Esc"], "leave the filters, or close this"],
];

const isSeen = (element) => element.checkVisibility();
const first = (selector) => [...document.querySelectorAll(selector)].find(isSeen);

function focus(element) {
  element?.focus();
  element?.scrollIntoView({ block: "nearest" });
}

function move(by) {
  const rows = [...document.querySelectorAll(ROWS)].filter(isSeen);
  const at = rows.findIndex((row) => row.closest("tr").contains(document.activeElement));
  focus(rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1)]);
}

function accept() {
  const button = first("[data-key=a]");
  const link = document.activeElement.closest("a[href]");
  if (button) focus(button);
  else if (link && INCIDENT.test(link.pathname)) location.assign(`${link.pathname}#accept`);
}

const ACTIONS = {
  j: () => move(1),
  k: () => move(-1),
  "[": () => first("main a[rel=prev]")?.click(),
  "]": () => first("main a[rel=next]")?.click(),
  a: accept,
  "/": () => focus(first('[data-key="/"]') ?? first(`.filters :is(${FIELDS})`)),
  "?": open,
};

// ---- what the keys do, in a dialog ----

function made(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function dialog() {
  const list = made("dl", { className: "pairs" });
  for (const [keys, words] of KEYS) {
    const term = made("dt", {}, ...keys.flatMap((key) => [made("kbd", {}, key), " "]));
    list.append(term, made("dd", {}, words));
  }
  const box = made("input", { type: "checkbox", checked: !isOff() });
  box.addEventListener("change", () => localStorage.setItem(OFF, box.checked ? "" : "yes"));
  const close = made("button", { type: "button", autofocus: true }, "Close");
  const window = made(
    "dialog",
    { className: "keys", ariaLabel: "Keys" },
    made("h2", {}, "Keys"),
    list,
    made("label", {}, box, " Single keys are on in this browser"),
    close,
  );
  close.addEventListener("click", () => window.close());
  window.addEventListener("close", () => window.remove());
  return window;
}

function open() {
  if (document.querySelector("dialog.keys")) return;
  const window = dialog();
  document.body.append(window);
  window.showModal();
}

function isOff() {
  return Boolean(localStorage.getItem(OFF));
}

const button = made("button", { type: "button", className: "quiet", ariaLabel: "Keys", title: "Keys (?)" }, "?");
button.addEventListener("click", open);
document.querySelector(".who")?.prepend(button);

addEventListener("keydown", (event) => {
  const isTyped = !(event.ctrlKey || event.metaKey || event.altKey) || event.getModifierState("AltGraph");
  const isField = event.target.matches?.(FIELDS);
  if (isField && event.key === "Escape") event.target.blur();
  if (!isTyped || isField || event.isComposing || event.defaultPrevented || isOff()) return;
  if (!Object.hasOwn(ACTIONS, event.key) || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  ACTIONS[event.key]();
});
