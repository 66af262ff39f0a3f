"use strict";

// One function, one chart: from a view (a scene, a cell, what is chosen in it) and a width in pixels
// to an SVG and its caption; without an SVG, the caption says why.
const Charts = (() => {
  const seconds = (value) => `${d3.format(".4~g")(value)} s`;
  const percent = (value) => d3.format(".1~%")(value);
  const storage = (bytes) => {
    const [unit, name] = bytes < 2 ** 30 ? [2 ** 20, "MiB"] : [2 ** 30, "GiB"];
    return `${d3.format(",.4~r")(bytes / unit)} ${name}`;
  };
  const shortened = (text) => (text.length > 20 ? `${text.slice(0, 19)}…` : text);
  const whole = (from, to, most) => d3.ticks(from, to, most).filter(Number.isInteger);

  // Shares become strengths of a colour, which is seen on a light and on a dark page.
  const strength = { type: "linear", domain: [0, 1], range: [0.2, 1] };

  function drawn(width, ariaLabel, options) {
    const svg = Plot.plot({ width, ariaLabel, marginBottom: 42, opacity: strength, ...options });
    // One picture with one name, not a group for each of Plot's marks.
    svg.setAttribute("role", "img");
    svg.querySelectorAll("g[aria-label]").forEach((mark) => mark.removeAttribute("aria-label"));
    return svg;
  }

  // Domains around some points with equal scales on both axes, and the height that goes with them.
  function square(points, width) {
    const [left, right] = d3.extent(points, (point) => point.x);
    const [low, high] = d3.extent(points, (point) => point.y);
    const inside = width - 60;
    const flat = (high - low) / Math.max(right - left, 1e-9);
    const height = inside * Math.min(1, Math.max(0.5, flat));
    const scale = 1.12 * Math.max((right - left) / inside, (high - low) / height, 1e-6);
    const around = (from, to, pixels) => {
      const middle = (from + to) / 2;
      return [middle - (scale * pixels) / 2, middle + (scale * pixels) / 2];
    };
    return {
      height: height + 72,
      x: { domain: around(left, right, inside), label: "x (m)" },
      y: { domain: around(low, high, height), label: "y (m)" },
    };
  }

  function served(view, node) {
    const { scene, cell } = view;
    return d3.sum(scene.users, (_, user) => scene.demand[user] * cell.share(user, node));
  }

  function map(view, width) {
    const { scene, cell } = view;
    const placed = (kind, names, places) =>
      names
        .map((name, i) => ({ kind, i, name, x: places[i][0], y: places[i][1] }))
        .filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
    const servers = placed("server", scene.servers, scene.serverPlace);
    const users = placed("user", scene.users, scene.userPlace);
    if (servers.length + users.length === 0) return { caption: "Nobody has a position." };
    for (const server of servers) {
      server.share = served(view, server.i + 1);
      server.title = `server ${server.i}: ${server.name}\nserves ${percent(server.share)} of all`;
    }
    for (const user of users) {
      const [before, now] = [scene.empty.perUser[user.i], cell.perUser[user.i]];
      user.share = before > 0 ? Math.max(0, 1 - now / before) : 0;
      user.title = Number.isFinite(now)
        ? `user ${user.i}: ${user.name}\nwaits ${seconds(now)}, saves ${percent(user.share)}`
        : `user ${user.i}: ${user.name}\nneeds nothing`;
    }
    const links = d3.cross(users, servers, (user, server) => ({
      x1: user.x,
      y1: user.y,
      x2: server.x,
      y2: server.y,
      user: user.i,
      server: server.i,
      share: cell.share(user.i, server.i + 1),
    }));
    const { server: only, user: who } = view;
    const seen = links.filter(
      (link) =>
        link.share > 0 &&
        ((only === null && who === null) || link.server === only || link.user === who),
    );
    const chosen = [...servers.filter((s) => s.i === only), ...users.filter((u) => u.i === who)];
    const at = { x: "x", y: "y" };
    const edge = { stroke: "currentColor", fill: "var(--blue)", fillOpacity: "share" };
    const radius = users.length > 200 ? 3 : 5;
    const svg = drawn(width, "Map of servers and users", {
      ...square([...servers, ...users], width),
      marginLeft: 50,
      marks: [
        Plot.gridX({ strokeOpacity: 0.08 }),
        Plot.gridY({ strokeOpacity: 0.08 }),
        Plot.link(seen, {
          x1: "x1",
          y1: "y1",
          x2: "x2",
          y2: "y2",
          stroke: "var(--blue)",
          strokeWidth: 2,
          strokeOpacity: "share",
        }),
        Plot.dot(servers, { ...at, r: 9, symbol: "square", fill: "var(--paper)" }),
        Plot.dot(servers, { ...at, ...edge, r: 9, symbol: "square", strokeWidth: 1.8 }),
        Plot.dot(users, { ...at, r: radius, fill: "var(--paper)" }),
        Plot.dot(users, { ...at, ...edge, r: radius, strokeWidth: 0.8 }),
        Plot.dot(chosen, { ...at, r: 14, stroke: "var(--orange)", strokeWidth: 3 }),
        Plot.text(servers, {
          ...at,
          text: (server) => String(server.i),
          fontWeight: "bold",
          fill: "currentColor",
          stroke: "var(--paper)",
          strokeWidth: 4,
        }),
        Plot.tip([...users, ...servers], Plot.pointer({ ...at, title: "title" })),
      ],
    });
    svg.addEventListener("click", () => {
      if (svg.value) view.choose(svg.value.kind, svg.value.i);
    });
    return {
      svg,
      caption:
        "Squares: servers with their numbers, the stronger the more they serve. Circles: users, the " +
        "stronger the more of their latency they save. Lines: who serves whom, the stronger the " +
        "more of the user's experts. A click chooses.",
    };
  }

  function nodes(view, width) {
    const { scene, cell, user } = view;
    const names = ["device", ...scene.servers.map((name, n) => `${n}: ${name}`), "cloud"];
    const bars = names.map((name, node) => ({
      node,
      name,
      share: user === null ? served(view, node) : cell.share(user, node),
    }));
    const label = new Map(bars.map((bar) => [bar.node, shortened(bar.name)]));
    const longest = d3.max(label.values(), (text) => text.length);
    const svg = drawn(width, "Shares of the experts that each node serves", {
      height: 22 * bars.length + 62,
      marginLeft: 12 + 6.5 * longest,
      marginRight: 45,
      x: { domain: [0, 1], tickFormat: "%", label: "share of the experts" },
      y: { label: null, tickFormat: (node) => label.get(node), tickSize: 0, padding: 0.2 },
      marks: [
        Plot.barX(bars, {
          x: "share",
          y: "node",
          fill: (bar) => (bar.node === view.server + 1 && view.server !== null ? 1 : 0),
        }),
        Plot.text(bars, {
          x: "share",
          y: "node",
          text: (bar) => percent(bar.share),
          textAnchor: "start",
          dx: 4,
        }),
      ],
      color: { type: "ordinal", domain: [0, 1], range: ["var(--blue)", "var(--orange)"] },
    });
    const whose = user === null ? "all users, by their demand" : scene.users[user];
    return { svg, caption: `Of the experts that tokens activate; ${whose}.` };
  }

  function held(view, width) {
    const { scene, cell, server } = view;
    const among = server === null ? d3.range(scene.servers.length) : [server];
    const panel = document.createElement("div");
    for (const model of scene.models) {
      const items = [];
      for (let i = 0; i < model.layers * model.experts; i++) {
        const holders = among.filter((n) => cell.holds(n, model.firstItem + i));
        if (holders.length === 0) continue;
        const [layer, expert] = [Math.floor(i / model.experts), i % model.experts];
        const demand = scene.itemDemand[model.firstItem + i] / 255;
        items.push({
          layer,
          expert,
          share: server === null ? holders.length / scene.servers.length : demand,
          title:
            `layer ${layer}, expert ${expert}\n` +
            (server === null
              ? `on ${holders.length === 1 ? "server" : "servers"} ${holders.join(", ")}\n`
              : "") +
            `demand: ${percent(demand)} of the layer's largest`,
        });
      }
      const line = Math.min(28, Math.max(4, 320 / model.layers));
      const name = scene.models.length > 1 ? `${model.name}: experts` : "Experts";
      const svg = drawn(width, `${name} by layer`, {
        height: line * model.layers + 72,
        x: {
          domain: [-0.5, model.experts - 0.5],
          ticks: whole(0, model.experts - 1, 8),
          tickFormat: "d",
          label: scene.models.length > 1 ? `${shortened(model.name)}: expert` : "expert",
        },
        y: {
          domain: [-0.5, model.layers - 0.5],
          ticks: whole(0, model.layers - 1, 8),
          tickFormat: "d",
          label: "layer",
          reverse: true,
        },
        marks: [
          Plot.frame({ fill: "var(--panel)", stroke: null }),
          Plot.rect(items, {
            x1: (item) => item.expert - 0.5,
            x2: (item) => item.expert + 0.5,
            y1: (item) => item.layer - 0.5,
            y2: (item) => item.layer + 0.5,
            inset: model.experts > 64 ? 0 : 0.5,
            fill: "var(--blue)",
            fillOpacity: "share",
          }),
          Plot.tip(items, Plot.pointer({ x: "expert", y: "layer", title: "title" })),
        ],
      });
      panel.append(svg);
    }
    return {
      svg: panel,
      caption:
        server === null
          ? "All servers: the stronger, the more of them hold the expert."
          : `What server ${server}, ${scene.servers[server]}, holds: the stronger, the more the ` +
            "expert is needed (layer's largest: full).",
    };
  }

  // Bars of what is waited, and lines of what would be waited without any cache.
  function bars(width, ariaLabel, values, x, click) {
    const svg = drawn(width, ariaLabel, {
      height: 260,
      marginLeft: 52,
      x: {
        domain: [-0.6, values.length - 0.4],
        ticks: whole(0, values.length - 1, 8),
        tickFormat: "d",
        ...x,
      },
      y: { zero: true, nice: 5, label: "latency (s a token)", ticks: 5, tickFormat: "~g" },
      color: { type: "ordinal", domain: [false, true], range: ["var(--blue)", "var(--orange)"] },
      marks: [
        Plot.gridY({ strokeOpacity: 0.1, ticks: 5 }),
        Plot.rectY(values, {
          x1: (_, i) => i - 0.4,
          x2: (_, i) => i + 0.4,
          y1: 0,
          y2: "now",
          fill: (value) => Boolean(value.chosen),
        }),
        Plot.link(values, {
          x1: (_, i) => i - 0.5,
          x2: (_, i) => i + 0.5,
          y1: "empty",
          y2: "empty",
          stroke: "currentColor",
          strokeWidth: 1.5,
        }),
        Plot.ruleY([0]),
        Plot.tip(values, Plot.pointerX({ x: (_, i) => i, y: "now", title: "title" })),
      ],
    });
    if (click) {
      svg.style.cursor = "pointer";
      svg.addEventListener("click", () => svg.value && click(svg.value));
    }
    return svg;
  }

  function layers(view, width) {
    const { scene, cell } = view;
    const values = scene.models.flatMap((model) =>
      d3.range(model.layers).map((layer) => {
        const place = model.firstLayer + layer;
        const [now, empty] = [cell.layers[place], scene.empty.layers[place]];
        const which = `${scene.models.length > 1 ? `${model.name}, ` : ""}layer ${layer}`;
        return { now, empty, title: `${which}\n${seconds(now)}, without cache ${seconds(empty)}` };
      }),
    );
    const several = scene.models.length > 1;
    return {
      svg: bars(width, "Latency by layer", values, { label: "layer" }),
      caption:
        "What each layer adds to a token's latency; lines: without cache." +
        (several ? ` Layers of ${scene.models.map((model) => model.name).join(", then ")}.` : ""),
    };
  }

  function users(view, width) {
    const { scene, cell } = view;
    const values = scene.users
      .map((name, i) => ({ i, name, now: cell.perUser[i], empty: scene.empty.perUser[i] }))
      .filter((user) => Number.isFinite(user.now))
      .sort((a, b) => b.now - a.now || a.i - b.i);
    for (const user of values) {
      user.chosen = user.i === view.user;
      user.title =
        `user ${user.i}: ${user.name}\n` +
        `${seconds(user.now)}, without cache ${seconds(user.empty)}`;
    }
    if (values.length === 0) return { caption: "Nobody needs anything." };
    const choose = (user) => view.choose("user", user.i);
    return {
      svg: bars(
        width,
        "Latency by user",
        values,
        { ticks: [], label: "users, the slowest first" },
        choose,
      ),
      caption:
        "Latency of a token of each user; lines: without cache." +
        (view.user === null ? " A click chooses." : ` Orange: ${scene.users[view.user]}.`),
    };
  }

  function run(view, width) {
    const known = (name) =>
      view.events
        .filter((event) => Number.isFinite(event[name]))
        .map((event) => ({ seconds: event.seconds, value: event[name] }));
    const [best, bound] = [known("latency"), known("bound")];
    const both = [...best, ...bound];
    if (both.length === 0) return { caption: "No events of this run were recorded." };
    const end = Math.max(
      view.seconds,
      d3.max(both, (event) => event.seconds),
    );
    // What is known stays known until the end.
    for (const line of [best, bound]) {
      if (line.length) line.push({ seconds: end, value: line.at(-1).value, last: true });
    }
    const first = Math.max(
      1e-4,
      d3.min(both, (event) => event.seconds),
    );
    const logarithmic = end / first > 50;
    const at = { x: (event) => Math.max(first, event.seconds), y: "value" };
    const [low, high] = d3.extent(both, (event) => event.value);
    const around = Math.max(0.05 * (high - low), 0.01 * high);
    const step = (line, what, look) => [
      Plot.line(line, { ...at, curve: "step-after", strokeWidth: 2, ...look }),
      Plot.dot(
        line.filter((event) => !event.last),
        { ...at, r: 2.5, fill: look.stroke },
      ),
      Plot.tip(
        line,
        Plot.pointer({
          ...at,
          title: (event) => `${what}\n${seconds(event.value)} after ${seconds(event.seconds)}`,
        }),
      ),
    ];
    const svg = drawn(width, "Incumbent and bound over time", {
      height: 260,
      marginLeft: 60,
      marginRight: 20,
      x: {
        type: logarithmic ? "log" : "linear",
        domain: [logarithmic ? first : 0, end],
        label: logarithmic ? "seconds (logarithmic)" : "seconds",
        ticks: 4,
        tickFormat: "~g",
      },
      y: {
        domain: [Math.max(0, low - around), high + around],
        label: "latency (s a token)",
        ticks: 5,
        tickFormat: "~g",
      },
      marks: [
        Plot.gridY({ strokeOpacity: 0.1, ticks: 5 }),
        ...step(best, "best placement", { stroke: "var(--blue)" }),
        ...step(bound, "lower bound", { stroke: "var(--orange)", strokeDasharray: "6,4" }),
      ],
    });
    const parts = [];
    if (best.length) parts.push(`Blue: best placement, at the end ${seconds(best.at(-1).value)}.`);
    if (bound.length) {
      parts.push(`Orange, dashed: the method's own bound, ${seconds(bound.at(-1).value)}.`);
    } else parts.push("The method has no bound of its own.");
    return { svg, caption: parts.join(" ") };
  }

  return { map, nodes, held, layers, users, run, seconds, percent, storage };
})();
