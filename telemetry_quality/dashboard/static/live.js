// Keeps an open page true: hears of news over a WebSocket, else asks every half minute, and fetches the page's
// <main> again when the store says something else than the page. The line #live always shows which of these it is.
//
// After <main> was put in place of the old one, "health:replaced" is dispatched on the document.

const SILENCE_SECONDS = 60; // The server says something every 20 s; longer silence is a lost connection.
const GREETING_SECONDS = 10; // A proxy that swallows WebSockets opens them and passes nothing on.
const WAITS_SECONDS = [1, 2, 5, 10, 30];
const ANSWER_SECONDS = 15;
const HANDS_OFF_SECONDS = 5; // Nothing is replaced under the hands of somebody who fills in a form.
const OLD_SECONDS = 300; // What should have come by now is shown by the clock alone, so the page is fetched again.
const SIGNED_OUT = 4401;
const SIGNS = { live: "●", polling: "↻", lost: "✗" };
const KEPT = "[id], [tabindex], a[href], button, details, summary, input:not([type=hidden]), select, textarea";
const FIELDS = "input:not([type=hidden]), select, textarea";

const root = document.documentElement;
const line = document.getElementById("live");
const main = document.getElementById("main");

let shown = root.dataset.version;
let fetchedAt = Date.now();
let fetching = null;
let socket = null;
let timer = 0;
let tries = 0;
let lostAt = null;
let state = "";
let update = [];
let handsOnUntil = 0;

// ---- the line that shows how true the page is ----

function clock(instant) {
  const time = document.createElement("time");
  time.dateTime = instant.toISOString();
  time.title = `${time.dateTime.slice(0, 19).replace("T", " ")} UTC`;
  time.textContent = instant.toLocaleTimeString("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
  });
  return time;
}

function say(...words) {
  const sign = document.createElement("span");
  sign.className = "sign";
  sign.ariaHidden = "true";
  sign.textContent = SIGNS[state];
  const before = line.textContent;
  const shown = document.createElement("span");
  shown.append(sign, " ", ...words);
  // A screen reader reads what changes: what stays the same is left alone.
  if (shown.textContent !== before) line.replaceChildren(...shown.childNodes);
  line.dataset.state = state;
}

function show(now) {
  state = now;
  if (state === "lost") {
    lostAt ??= new Date();
    say("Connection lost since ", clock(lostAt), "; this page may be out of date");
    return;
  }
  lostAt = null;
  say(state === "live" ? "Live" : "Asking every half minute", ...update.map((one) => one.cloneNode(true)));
}

function sentence(changed) {
  if (changed.length === 0) return "";
  const last = changed.at(-1);
  const more = new Set(changed.map((one) => `${one.source} ${one.day}`)).size - 1;
  const rest = more > 0 ? ` and ${more} more ${more === 1 ? "day" : "days"}` : "";
  return `: ${last.source} ${last.day} is ${last.status.replace("_", " ")}${rest}`;
}

function note(changed) {
  update = [document.createTextNode(", updated "), clock(new Date()), document.createTextNode(sentence(changed))];
  show(state);
}

// ---- news ----

function hear({ version, changed = [] }) {
  if (version !== shown) refresh(version, changed);
}

function connect() {
  clearTimeout(timer);
  drop();
  try {
    socket = new WebSocket(new URL("/health/live/", location.href.replace(/^http/, "ws")));
  } catch {
    lose();
    return;
  }
  const mine = socket;
  const listen = (seconds) => {
    clearTimeout(timer);
    timer = setTimeout(lose, seconds * 1000);
  };
  listen(GREETING_SECONDS);
  mine.onmessage = (message) => {
    tries = 0;
    listen(SILENCE_SECONDS);
    show("live");
    hear(JSON.parse(message.data));
  };
  mine.onclose = (closing) => {
    if (mine !== socket) return;
    if (closing.code === SIGNED_OUT) location.reload();
    else lose();
  };
}

function drop() {
  const old = socket;
  socket = null;
  old?.close();
}

async function lose() {
  clearTimeout(timer);
  drop();
  await ask();
  const wait = WAITS_SECONDS[Math.min(tries, WAITS_SECONDS.length - 1)];
  tries += 1;
  // Not all pages at once after a restart.
  timer = setTimeout(connect, wait * 1000 * (0.75 + Math.random() / 2));
}

async function ask() {
  try {
    const response = await fetch("/api/health/version/", options("application/json"));
    if (response.status === 401) {
      location.reload();
      return;
    }
    if (!response.ok) throw new Error(`The answer was ${response.status}`);
    const update = await response.json();
    show("polling");
    hear(update);
  } catch {
    show("lost");
  }
}

