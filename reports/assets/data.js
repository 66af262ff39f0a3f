"use strict";

// What the page's JSON holds. Arrays come as their bytes in base64, little-endian, and are unpacked
// when they are first looked at.
const Data = (() => {
  const content = JSON.parse(document.getElementById("data").textContent);
  const sceneOfRow = new Map();
  for (const scene of content.scenes) {
    for (const row of Object.keys(scene.cells)) sceneOfRow.set(Number(row), scene);
  }
  const unpacked = new Map();

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const floats = (text) => new Float32Array(bytes(text).buffer);

  function once(packed, unpack) {
    if (!unpacked.has(packed)) unpacked.set(packed, unpack(packed));
    return unpacked.get(packed);
  }

  function pairs(text) {
    const values = floats(text);
    return d3.range(values.length / 2).map((i) => [values[2 * i], values[2 * i + 1]]);
  }

  function latencies(packed) {
    return { layers: floats(packed.layers), perUser: floats(packed.perUser) };
  }

  function scene(row) {
    if (!sceneOfRow.has(row)) return null;
    return once(sceneOfRow.get(row), (packed) => {
      let items = 0;
      let layers = 0;
      const models = packed.models.map((model) => {
        const placed = { ...model, firstItem: items, firstLayer: layers };
        items += model.layers * model.experts;
        layers += model.layers;
        return placed;
      });
      return {
        ...packed,
        models,
        items,
        serverPlace: pairs(packed.serverPlace),
        userPlace: pairs(packed.userPlace),
        demand: floats(packed.demand),
        itemDemand: bytes(packed.itemDemand),
        empty: latencies(packed.empty),
      };
    });
  }

  function cell(row) {
    const its = scene(row);
    if (its === null) return null;
    return once(sceneOfRow.get(row).cells[row], (packed) => {
      const bits = bytes(packed.held);
      const served = bytes(packed.served);
      return {
        ...latencies(packed),
        used: packed.used,
        holds: (server, item) => {
          const place = server * its.items + item;
          return (bits[place >> 3] & (128 >> (place & 7))) !== 0;
        },
        // Node 0 is the device, the last one the cloud, servers are between.
        share: (user, node) => served[user * (its.servers.length + 2) + node] / 255,
      };
    });
  }

  function events(row) {
    const values = row in content.events ? bytes(content.events[row]).buffer : new ArrayBuffer(0);
    const numbers = new Float64Array(values);
    return d3.range(numbers.length / 3).map((i) => ({
      seconds: numbers[3 * i],
      latency: numbers[3 * i + 1],
      bound: numbers[3 * i + 2],
    }));
  }

  return { scene, cell, events };
})();
