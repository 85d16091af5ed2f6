// The shell's script. Every page works without it; it only shortens the way:
// copying, moments that stay true, keys, dialogs in place of pages, no double submit.

const $ = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];
const say = (text) => { $("said").textContent = text; };

// A status that was there from the start is not announced: put it in once more.
if ($("flash")) requestAnimationFrame(() => say($("flash").textContent.trim()));

// --- Copy ----------------------------------------------------------------

for (const button of all("[data-copy], [data-copy-of]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy ?? $(button.dataset.copyOf).textContent);
    } catch {
      say("The browser did not let the text be copied.");
      return;
    }
    button.classList.add("copied");
    say("Copied.");
    setTimeout(() => button.classList.remove("copied"), 1500);
  });
}

// --- Moments: the same words as `console/moment.rs` ------------------------

const STEPS = [[60, 60, "min"], [3600, 48, "h"], [86400, 60, "d"], [2629746, 24, "mo"], [31556952, Infinity, "y"]];

function relative(seconds) {
  const past = seconds >= 0;
  const distance = Math.abs(seconds);
  if (distance < 60) return past ? "just now" : "in a moment";
  const [length, , unit] = STEPS.find(([length, limit]) => Math.floor(distance / length) < limit);
  const text = `${Math.floor(distance / length)} ${unit}`;
  return past ? `${text} ago` : `in ${text}`;
}

const zones = { UTC: "UTC", local: Intl.DateTimeFormat().resolvedOptions().timeZone };
let zone = localStorage.getItem("zone") === "local" ? "local" : "UTC";

function exact(moment) {
  const form = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone: zones[zone] });
  return `${form.format(moment)} ${zone === "UTC" ? "UTC" : "local"}`;
}

function turnClock() {
  for (const time of all("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if ("exact" in time.dataset) {
      time.textContent = exact(moment);
    } else {
      time.textContent = relative(Math.floor((Date.now() - moment) / 1000));
      time.title = exact(moment);
    }
  }
}

turnClock();
setInterval(turnClock, 30_000);
const turn = $("turn-zone");
if (turn) {
  const show = () => {
    $("zone").textContent = zone === "UTC" ? "UTC" : zones.local;
    turn.textContent = zone === "UTC" ? "Show local time" : "Show UTC";
  };
  turn.hidden = false;
  turn.addEventListener("click", () => {
    zone = zone === "UTC" ? "local" : "UTC";
    localStorage.setItem("zone", zone);
    show();
    turnClock();
  });
  show();
}

// --- Keys ----------------------------------------------------------------

const typing = (target) => target.closest("input, select, textarea, [contenteditable]") !== null;
let awaitingArea = 0;

function step(by) {
  const rows = all("main tbody .primary[href]");
  const here = rows.indexOf(document.activeElement);
  rows[here < 0 ? 0 : Math.min(Math.max(here + by, 0), rows.length - 1)]?.focus();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog:modal")) return;
  if (event.timeStamp < awaitingArea) {
    awaitingArea = 0;
    const area = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    if (area) { event.preventDefault(); area.click(); }
    return;
  }
  if (event.key === "/" && $("seek")) { event.preventDefault(); $("seek").focus(); }
  else if (event.key === "?" && $("help")) { event.preventDefault(); $("help").togglePopover(); }
  else if (event.key === "g") awaitingArea = event.timeStamp + 1500;
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
});

// --- Folds close like menus; dialogs stand in for pages ---------------------

addEventListener("click", ({ target }) => {
  for (const fold of all("details.fold[open]")) if (!fold.contains(target)) fold.open = false;
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const fold of all("details.fold[open]")) {
    const held = fold.contains(document.activeElement);
    fold.open = false;
    if (held) fold.querySelector("summary").focus();
  }
});

for (const link of all("a[data-dialog]")) {
  const dialog = $(link.dataset.dialog);
  link.setAttribute("role", "button");
  link.setAttribute("aria-haspopup", "dialog");
  link.addEventListener("click", (event) => { event.preventDefault(); dialog.showModal(); });
  link.addEventListener("keydown", (event) => { if (event.key === " ") { event.preventDefault(); dialog.showModal(); } });
  for (const close of dialog.querySelectorAll("[data-close]")) {
    close.addEventListener("click", (event) => { event.preventDefault(); dialog.close(); });
  }
}

// --- One submit is enough --------------------------------------------------

for (const form of all('form[method="post"]')) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
  });
}
addEventListener("pageshow", () => {
  for (const form of all("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
  }
});
