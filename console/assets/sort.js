// Puts the rows of a table that is there as a whole in the order of a column. Without this script they stand in their own.
"use strict";
(() => {
  const collator = new Intl.Collator(document.documentElement.lang, { numeric: true, sensitivity: "base" });
  // A cell may say what it is ordered by, where its words are for people.
  const value = (row, column) => row.cells[column]?.dataset.order ?? row.cells[column]?.textContent.trim() ?? "";

  for (const table of document.querySelectorAll("table[data-sorts]")) {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    if (body.rows.length < 2) continue;
    heads.forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sorts";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
        const rows = [...body.rows];
        rows.sort((one, other) => way * collator.compare(value(one, column), value(other, column)));
        body.append(...rows);
      });
    });
  }
})();
