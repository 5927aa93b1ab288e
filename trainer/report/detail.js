// One sample large: its labels beside its prediction, what is known of it, and the way to its neighbours.

const dialog = document.getElementById("detail");
let around = [];
let open = null;

function openDetail(sample, neighbours) {
  around = neighbours;
  showDetail(sample);
  if (!dialog.open) dialog.showModal();
}

// A sample has an address of its own, to be sent to somebody who has the report, too.
function address(sample) {
  return `#sample=${[sample.set, sample.split, sample.id].map(encodeURIComponent).join("/")}`;
}

function openAddressed() {
  const sample = location.hash && data.samples.find((one) => address(one) === location.hash);
  if (sample) openDetail(sample, shown.includes(sample) ? shown : data.samples);
}

function showDetail(sample) {
  open = sample;
  const place = around.indexOf(sample);
  document.getElementById("detail-title").textContent = sample.id;
  for (const button of dialog.querySelectorAll("[data-step]")) {
    button.setAttribute("aria-disabled", String(!around[place + Number(button.dataset.step)]));
  }
  const views = [["label", ["image", "mask", "heatmaps", "edges", "joints"], "view"]];
  if (sample.layers.includes("prediction")) views.push(["prediction", ["image", "prediction"], "view always"]);
  dialog.querySelector(".views").replaceChildren(
    ...views.map(([title, layers, style]) => {
      const picture = stack(sample, layers, `${sample.id}, ${title}: ${partNames(sample).join(", ") || "no parts"}`);
      picture.fill();
      return element("span", { class: style }, picture, element("small", {}, title));
    }),
  );
  dialog.querySelector(".facts").replaceChildren(facts(sample, place), ...partsPresent(sample));
  dialog.scrollTop = 0;
  history.replaceState(null, "", address(sample));
}

function facts(sample, place) {
  const pairs = [
    ["data set", `${sample.set} ${sample.split}`],
    ["size", `${sample.size[0]} × ${sample.size[1]} pixels (width × height)`],
    ["cut from", sample.source],
    ["joints", toldJoints(sample)],
    ["teacher's confidence", sample.confidence?.toFixed(2)],
    ["detector's score", sample.score < 1 ? sample.score.toFixed(2) : undefined],
    ["mean IoU", sample.iou === undefined ? undefined : `${sample.iou.toFixed(1)} %`],
    ["pixels right", sample.accuracy === undefined ? undefined : `${sample.accuracy.toFixed(1)} %`],
    ["remarks", sample.flags.map((flag) => data.flags[flag]).join("; ") || undefined],
    ["place", `${place + 1} of ${around.length}`],
  ].filter(([, value]) => value !== undefined);
  return element("dl", {}, ...pairs.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

// The colours in the label and in the prediction.
function partsPresent(sample) {
  const both = [
    ["label", data.sets[sample.set].labels, sample.parts],
    ["prediction", data.predicted, sample.predicted],
  ];
  return both.filter(([, , parts]) => parts?.length).map(([title, name, parts]) => {
    const { names, colours } = data.labels[name];
    const items = parts.map((part) => element("li", {}, element("i", { style: `background:${colours[part]}` }), names[part]));
    const head = element("li", {}, element("b", {}, title));
    return element("ul", { class: "legend", "aria-label": `Parts in the ${title}` }, head, ...items);
  });
}

function step(by) {
  const next = around[around.indexOf(open) + by];
  if (next) showDetail(next);
}

dialog.addEventListener("click", ({ target }) => {
  if (target === dialog || target.closest("[data-close]")) dialog.close();
  else if (target.closest("[data-step]")) step(Number(target.closest("[data-step]").dataset.step));
});
dialog.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by) {
    event.preventDefault();
    step(by);
  }
});
dialog.addEventListener("close", () => {
  history.replaceState(null, "", location.pathname);
  if (around === shown && shown.includes(open)) focusCard(open);
});
window.addEventListener("hashchange", openAddressed);

openAddressed();
