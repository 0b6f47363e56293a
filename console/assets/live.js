// Makes the live page live: one EventSource, ages that count, and a plain word when the picture is old.
"use strict";
(() => {
  const live = document.getElementById("live");
  if (!live) return;
  const STALE_AFTER_MS = 5000;
  const words = document.getElementById("words").dataset;
  const stale = document.getElementById("stale");
  const events = document.getElementById("events");
  const pause = document.getElementById("pause");
  const EVENTS_SHOWN = Number(events?.dataset.most ?? 200);
  const state = document.getElementById("state");
  // The server's clock minus this browser's, so that ages do not depend on how the browser's clock is set.
  let clockError = Number(live.dataset.now) / 1000 - Date.now();
  let heardAt = Date.now();
  let connected = false;

  // When each device was last heard, as the server told with its last beat.
  let devices = {};

  const heard = (serverNow) => {
    heardAt = Date.now();
    connected = true;
    if (serverNow) clockError = Number(serverNow) / 1000 - heardAt;
  };

  const age = (at) => {
    const seconds = Math.max(0, Math.floor((Date.now() + clockError - at / 1000) / 1000));
    if (seconds < 2) return words.now;
    if (seconds < 120) return words.seconds.replace("\u2007", seconds);
    if (seconds < 7200) return words.minutes.replace("\u2007", Math.floor(seconds / 60));
    return words.hours.replace("\u2007", Math.floor(seconds / 3600));
  };

  const tick = () => {
    for (const time of state.querySelectorAll("time[data-at]")) {
      const text = age(Number(devices[time.dataset.heard] ?? time.dataset.at));
      if (time.textContent !== text) time.textContent = text;
    }
    for (const time of state.querySelectorAll("time[data-until]")) {
      const left = Math.max(0, Math.floor((time.dataset.until / 1000 - Date.now() - clockError) / 1000));
      const text = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
      if (time.textContent !== text) time.textContent = text;
    }
    const silent = Date.now() - heardAt > STALE_AFTER_MS;
    document.body.classList.toggle("is-stale", silent);
    if (silent && stale.hidden) {
      const when = new Date(heardAt + clockError).toLocaleTimeString(document.documentElement.lang, {
        timeZone: live.dataset.zone, hour12: false,
      });
      stale.textContent = connected ? stale.dataset.lost.replace("\u2007", when) : stale.dataset.never;
    }
    stale.hidden = !silent;
  };

  // Puts a new drawing in place of the old one. Where both have the same parts only those that differ are exchanged, so
  // that what is focused or opened elsewhere stays so.
  const redraw = (html) => {
    const fresh = state.cloneNode(false);
    fresh.innerHTML = html;
    const parts = (drawing) => [...drawing.querySelectorAll("[data-live]")];
    const [old, next] = [parts(state), parts(fresh)];
    const same = old.length === next.length && old.every((part, at) => part.dataset.live === next[at].dataset.live);
    if (!("parts" in state.dataset) || !same) return state.replaceChildren(...fresh.childNodes);
    old.forEach((part, at) => {
      if (part.outerHTML === next[at].outerHTML) return;
      const focused = part.contains(document.activeElement);
      part.replaceWith(next[at]);
      if (focused) (next[at].matches("a") ? next[at] : next[at].querySelector("a"))?.focus();
    });
  };

  const stream = new URL(live.dataset.stream, location);
  stream.searchParams.set("after", live.dataset.after);
  const source = new EventSource(stream);
  source.addEventListener("beat", (message) => {
    const beat = JSON.parse(message.data);
    devices = beat.heard;
    heard(beat.now);
    tick();
  });
  source.addEventListener("state", (message) => {
    heard();
    redraw(message.data);
    tick();
  });

  const add = (message) => {
    if (!events || events.querySelector(`[data-seq="${CSS.escape(message.lastEventId)}"]`)) return;
    events.querySelector(".empty")?.remove();
    events.insertAdjacentHTML("afterbegin", message.data);
    events.firstElementChild.classList.add("fresh");
    while (events.children.length > EVENTS_SHOWN) events.lastElementChild.remove();
  };

  // What comes while somebody looks closely waits, as much as is shown; the oldest goes first, as it would there.
  const held = [];
  const isPaused = () => pause?.getAttribute("aria-pressed") === "true";
  const press = () => {
    const { pause: words, goOn } = pause.dataset;
    const go = isPaused();
    pause.setAttribute("aria-pressed", String(!go));
    pause.textContent = go ? words : goOn;
    if (go) held.splice(0).forEach(add);
  };
  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", press);
    document.addEventListener("keydown", (event) => {
      const { key, ctrlKey, altKey, metaKey, target } = event;
      if (key.toLowerCase() === "p" && !ctrlKey && !altKey && !metaKey && !target.closest("input, textarea, select")) press();
    });
  }

  source.addEventListener("record", (message) => {
    heard();
    if (!isPaused()) return add(message);
    held.push(message);
    if (held.length > EVENTS_SHOWN) held.shift();
    pause.textContent = pause.dataset.held.replace("\u2007", held.length);
  });
  // The session ended, or the server wants the page anew.
  source.addEventListener("reload", () => location.reload());
  // Closed for good means that the server answered something else than a stream: the session is over.
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) location.reload();
  });
  setInterval(tick, 1000);
})();
