// Sends an image as it is: a form would wrap it.
(() => {
  const upload = document.querySelector("form.upload");
  upload.addEventListener("submit", async (event) => {
    event.preventDefault();
    const image = upload.elements.image.files[0];
    if (!image) return;
    const outcome = upload.querySelector(".outcome");
    const button = upload.querySelector("button");
    const refuse = (words) => {
      outcome.textContent = words;
      outcome.classList.add("fault");
    };
    button.disabled = true;
    outcome.classList.remove("fault");
    outcome.textContent = outcome.dataset.busy;
    try {
      const answer = await fetch("/devices/firmware/image", {
        method: "PUT",
        headers: { "x-csrf-token": upload.dataset.token, "content-type": "application/octet-stream" },
        body: image,
      });
      if (answer.ok) return location.reload();
      const refused = answer.status === 413 || answer.status === 422;
      refuse(refused ? outcome.dataset.refused : outcome.dataset.failed);
    } catch {
      refuse(outcome.dataset.failed);
    } finally {
      button.disabled = false;
    }
  });
})();