function options(accepted) {
  return { headers: { Accept: accepted }, cache: "no-store", signal: AbortSignal.timeout(ANSWER_SECONDS * 1000) };
}

// ---- the page again ----

function refresh(version, changed = [], isAgain = false) {
  fetching ??= fetchPage(changed).finally(() => {
    fetching = null;
    // Another worker answered, which did not know yet.
    if (version && version !== shown && !isAgain) setTimeout(refresh, 2000, version, [], true);
  });
  return fetching;
}

async function fetchPage(changed) {
  let page;
  try {
    const response = await fetch(location.href, options("text/html"));
    const isElsewhere = response.redirected && new URL(response.url).pathname !== location.pathname;
    if (isElsewhere || response.status === 401) {
      location.reload();
      return;
    }
    // What stands there is better than an error; the next news try again.
    if (response.status >= 500) return;
    page = new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    return;
  }
  await handsOff();
  fetchedAt = Date.now();
  const isNew = page.documentElement.dataset.version !== shown;
  shown = root.dataset.version = page.documentElement.dataset.version;
  document.title = page.title;
  replace(page.getElementById("main"));
  if (isNew || changed.length > 0) note(changed);
}

async function handsOff() {
  while (main.contains(document.activeElement) && document.activeElement.matches(FIELDS)) {
    const left = handsOnUntil - Date.now();
    if (left <= 0) return;
    await new Promise((resolve) => setTimeout(resolve, left));
  }
}

function replace(fresh) {
  if (!fresh) return;
  const old = keyed();
  const [focused, field] = [...old].find(([, one]) => one === document.activeElement) ?? [];
  const places = new Map([...old].map(([key, one]) => [key, [one.scrollLeft, one.scrollTop]]));
  const [x, y] = [scrollX, scrollY];
  main.replaceChildren(...document.adoptNode(fresh).childNodes);
  document.dispatchEvent(new Event("health:replaced"));
  const now = keyed();
  for (const [key, one] of now) {
    const before = old.get(key);
    if (before) carryOver(before, one, places.get(key));
  }
  now.get(focused)?.focus({ preventScroll: true });
  if (field?.selectionStart != null) now.get(focused)?.setSelectionRange(field.selectionStart, field.selectionEnd);
  scrollTo({ left: x, top: y, behavior: "instant" });
}

function carryOver(before, one, [left, top]) {
  if (one.matches("details")) one.open = before.open;
  if (left || top) one.scrollTo({ left, top, behavior: "instant" });
  if (!one.matches(FIELDS)) return;
  if (one.matches("[type=checkbox], [type=radio]")) {
    if (before.checked !== before.defaultChecked) one.checked = before.checked;
  } else if (one.matches("select")) {
    const chosen = new Set([...before.selectedOptions].map((option) => option.value));
    const isTouched = [...before.options].some((option) => option.selected !== option.defaultSelected);
    if (isTouched) for (const option of one.options) option.selected = chosen.has(option.value);
  } else if (before.value !== before.defaultValue) {
    one.value = before.value;
  }
}

// Elements by what they are to people, so that a row more above them makes no difference.
function keyed() {
  const seen = new Map();
  const found = new Map();
  for (const one of main.querySelectorAll(KEPT)) {
    const key = keyOf(one);
    const count = seen.get(key) ?? 0;
    seen.set(key, count + 1);
    found.set(`${key} ${count}`, one);
  }
  return found;
}

function keyOf(one) {
  if (one.id) return `#${one.id}`;
  if (one.matches("a")) return `a ${one.getAttribute("href")}`;
  if (one.matches("input, select, textarea, button") && one.name) {
    const value = one.matches("[type=checkbox], [type=radio], button") ? one.value : "";
    return `field ${one.form?.getAttribute("action")} ${one.name} ${value}`;
  }
  const details = one.matches("details, summary") ? one.closest("details").querySelector("summary") : null;
  return `${one.localName} ${one.ariaLabel ?? ""} ${details?.textContent.trim() ?? ""}`;
}

// ---- what the person at the page does ----

for (const kind of ["keydown", "input", "pointerdown"]) {
  main.addEventListener(kind, (event) => {
    if (event.target.matches(FIELDS)) handsOnUntil = Date.now() + HANDS_OFF_SECONDS * 1000;
  });
}

function lookUp() {
  if (document.visibilityState !== "visible") return;
  if (state !== "live") connect();
  if (Date.now() - fetchedAt >= OLD_SECONDS * 1000) refresh("");
}

document.addEventListener("visibilitychange", lookUp);
addEventListener("online", lookUp);
// A page from the browser's cache may belong to somebody who has signed out since.
addEventListener("pageshow", (event) => event.persisted && location.reload());
setInterval(() => Date.now() - fetchedAt >= OLD_SECONDS * 1000 && lookUp(), 30_000);

connect();
