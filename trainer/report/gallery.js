// The gallery: every sample a card; filters hide cards, the order moves them, layers are switched for all at once.

const LAYER_KEYS = { p: "mask", e: "edges", j: "joints", h: "heatmaps", d: "prediction" };
const ORDERS = {
  worst: ["worst first", (a, b) => (a.iou ?? Infinity) - (b.iou ?? Infinity)],
  best: ["best first", (a, b) => (b.iou ?? -Infinity) - (a.iou ?? -Infinity)],
  unsure: ["unsure joints first", (a, b) => (a.confidence ?? Infinity) - (b.confidence ?? Infinity)],
  id: ["sample id", (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)],
};
const WORST = 12;
const STRIP = 6;

const form = document.querySelector(".controls");
const tiles = document.querySelector(".tiles");
const cards = new Map(data.samples.map((sample) => [sample, card(sample)]));
let shown = [];

function card(sample) {
  const told = `${sample.id}: ${partNames(sample).join(", ") || "no parts"}; ${toldJoints(sample)}`;
  const picture = stack(sample, ["image", "mask", "prediction", "heatmaps", "edges", "joints"], told);
  const meta = [`${sample.set} ${sample.split}`, toldScore(sample)].filter(Boolean).join(" · ");
  const open = element(
    "button",
    { type: "button", class: "card", tabindex: -1 },
    picture,
    element("b", {}, sample.id),
    element("small", {}, meta),
  );
  open.addEventListener("click", () => openDetail(sample, shown));
  sight.observe(picture);
  return element("li", {}, open);
}

function fillFilters() {
  const options = (name, all, values) => {
    const pairs = all === null ? values : [["", all], ...values];
    form.elements[name].replaceChildren(...pairs.map(([value, text]) => element("option", { value }, text)));
  };
  const count = (test) => data.samples.filter(test).length;
  const unique = (values) => [...new Set(values)];
  options("set", "all", unique(data.splits.map(({ set }) => set)).map((set) => [set, set]));
  options("split", "all", unique(data.splits.map(({ split }) => split)).map((split) => [split, split]));
  const parts = unique(Object.values(data.sets).flatMap(({ labels }) => (labels ? data.labels[labels].names.slice(1) : [])));
  options("part", "any", parts.sort().map((part) => [part, part]));
  const flags = Object.entries(data.flags)
    .map(([flag, text]) => [flag, text, count((sample) => sample.flags.includes(flag))])
    .filter(([, , found]) => found);
  options("flag", "any", flags.map(([flag, text, found]) => [flag, `${text} (${found})`]));
  options("order", null, Object.entries(ORDERS).map(([order, [text]]) => [order, text]));
}

function update() {
  const { set, split, part, flag, order, text } = Object.fromEntries(new FormData(form));
  const wanted = text.trim().toLowerCase();
  const fits = (sample) =>
    (!set || sample.set === set) &&
    (!split || sample.split === split) &&
    (!part || partNames(sample).includes(part)) &&
    (!flag || sample.flags.includes(flag)) &&
    (!wanted || sample.id.toLowerCase().includes(wanted));
  shown = data.samples.filter(fits).sort(ORDERS[order][1]);
  tiles.replaceChildren(...shown.map((sample) => cards.get(sample)));
  for (const button of tiles.querySelectorAll('[tabindex="0"]')) button.tabIndex = -1;
  if (shown.length) cards.get(shown[0]).firstChild.tabIndex = 0;
  showStatus();
  showLegends();
}

function showStatus() {
  const all = data.splits.reduce((sum, { samples }) => sum + samples, 0);
  const chosen = data.samples.length < all ? ` of ${all.toLocaleString("en")} in the shards` : "";
  document.querySelector(".status").textContent = shown.length
    ? `${shown.length.toLocaleString("en")} of ${data.samples.length.toLocaleString("en")} people${chosen}`
    : "No sample fits these filters.";
}

function showLegends() {
  const chip = (text, style) => element("li", {}, element("i", { style }), text);
  const list = (name, told, items) => element("ul", { class: "legend", "aria-label": told }, element("li", {}, element("b", {}, name)), ...items);
  // Classes of several label sets that share name and colour stand once.
  const colours = new Map();
  for (const name of new Set([...shown.map((sample) => data.sets[sample.set].labels), data.predicted])) {
    data.labels[name]?.names.slice(1).forEach((part, place) => {
      colours.set(`${part} ${data.labels[name].colours[place + 1]}`, [part, data.labels[name].colours[place + 1]]);
    });
  }
  const parts = [...colours.values()].map(([part, colour]) => chip(part, `background:${colour}`));
  const sides = { left: "the person's own left", right: "own right", middle: "no side" };
  const joints = Object.entries(sides).map(([side, text]) => chip(text, `background:${data.sides[side]};border-radius:50%`));
  joints.push(element("li", {}, element("i", { class: "ring" }), "occluded"));
  document.querySelector(".legends").replaceChildren(
    list("parts", "Colours of the parts", parts),
    list("joints", "Colours of the joints", joints),
  );
}

