"use strict";
// Sorting, copying, theme. Without this script the page still shows everything.
(() => {
  const root = document.documentElement;
  const said = document.getElementById("said");
  const say = (text) => { said.textContent = text; };

  // The original order of the rows, which the third click restores.
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const number = head.classList.contains("num");
      const first = number ? "descending" : "ascending";
      const second = number ? "ascending" : "descending";
      const key = (row) => {
        const cell = row.cells[column];
        if (!number) return cell.textContent;
        return cell.dataset.value === undefined ? NaN : Number(cell.dataset.value);
      };
      const compare = (a, b) => (number ? a - b : a.localeCompare(b, undefined, { numeric: true }));
      head.querySelector("button").addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const next = now === "none" ? first : now === first ? second : "none";
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", next);
        const sorted = rows.map((row) => [key(row), row]);
        if (next !== "none") {
          sorted.sort(([a], [b]) => {
            // Rows without a value are last in both directions.
            if (number && (Number.isNaN(a) || Number.isNaN(b))) return Number.isNaN(a) - Number.isNaN(b);
            return next === "ascending" ? compare(a, b) : compare(b, a);
          });
        }
        body.append(...sorted.map(([, row]) => row));
        say(next === "none" ? "in the first order" : `sorted by ${head.textContent}, ${next}`);
      });
    });
  }

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Fallback without clipboard permission, or on a page that is not a secure context.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      if (!done) throw new Error("the browser does not let the page copy");
    }
  };
  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      const text = button.closest(".form").querySelector("pre").textContent;
      try {
        await copy(text);
        button.textContent = "Copied";
        say("copied");
      } catch (error) {
        button.textContent = "Select it";
        say(error.message);
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1600);
    });
  }

  // One menu is open at a time; a click outside it or Escape closes it.
  const menus = [...document.querySelectorAll("details.export")];
  for (const menu of menus) {
    menu.addEventListener("toggle", () => {
      if (!menu.open) return;
      menus.forEach((other) => { if (other !== menu) other.open = false; });
      // Moved into the window, wherever the table is.
      const box = menu.querySelector(".menu");
      box.style.translate = "";
      const place = box.getBoundingClientRect();
      const beyond = Math.max(16 - place.left, 0) || Math.min(root.clientWidth - 16 - place.right, 0);
      box.style.translate = `${beyond}px 0`;
    });
  }
  document.addEventListener("click", (event) => {
    menus.forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menus.filter((menu) => menu.open).forEach((menu) => {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });

  for (const button of document.querySelectorAll("button.save")) {
    button.addEventListener("click", () => {
      const svg = button.closest("figure").querySelector("svg");
      const text = new XMLSerializer().serializeToString(svg);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
      link.download = button.dataset.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }

  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => {
    theme.textContent = dark() ? "Light" : "Dark";
    theme.title = `Switch to ${theme.textContent.toLowerCase()}`;
  };
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    show();
  });
  system.addEventListener("change", show);
  root.classList.add("script");
  show();
})();
