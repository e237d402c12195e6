// Keeps an open page current: whether the session still exists, and on the profile the access token's lifetime. The data
// attributes of a page hold its first values. Without this script the page shows these values until a reload.
"use strict";

const POLL_EVERY_MS = 10_000;
const TICK_MS = 250;
const LOG_LINES = 30;
const body = document.body;
const at = (id) => document.getElementById(id);
const tabs = "BroadcastChannel" in window ? new BroadcastChannel("session") : null;
let pendingPoll = null; // the current request
let token = at("token")?.textContent ?? null;
let expiresAt = null; // on this page's own clock, in milliseconds

function identity() {
  return `${body.dataset.session} ${body.dataset.name}`;
}

function isSignedIn() {
  return body.dataset.session === "on";
}

function showEnd(why = "You have been signed out.", path = "/sign-in", name = "Sign in again") {
  if (!isSignedIn()) return;
  body.dataset.session = "ended";
  expiresAt = null;
  const onward = document.createElement("a");
  onward.href = path === "/sign-in" ? `${path}?return_to=${encodeURIComponent(location.pathname)}` : path;
  onward.textContent = name;
  at("alert").append(why, " ", onward);
  showLeft(0, "none: the session has ended");
}

// One request at a time: responses in order cannot replace a newer cookie with an older one.
function pollStatus() {
  pendingPoll ??= fetch("/status", { cache: "no-store" })
    .then(async (response) => {
      showCost(response.headers.get("X-Calls"));
      if (response.status === 401) return showEnd();
      if (response.ok) return showStatus(await response.json());
      return addToLog("The server could not check the session. The page will try again.");
    })
    .catch(() => addToLog("The server did not answer. The page will try again."))
    .finally(() => {
      pendingPoll = null;
    });
  return pendingPoll;
}

function showCost(cost) {
  const line = at("panel-live");
  if (line === null || cost === null) return;
  line.hidden = false;
  line.textContent = `This page requested /status at ${new Date().toLocaleTimeString()}: ${cost}.`;
}

function addToLog(text) {
  const log = at("log");
  if (log === null) return;
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString();
  line.append(time, text);
  log.append(line);
  while (log.children.length > LOG_LINES) log.firstElementChild.remove();
}

function showStatus(now) {
  if (now.username !== body.dataset.name) return showEnd("Another user is signed in now.", location.pathname, "Reload");
  if (token === null) return;
  if (now.token !== token) addToLog(`Token ${token} expired. The new token is ${now.token}, generation ${now.generation}.`);
  token = now.token;
  at("token").textContent = now.token;
  at("generation").textContent = now.generation;
  follow(now.left, now.life);
}

function follow(left, life) {
  at("life").max = life;
  expiresAt = performance.now() + left * 1000;
  tick();
}

function showLeft(left, text) {
  if (at("life") === null) return;
  at("life").value = left;
  at("left").textContent = text;
}

function tick() {
  if (expiresAt === null) return;
  const left = Math.max(0, (expiresAt - performance.now()) / 1000);
  showLeft(left, `${Math.ceil(left)} s`);
  if (left === 0) {
    expiresAt = null;
    pollStatus();
  }
}

// A passkey (W3C Web Authentication): passes Cognito's request to the browser, and the browser's response to the form.
async function usePasskey(form) {
  try {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(form.dataset.passkey));
    form.elements.answer.value = JSON.stringify(await navigator.credentials.get({ publicKey }));
    form.submit();
  } catch {
    at("passkey-problem").textContent = "The browser returned no passkey. Try again, or start over and choose another way.";
  }
}

for (const form of document.querySelectorAll("[data-passkey]")) {
  const button = form.querySelector("button");
  button.disabled = false;
  button.addEventListener("click", () => usePasskey(form));
}
for (const element of document.querySelectorAll("[data-without-script]")) element.hidden = true;
if (isSignedIn()) {
  setInterval(() => document.hidden || pollStatus(), POLL_EVERY_MS);
  document.addEventListener("visibilitychange", () => document.hidden || pollStatus());
  window.addEventListener("pageshow", (event) => event.persisted && pollStatus());
  tabs?.addEventListener("message", ({ data }) => data === identity() || pollStatus()); // check what another tab reports
}
if (at("token-life") !== null) {
  follow(Number(at("token-life").dataset.left), Number(at("token-life").dataset.life));
  setInterval(tick, TICK_MS);
}
if (body.dataset.session !== "unknown") tabs?.postMessage(identity());
