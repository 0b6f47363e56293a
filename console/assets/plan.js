// The editor of a plan: doors are dragged, or moved with the arrow keys; a picture is sent and refused in words. Places
// stand in the fields of the form, which work without this.
"use strict";
(() => {
  const plan = document.querySelector("svg.editing");
  const PERCENT = 100;
  // One press of an arrow key, in percent; with Shift ten times as far.
  const STEP = 0.25;
  // Between doors that were just put on the plan, in percent.
  const BESIDE = 8;

  const fields = (door) => ["x", "y"].map((side) => document.querySelector(`input[name="${side}-${door}"]`));
  const typed = (door) => fields(door).map((field) => Number.parseFloat(field.value));

  const draw = (mark) => {
    const [x, y] = typed(mark.dataset.door);
    const stands = x >= 0 && x <= PERCENT && y >= 0 && y <= PERCENT;
    const row = document.querySelector(`[data-place="${mark.dataset.door}"]`);
    row.querySelector(".put").hidden = stands;
    row.querySelector(".take").hidden = !stands;
    if (!stands) return mark.setAttribute("display", "none");
    const { width, height } = plan.dataset;
    mark.removeAttribute("display");
    const at = `${(x / PERCENT) * width} ${(y / PERCENT) * height}`;
    mark.setAttribute("transform", `translate(${at}) scale(${mark.dataset.unit})`);
  };

  const put = (mark, x, y) => {
    const clamp = (value) => Math.min(PERCENT, Math.max(0, value)).toFixed(2);
    const [across, down] = fields(mark.dataset.door);
    [across.value, down.value] = [clamp(x), clamp(y)];
    draw(mark);
  };

  if (plan) {
    const marks = [...plan.querySelectorAll(".mark")];
    const where = (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(plan.getScreenCTM().inverse());
      return [(at.x / plan.dataset.width) * PERCENT, (at.y / plan.dataset.height) * PERCENT];
    };
    for (const mark of marks) {
      mark.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        mark.focus();
        mark.setPointerCapture(event.pointerId);
      });
      mark.addEventListener("pointermove", (event) => {
        if (mark.hasPointerCapture(event.pointerId)) put(mark, ...where(event));
      });
      mark.addEventListener("keydown", (event) => {
        const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
        const move = moves[event.key];
        if (!move) return;
        event.preventDefault();
        const step = event.shiftKey ? STEP * 10 : STEP;
        const [x, y] = typed(mark.dataset.door);
        put(mark, x + move[0] * step, y + move[1] * step);
      });
      for (const field of fields(mark.dataset.door)) field.addEventListener("input", () => draw(mark));
      const row = document.querySelector(`[data-place="${mark.dataset.door}"]`);
      row.querySelector(".put").addEventListener("click", () => {
        // Beside those that stand already: one upon the other could not be taken hold of.
        const others = marks.filter((other) => other !== mark && !other.hasAttribute("display")).length;
        put(mark, PERCENT / 2 + BESIDE * ((others + 4) % 9 - 4), PERCENT / 2 + BESIDE * Math.floor((others + 4) / 9));
        mark.focus();
      });
      row.querySelector(".take").addEventListener("click", () => {
        for (const field of fields(mark.dataset.door)) field.value = "";
        draw(mark);
      });
      draw(mark);
    }
  }

  const upload = document.querySelector("form.upload");
  upload.addEventListener("submit", async (event) => {
    event.preventDefault();
    const picture = upload.elements.picture.files[0];
    if (!picture) return;
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
      const answer = await fetch(`/plan/${upload.dataset.floor}/picture`, {
        method: "PUT",
        headers: { "x-csrf-token": upload.dataset.token, "content-type": "application/octet-stream" },
        body: picture,
      });
      if (answer.ok) return location.reload();
      const problem = await answer.json().catch(() => ({}));
      const code = answer.status === 413 ? "plan-too-large" : (problem.type ?? "").split("/").pop();
      refuse(upload.querySelector(`[data-code="${CSS.escape(code)}"]`)?.textContent ?? outcome.dataset.failed);
    } catch {
      refuse(outcome.dataset.failed);
    } finally {
      button.disabled = false;
    }
  });
})();
