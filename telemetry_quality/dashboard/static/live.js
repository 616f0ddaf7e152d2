// Keeps an open page up to date: it receives update events over a WebSocket, or else polls every 30 seconds, and
// fetches <main> again when the store has changed. The line #live always shows the state of the connection.
//
// After <main> has been replaced, "health:replaced" is dispatched on the document.

const SILENCE_SECONDS = 60; // The server sends something every 20 s; a longer silence means a lost connection.
const GREETING_SECONDS = 10; // Some proxies accept WebSockets and pass nothing on.
const WAITS_SECONDS = [1, 2, 5, 10, 30];
const ANSWER_SECONDS = 15;
const HANDS_OFF_SECONDS = 5; // Nothing is replaced while somebody is filling in a form.
const OLD_SECONDS = 300; // Overdue snapshots depend on the clock alone, so the page is fetched again.
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

// ---- the line with the state of the connection ----

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
  // Screen readers announce every change, so unchanged text is left alone.
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
  say(state === "live" ? "Live" : "Polling every 30 seconds", ...update.map((node) => node.cloneNode(true)));
}

function sentence(changed) {
  if (changed.length === 0) return "";
  const last = changed.at(-1);
  const more = new Set(changed.map((change) => `${change.source} ${change.day}`)).size - 1;
  const rest = more > 0 ? ` and ${more} more ${more === 1 ? "day" : "days"}` : "";
  return `: ${last.source} ${last.day} is ${last.status.replace("_", " ")}${rest}`;
}

function note(changed) {
  update = [document.createTextNode(", updated "), clock(new Date()), document.createTextNode(sentence(changed))];
  show(state);
}

// ---- update events ----

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
  // After a restart, pages must not all reconnect at once.
  timer = setTimeout(connect, wait * 1000 * (0.75 + Math.random() / 2));
}

async function ask() {
  try {
    const response = await fetch("/api/health/version/", options("application/json"));
    if (response.status === 401) {
      location.reload();
      return;
    }
    if (!response.ok) throw new Error(`The response was ${response.status}`);
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

// ---- fetching the page again ----

function refresh(version, changed = [], isAgain = false) {
  fetching ??= fetchPage(changed).finally(() => {
    fetching = null;
    // The response came from another worker, which did not know of the change yet.
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
    // The present content is better than an error; the next update event tries again.
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
  const [focused, field] = [...old].find(([, element]) => element === document.activeElement) ?? [];
  const places = new Map([...old].map(([key, element]) => [key, [element.scrollLeft, element.scrollTop]]));
  const [x, y] = [scrollX, scrollY];
  main.replaceChildren(...document.adoptNode(fresh).childNodes);
  document.dispatchEvent(new Event("health:replaced"));
  const now = keyed();
  for (const [key, element] of now) {
    const before = old.get(key);
    if (before) carryOver(before, element, places.get(key));
  }
  now.get(focused)?.focus({ preventScroll: true });
  if (field?.selectionStart != null) now.get(focused)?.setSelectionRange(field.selectionStart, field.selectionEnd);
  scrollTo({ left: x, top: y, behavior: "instant" });
}

function carryOver(before, element, [left, top]) {
  if (element.matches("details")) element.open = before.open;
  if (left || top) element.scrollTo({ left, top, behavior: "instant" });
  if (!element.matches(FIELDS)) return;
  if (element.matches("[type=checkbox], [type=radio]")) {
    if (before.checked !== before.defaultChecked) element.checked = before.checked;
  } else if (element.matches("select")) {
    const chosen = new Set([...before.selectedOptions].map((option) => option.value));
    const isTouched = [...before.options].some((option) => option.selected !== option.defaultSelected);
    if (isTouched) for (const option of element.options) option.selected = chosen.has(option.value);
  } else if (before.value !== before.defaultValue) {
    element.value = before.value;
  }
}

// Elements by what they mean to people, so that a new row above them makes no difference.
function keyed() {
  const seen = new Map();
  const found = new Map();
  for (const element of main.querySelectorAll(KEPT)) {
    const key = keyOf(element);
    const count = seen.get(key) ?? 0;
    seen.set(key, count + 1);
    found.set(`${key} ${count}`, element);
  }
  return found;
}

function keyOf(element) {
  if (element.id) return `#${element.id}`;
  if (element.matches("a")) return `a ${element.getAttribute("href")}`;
  if (element.matches("input, select, textarea, button") && element.name) {
    const value = element.matches("[type=checkbox], [type=radio], button") ? element.value : "";
    return `field ${element.form?.getAttribute("action")} ${element.name} ${value}`;
  }
  const details = element.matches("details, summary") ? element.closest("details").querySelector("summary") : null;
  return `${element.localName} ${element.ariaLabel ?? ""} ${details?.textContent.trim() ?? ""}`;
}

// ---- what the user does ----

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
// A page from the browser's cache may belong to somebody who has since signed out.
addEventListener("pageshow", (event) => event.persisted && location.reload());
setInterval(() => Date.now() - fetchedAt >= OLD_SECONDS * 1000 && lookUp(), 30_000);

connect();
