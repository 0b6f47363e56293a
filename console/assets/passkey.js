// Makes a passkey and signs in with one. Where a browser has none the parts stay hidden, and the password does.
"use strict";
(() => {
  if (!window.PublicKeyCredential) return;

  const bytes = (text) => {
    const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  };
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  const known = (list) => list.map((it) => ({ ...it, id: bytes(it.id) }));

  const make = async (options) => {
    const publicKey = {
      ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: known(options.excludeCredentials),
    };
    const { rawId, response } = await navigator.credentials.create({ publicKey });
    return {
      rawId: text(rawId),
      response: { clientDataJSON: text(response.clientDataJSON), attestationObject: text(response.attestationObject) },
    };
  };

  const sign = async (options) => {
    const publicKey = {
      ...options, challenge: bytes(options.challenge), allowCredentials: known(options.allowCredentials),
    };
    const { rawId, response } = await navigator.credentials.get({ publicKey });
    return {
      rawId: text(rawId),
      response: {
        clientDataJSON: text(response.clientDataJSON), authenticatorData: text(response.authenticatorData),
        signature: text(response.signature), userHandle: response.userHandle && text(response.userHandle),
      },
    };
  };

  // What a browser's refusals are called here.
  const REFUSALS = { NotAllowedError: "cancelled", InvalidStateError: "passkey-exists", SecurityError: "host" };

  class Refusal extends Error {}

  const ask = async (address, token, body, kind) => {
    const headers = { accept: "application/json", "content-type": kind };
    if (token) headers["x-csrf-token"] = token;
    const answer = await fetch(address, { method: "POST", headers, body });
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Refusal((said.type ?? "").split("/").pop());
    return said;
  };

  for (const part of document.querySelectorAll("[data-passkey]")) {
    const { passkey: what, begin, finish, token } = part.dataset;
    const button = part.querySelector("button");
    const outcome = part.querySelector(".outcome");
    const form = part.querySelector("form");

    const say = (code) => {
      const words = part.querySelector(`[data-code="${CSS.escape(code)}"]`) ?? part.querySelector('[data-code="failed"]');
      const field = words.dataset.field && form?.elements[words.dataset.field];
      const at = field ? field.parentElement.querySelector(".fault") : outcome;
      at.textContent = words.textContent;
      if (!field) return outcome.classList.add("fault");
      field.setAttribute("aria-invalid", "true");
      field.focus();
    };

    const quiet = () => {
      outcome.textContent = "";
      outcome.classList.remove("fault");
      for (const fault of part.querySelectorAll("label .fault")) fault.textContent = "";
      for (const field of part.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
    };

    const go = async () => {
      quiet();
      button.disabled = true;
      try {
        const typed = form ? new URLSearchParams(new FormData(form)) : new URLSearchParams();
        const options = await ask(begin, token, typed, "application/x-www-form-urlencoded");
        outcome.textContent = outcome.dataset.busy;
        const answer = await (what === "make" ? make(options) : sign(options));
        const { to } = await ask(finish, token, JSON.stringify(answer), "application/json");
        location.assign(to);
      } catch (error) {
        outcome.textContent = "";
        say(error instanceof Refusal ? error.message : (REFUSALS[error.name] ?? "failed"));
      } finally {
        button.disabled = false;
      }
    };

    if (form) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        go();
      });
    } else {
      button.addEventListener("click", go);
    }
    part.hidden = false;
  }
  for (const words of document.querySelectorAll("[data-without-passkeys]")) words.hidden = true;
})();
