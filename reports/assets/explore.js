"use strict";

// The state of the page, which stands in the address behind "#", and what follows from it.
(() => {
  // Pixels: charts are not narrower, whatever a window that is being made says.
  const LEAST = 240;
  const byId = (id) => document.getElementById(id);
  const fields = ["instance", "method", "seed", "server", "user"].map(byId);
  const [instance, method, seed, server, user] = fields;
  const words = byId("words");
  const state = { row: 0, server: null, user: null, sort: "", words: "" };

  document.querySelectorAll("table.sortable").forEach((table, number, all) => {
    if (number < all.length - 1) sortable(table, () => {});
  });
  const { rows, sort } = Cells.init((name, up) => {
    state.sort = (up ? "" : "-") + name;
    remember();
  }, addressOf);

  function addressOf(row, more = {}) {
    const { instance, method, seed } = row;
    const parts = new URLSearchParams({ instance, method });
    if (seed) parts.set("seed", seed);
    for (const [name, value] of Object.entries(more)) {
      if (value !== null && value !== "") parts.set(name, value);
    }
    return `#${parts}`;
  }

  function remember() {
    const { row, ...more } = state;
    history.replaceState(null, "", addressOf(rows[row], more));
  }

  // What the address does not tell, or tells wrongly, is as if it was not told.
  function recall() {
    const parts = new URLSearchParams(location.hash.slice(1));
    const same = (row) =>
      ["instance", "method", "seed"].every((name) => (row[name] ?? "") === (parts.get(name) ?? ""));
    state.row = Math.max(0, rows.findIndex(same));
    const scene = Data.scene(state.row);
    const number = (name, among) => {
      const value = parts.get(name);
      return value !== null && /^\d+$/.test(value) && value < among ? Number(value) : null;
    };
    state.server = number("server", scene?.servers.length ?? 0);
    state.user = number("user", scene?.users.length ?? 0);
    state.words = parts.get("words") ?? state.words;
    state.sort = parts.get("sort") ?? state.sort;
    words.value = state.words;
    if (state.sort) sort(state.sort.replace(/^-/, ""), !state.sort.startsWith("-"));
    filter();
    show();
  }

  function filter() {
    const count = Cells.filter(state.words, rows);
    byId("count").textContent = `${count} of ${rows.length} cells`;
  }

  function fill(select, options, chosen) {
    const made = options.map(([value, text]) => new Option(text, value, false, value === chosen));
    select.replaceChildren(...made);
    select.disabled = options.length < 2;
  }

  const distinct = (name, among) => [...new Set(among.map((row) => row[name] ?? ""))];
  const plain = (values) => values.map((value) => [value, value]);

  function fillChoices(scene) {
    const row = rows[state.row];
    const ofInstance = rows.filter((other) => other.instance === row.instance);
    const ofMethod = ofInstance.filter((other) => other.method === row.method);
    fill(instance, plain(distinct("instance", rows)), row.instance);
    fill(method, plain(distinct("method", ofInstance)), row.method);
    const seeds = distinct("seed", ofMethod).map((value) => [value, value || "none"]);
    fill(seed, seeds, row.seed ?? "");
    const numbered = (names) => names.map((name, i) => [String(i), `${i}: ${name}`]);
    const all = (text, names) => [["", text], ...numbered(names)];
    fill(server, all("all servers", scene?.servers ?? []), String(state.server ?? ""));
    fill(user, all("all users", scene?.users ?? []), String(state.user ?? ""));
  }

  // The row that agrees with the choice, as far as there is one.
  function chooseRow(changed) {
    const wanted = [instance, method, seed];
    const steps = wanted.slice(0, wanted.indexOf(changed) + 1);
    const rest = wanted.slice(steps.length);
    let left = rows.map((row, number) => ({ row, number }));
    for (const select of [...steps, ...rest]) {
      const fitting = left.filter(({ row }) => (row[select.id] ?? "") === select.value);
      if (fitting.length) left = fitting;
    }
    const before = Data.scene(state.row);
    state.row = left[0].number;
    // Another instance has other servers and users.
    if (Data.scene(state.row) !== before) state.server = state.user = null;
  }

  function choose(kind, number) {
    state[kind] = state[kind] === number ? null : number;
    remember();
    show();
  }

  function facts(row, scene, cell) {
    const { seconds, percent, storage } = Charts;
    const number = (text, shape) => (text ? shape(Number(text)) : "unknown");
    const told = [
      ["Latency of a token", number(row.latency_s, seconds)],
      ["Saving", number(row.saving_s, seconds)],
      ["Share of the best saving", number(row.ratio, (value) => d3.format(".4f")(value))],
      ["Best lower bound", number(row.bound_latency_s, seconds)],
      ["Gap of the latency", number(row.gap, percent)],
      ["Status", `${row.status}, stopped by ${row.stopped_by}`],
      ["Time", number(row.seconds, seconds)],
    ];
    if (cell) {
      told.splice(1, 0, ["Without cache", seconds(d3.sum(scene.empty.layers))]);
      const among = state.server === null ? d3.range(scene.servers.length) : [state.server];
      const [used, room] = [cell.used, scene.capacity].map((of) => d3.sum(among, (n) => of[n]));
      const whose = state.server === null ? "all servers" : `server ${state.server}`;
      told.push([`Storage of ${whose}`, `${storage(used)} of ${storage(room)}`]);
      if (state.user !== null) {
        const waits = cell.perUser[state.user];
        told.push([
          `Latency of user ${state.user}`,
          Number.isFinite(waits) ? seconds(waits) : "needs nothing",
        ]);
      }
    }
    return told;
  }

  function show() {
    const row = rows[state.row];
    const scene = Data.scene(state.row);
    const cell = Data.cell(state.row);
    fillChoices(scene);
    Cells.mark(state.row);
    byId("told").textContent =
      `${row.instance} by ${row.method}${row.seed ? `, seed ${row.seed}` : ""}` +
      (row.error ? `: failed, ${row.error}` : "") +
      (cell || row.error
        ? ""
        : row.latency_s
          ? ": its placement is in the folder of the study, but not in this page, which has room " +
            "for some only, or its instance's file has changed"
          : ": no placement");
    const list = facts(row, scene, cell).flatMap(([name, value]) => {
      const [term, definition] = ["dt", "dd"].map((tag) => document.createElement(tag));
      [term.textContent, definition.textContent] = [name, value];
      const pair = document.createElement("div");
      pair.append(term, definition);
      return pair;
    });
    byId("facts").replaceChildren(...list);
    draw();
  }

  function draw() {
    const view = {
      scene: Data.scene(state.row),
      cell: Data.cell(state.row),
      events: Data.events(state.row),
      seconds: Number(rows[state.row].seconds || 0),
      server: state.server,
      user: state.user,
      choose,
    };
    const seen = ["map", "nodes", "held", "layers", "users", "run"].filter((name) => {
      const able = name === "run" ? view.events.length > 0 : view.cell !== null;
      byId(name).hidden = !able;
      return able;
    });
    // All are measured before one is drawn: each drawing would make the page lay itself out again.
    const widths = seen.map((name) => Math.max(LEAST, byId(name).clientWidth));
    seen.forEach((name, place) => {
      const { svg, caption } = Charts[name](view, widths[place]);
      byId(name)
        .querySelector(".chart")
        .replaceChildren(...(svg ? [svg] : []));
      byId(name).querySelector("figcaption").textContent = caption;
    });
  }

  for (const select of [instance, method, seed]) {
    select.addEventListener("change", () => {
      chooseRow(select);
      remember();
      show();
    });
  }
  for (const select of [server, user]) {
    select.addEventListener("change", () => {
      state[select.id] = select.value === "" ? null : Number(select.value);
      remember();
      show();
    });
  }
  words.addEventListener("input", () => {
    state.words = words.value;
    filter();
    remember();
  });
  for (const form of document.forms) form.addEventListener("submit", (e) => e.preventDefault());
  window.addEventListener("hashchange", () => {
    recall();
    remember();
  });

  byId("explore").hidden = byId("filter").hidden = false;
  recall();
  let width = document.documentElement.clientWidth;
  window.addEventListener("resize", () => {
    if (width !== document.documentElement.clientWidth) draw();
    width = document.documentElement.clientWidth;
  });
})();