// Layers are the page's state: every switch of a layer, in the gallery and in the large view, tells the same.
function switchLayer(layer, on) {
  const shown = new Set(document.body.dataset.show.split(" ").filter(Boolean));
  if (on ?? !shown.has(layer)) shown.add(layer);
  else shown.delete(layer);
  document.body.dataset.show = [...shown].join(" ");
  for (const box of document.querySelectorAll(`input[data-layer="${layer}"]`)) box.checked = shown.has(layer);
}

// Arrow keys go from card to card; up and down by as many as stand in a row.
function moveFocus(event) {
  const all = [...tiles.children];
  const from = all.findIndex((item) => item.contains(document.activeElement));
  if (from < 0) return;
  const columns = all.findIndex((item, place) => place > 0 && item.offsetTop > all[0].offsetTop);
  const row = columns < 1 ? all.length : columns;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row, Home: -from, End: all.length - 1 - from };
  if (!(event.key in steps)) return;
  event.preventDefault();
  focusCard(shown[Math.min(all.length - 1, Math.max(0, from + steps[event.key]))]);
}

function focusCard(sample) {
  for (const button of tiles.querySelectorAll('[tabindex="0"]')) button.tabIndex = -1;
  const button = cards.get(sample).firstChild;
  button.tabIndex = 0;
  button.focus();
}

function showWorst() {
  const worst = data.samples.filter(({ iou }) => iou !== undefined).sort(ORDERS.worst[1]).slice(0, WORST);
  const items = worst.map((sample) => {
    const views = [["picture", ["image"]], ["label", ["image", "mask"]], ["prediction", ["image", "prediction"]]].map(([title, layers]) => {
      const picture = stack(sample, layers, `${sample.id}: ${title}`);
      sight.observe(picture);
      return element("span", { class: "view always" }, picture, element("small", {}, title));
    });
    const told = `${toldScore(sample)} %, ${sample.accuracy.toFixed(1)} % of the pixels right`;
    const open = element("button", { type: "button", class: "card" }, element("b", {}, sample.id), element("small", {}, told), element("span", { class: "views" }, ...views));
    open.addEventListener("click", () => openDetail(sample, worst));
    return element("li", {}, open);
  });
  document.querySelector(".worst").replaceChildren(...items);
  if (!items.length) document.querySelector("#worst p").textContent = "No sample has a pixel to be judged by.";
}

// Some people at the report's top; all from the sheet that the first cards need anyway.
function showStrip() {
  const near = data.samples.filter(({ sheet }) => sheet === 0);
  const every = Math.max(1, Math.floor(near.length / STRIP));
  const pictures = near.filter((_, place) => place % every === 0).slice(0, STRIP).map((sample) => {
    const picture = stack(sample, ["image", "mask"]);
    picture.fill();
    return element("span", { class: "always" }, picture);
  });
  document.querySelector(".strip").replaceChildren(...pictures);
}

form.addEventListener("input", update);
form.addEventListener("submit", (event) => event.preventDefault());
form.querySelector("[data-all]").addEventListener("click", () => {
  form.reset();
  for (const box of form.querySelectorAll("[data-layer]")) switchLayer(box.dataset.layer, box.checked);
  update();
});
document.addEventListener("change", ({ target }) => {
  if (target.dataset.layer) switchLayer(target.dataset.layer, target.checked);
});
document.addEventListener("keydown", (event) => {
  const inside = event.target.closest(".tiles, .worst, dialog");
  if (!inside || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in LAYER_KEYS) switchLayer(LAYER_KEYS[event.key]);
  else if (inside === tiles) moveFocus(event);
});

// What is printed has perhaps not been in sight; gallery.css prints as many cards.
window.addEventListener("beforeprint", () => {
  for (const picture of document.querySelectorAll(".worst .stack, .tiles li:nth-child(-n + 36) .stack")) picture.fill();
});

fillFilters();
showStrip();
showWorst();
update();
