// Follows the access token: asks /status once a second, counts down in between, and writes down what changed.
"use strict";

const PAUSE_MS = 1000;
const LOG_LINES = 30;
const at = (id) => document.getElementById(id);
let last = null; // the latest answer
let expiresAt = null; // on the page's own clock, in milliseconds
let answering = true;

function note(text) {
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString();
  line.append(time, " ", text);
  at("log").append(line);
  while (at("log").children.length > LOG_LINES) at("log").firstElementChild.remove();
}

function count(id) {
  at(id).textContent = Number(at(id).textContent) + 1;
}

function show(now) {
  if (last === null) {
    note(`This page follows token ${now.token}, generation ${now.generation}.`);
  } else if (now.token !== last.token) {
    note(
      `Token ${last.token} was refreshed: now ${now.token}, generation ${now.generation},` +
        ` after ${now.refresh_calls} refresh call(s) in all. ${at("failed").textContent} requests of this page failed.`,
    );
  }
  last = now;
  expiresAt = performance.now() + now.expires_in * 1000;
  at("life").max = now.lives;
  at("token").textContent = now.token;
  at("generation").textContent = now.generation;
  at("refreshes").textContent = now.refresh_calls;
}

function countDown() {
  if (expiresAt !== null) {
    const left = Math.max(0, (expiresAt - performance.now()) / 1000);
    at("life").value = left;
    at("left").textContent = `${Math.ceil(left)} s`;
  }
}

function ended() {
  expiresAt = null;
  at("life").value = 0;
  at("left").textContent = "none: this session has ended";
  const again = document.createElement("a");
  again.href = "/";
  again.textContent = "Sign in again";
  note("The session has ended. ");
  at("log").lastElementChild.append(again);
}

async function follow() {
  try {
    const response = await fetch("/status");
    if (response.status === 401) return ended();
    if (!response.ok) throw new Error(`status ${response.status}`);
    show(await response.json());
    count("served");
    answering = true;
  } catch (error) {
    count("failed");
    if (answering) note(`The server did not answer (${error.message}); still trying.`);
    answering = false;
  }
  setTimeout(follow, PAUSE_MS);
}

setInterval(countDown, 200);
follow();
