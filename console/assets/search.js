// Shows what a search finds while it is typed. Without this script the form does the same at the press of a key.
"use strict";
(() => {
  const field = document.querySelector("input[data-results]");
  if (!field) return;
  const PAUSE_MS = 200;
  const results = document.getElementById(field.dataset.results);
  let timer = 0;
  let asked = null;

  const search = async () => {
    const address = new URL(field.form.action);
    for (const [name, value] of new FormData(field.form)) if (value.trim()) address.searchParams.set(name, value.trim());
    asked?.abort();
    asked = new AbortController();
    try {
      const answer = await fetch(address, { signal: asked.signal, headers: { accept: "text/html" } });
      // Signed out meanwhile, or refused: the page that says so.
      if (!answer.ok || answer.redirected) return location.assign(address);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      results.replaceChildren(...page.getElementById(results.id).childNodes);
      history.replaceState(null, "", address);
    } catch (error) {
      if (error.name !== "AbortError") field.form.submit();
    }
  };

  field.addEventListener("input", (event) => {
    clearTimeout(timer);
    // Letters of pinyin are not the question until the input method has made characters of them.
    if (!event.isComposing) timer = setTimeout(search, PAUSE_MS);
  });
  for (const filter of field.form.querySelectorAll("[data-filters]")) filter.addEventListener("change", search);
  field.addEventListener("compositionend", () => {
    clearTimeout(timer);
    timer = setTimeout(search, PAUSE_MS);
  });
})();
