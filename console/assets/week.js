// Draws the week anew while hours are typed. Without this it is drawn when the form is sent.
"use strict";
(() => {
  const week = document.querySelector("form.sheet svg.week");
  if (!week) return;
  const DAY = 1440;
  const [LEFT, WIDE, ROW, TOP] = [104, 720, 26, 24];
  const SVG = "http://www.w3.org/2000/svg";
  const form = week.closest("form");

  const minute = (text) => {
    const parts = /^(\d{2}):(\d{2})$/.exec(text.trim());
    const value = parts ? Number(parts[1]) * 60 + Number(parts[2]) : -1;
    return parts && Number(parts[2]) < 60 && value <= DAY ? value : -1;
  };

  const bar = (row, from, until, goesOn) => {
    const open = document.createElementNS(SVG, "rect");
    const attributes = {
      class: goesOn ? "open goes-on" : "open", x: LEFT + (from / DAY) * WIDE, y: TOP + row * ROW + 3,
      width: ((until - from) / DAY) * WIDE, height: 20, rx: 3,
    };
    for (const [name, value] of Object.entries(attributes)) open.setAttribute(name, value);
    week.append(open);
  };

  form.addEventListener("input", () => {
    for (const open of week.querySelectorAll("rect.open")) open.remove();
    for (const first of form.querySelectorAll('input[name^="from-"]')) {
      const at = first.name.slice("from-".length);
      const from = minute(first.value);
      let until = minute(form.elements[`until-${at}`].value);
      if (from < 0 || until < 0 || from >= DAY) continue;
      if (until <= from) until += DAY;
      for (const box of form.querySelectorAll(`input[name="days-${at}"]:checked`)) {
        const day = Number(box.value);
        // Unusual days have no row until the form was sent.
        if (day > 6) continue;
        bar(day, from, Math.min(until, DAY), false);
        if (until > DAY) bar((day + 1) % 7, 0, until - DAY, true);
      }
    }
  });
})();
