"use strict";

// Tables that sort by a click on a heading, and the table of the cells, which can be filtered and
// gone through by the keyboard.
function sortable(table, told) {
  const heads = [...table.tHead.rows[0].cells];
  const names = heads.map((head) => head.textContent);

  function sort(name, up) {
    const column = names.indexOf(name);
    if (column < 0) return;
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[column].setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => row.cells[column].textContent;
    const body = table.tBodies[0];
    const rows = [...body.rows].sort((first, second) => {
      const [a, b] = [value(first), value(second)];
      if (a === "" || b === "") return (a === "") - (b === "");
      const order = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
      return up ? order : -order;
    });
    body.append(...rows);
  }

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = names[column];
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      sort(names[column], up);
      told(names[column], up);
    });
  });
  return { names, sort };
}

const Cells = (() => {
  const table = [...document.querySelectorAll("table.sortable")].at(-1);
  const elements = [...table.tBodies[0].rows];

  function init(told, link) {
    const { names, sort } = sortable(table, told);
    const rows = elements.map((row) =>
      Object.fromEntries(names.map((name, column) => [name, row.cells[column].textContent])),
    );
    elements.forEach((row, number) => {
      const anchor = document.createElement("a");
      anchor.href = link(rows[number]);
      anchor.textContent = rows[number].instance;
      anchor.tabIndex = -1;
      row.cells[0].replaceChildren(anchor);
    });
    table.addEventListener("keydown", walk);
    return { rows, sort };
  }

  const shown = () => [...table.tBodies[0].rows].filter((row) => !row.hidden);
  const anchorOf = (row) => row.cells[0].firstElementChild;

  // Arrow keys, Home and End move through the rows that are seen; one of them is a tab stop.
  function walk(event) {
    const rows = shown();
    const place = rows.findIndex((row) => anchorOf(row) === event.target);
    if (place < 0) return;
    const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: rows.length - 1 };
    if (!(event.key in to)) return;
    event.preventDefault();
    const next = rows[Math.min(rows.length - 1, Math.max(0, to[event.key]))];
    stopAt(next);
    anchorOf(next).focus();
  }

  function stopAt(row) {
    for (const each of elements) anchorOf(each).tabIndex = each === row ? 0 : -1;
  }

  function mark(number) {
    elements.forEach((row, each) => {
      if (each === number) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    });
    const current = elements[number];
    stopAt(current.hidden ? shown()[0] : current);
  }

  // Words, and conditions like ratio<0.9 on columns that there are.
  function filter(words, rows) {
    const tests = words
      .split(/\s+/)
      .filter(Boolean)
      .map((word) => {
        const [, name, sign, value] = /^(\w+)(<=|>=|<|>|=)(.+)$/.exec(word) ?? [];
        if (name !== undefined && name in rows[0]) return (row) => holds(row[name], sign, value);
        const low = word.toLowerCase();
        return (row) => Object.values(row).some((text) => text.toLowerCase().includes(low));
      });
    let count = 0;
    elements.forEach((element, number) => {
      element.hidden = !tests.every((test) => test(rows[number]));
      count += !element.hidden;
    });
    if (!shown().some((row) => anchorOf(row).tabIndex === 0)) stopAt(shown()[0]);
    return count;
  }

  function holds(text, sign, value) {
    const numbers = text !== "" && !isNaN(text) && !isNaN(value);
    if (sign === "=") return numbers ? Number(text) === Number(value) : text === value;
    if (!numbers) return false;
    const order = Number(text) - Number(value);
    return sign[0] === "<"
      ? order < 0 || (order === 0 && sign === "<=")
      : order > 0 || (order === 0 && sign === ">=");
  }

  return { init, mark, filter };
})();
