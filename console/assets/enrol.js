// Sends a photograph to be enrolled, and says in words why it will not do.
"use strict";
(() => {
  const form = document.querySelector("form.enrol");
  if (!form) return;
  const { person, token } = form.dataset;
  const outcome = form.querySelector(".outcome");
  const twins = form.querySelector(".warning");
  const button = form.querySelector("button");

  const put = (what, photo) =>
    fetch(`/api/v1/people/${person}/${what}`, {
      method: "PUT",
      headers: { "x-csrf-token": token, "content-type": "application/octet-stream" },
      body: photo,
    });

  const words = (code) => form.querySelector(`[data-code="${CSS.escape(code)}"]`)?.textContent ?? outcome.dataset.failed;

  // To the page of somebody who looks alike.
  const link = (id, words) => {
    const to = Object.assign(document.createElement("a"), { href: `/people/${id}`, target: "_blank" });
    to.textContent = words.replace("\u2007", id);
    const line = document.createElement("li");
    line.append(to);
    return line;
  };

  const refuse = async (answer) => {
    const problem = await answer.json().catch(() => ({}));
    const code = (problem.type ?? "").split("/").pop();
    if (problem.twins) {
      const list = twins.querySelector(".twins");
      list.replaceChildren(...problem.twins.map((twin) => link(twin.person, list.dataset.words)));
      twins.hidden = false;
      outcome.textContent = "";
      return;
    }
    outcome.textContent = words(code);
    outcome.classList.add("fault");
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const photo = form.elements.photo.files[0];
    if (!photo) return;
    button.disabled = true;
    outcome.classList.remove("fault");
    outcome.textContent = outcome.dataset.busy;
    try {
      const how = new URLSearchParams();
      if (form.elements.twin.checked) how.set("twin_accepted", "true");
      if (form.dataset.capture) how.set("capture", "true");
      const answer = await put(`face?${how}`, photo);
      if (!answer.ok) return await refuse(answer);
      if (form.elements.picture?.checked) await put("picture", photo);
      location.assign(`/people/${person}?said=face-enrolled`);
    } catch {
      outcome.textContent = outcome.dataset.failed;
      outcome.classList.add("fault");
    } finally {
      button.disabled = false;
    }
  });
})();
