// A sample's picture with its labels on top of it, cut out of the sprite sheets.

const data = JSON.parse(document.getElementById("data").textContent);
const [tileWidth, tileHeight] = data.tile;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function drawn(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// The layers of `names` over the sample's picture. They are drawn by `fillStack`, when the stack comes into sight.
function stack(sample, names, told) {
  const made = element("span", { class: "stack", role: "img", "aria-label": told });
  made.fill = () => fillStack(made, sample, names);
  return made;
}

function fillStack(stack, sample, names) {
  if (stack.firstChild) return;
  const [left, top, width, height] = sample.window;
  const sheet = data.sheets[sample.sheet];
  const cut = [
    top / tileHeight,
    1 - (left + width) / tileWidth,
    1 - (top + height) / tileHeight,
    left / tileWidth,
  ];
  stack.style.clipPath = `inset(${cut.map((share) => `${(100 * share).toFixed(3)}%`).join(" ")})`;
  stack.style.setProperty("--at", sample.at);
  stack.style.setProperty("--size", `${100 * sheet.columns}% ${100 * sheet.rows}%`);
  for (const name of names) {
    if (name === "joints") {
      if (sample.joints) stack.append(joints(sample));
    } else if (name === "image" || sample.layers.includes(name)) {
      stack.style.setProperty(`--${name}`, `url("${encodeURIComponent(sheet.files[name])}")`);
      stack.append(element("i", { class: `layer ${name}` }));
    }
  }
}

// Limbs and joints in the colours of the person's sides; occluded joints are rings.
function joints(sample) {
  const { limbs, sides } = data.skeletons[data.sets[sample.set].skeleton];
  const at = (joint) => sample.joints.slice(3 * joint, 3 * joint + 3);
  const lines = { left: "", right: "", middle: "" };
  for (const [a, b, side] of limbs) {
    const [ax, ay, av] = at(a);
    const [bx, by, bv] = at(b);
    if (av && bv) lines[side] += `M${ax} ${ay}L${bx} ${by}`;
  }
  const picture = drawn("svg", { class: "layer joints", viewBox: `0 0 ${tileWidth} ${tileHeight}`, "aria-hidden": "true" });
  const coloured = (side) => `--side:${data.sides[side]}`;
  for (const [side, path] of Object.entries(lines)) picture.append(drawn("path", { class: "limb", style: coloured(side), d: path }));
  sides.forEach((side, joint) => {
    const [x, y, visible] = at(joint);
    const seen = visible < 2 ? "occluded" : "visible";
    if (visible) picture.append(drawn("circle", { class: seen, style: coloured(side), cx: x, cy: y, r: 2.6 }));
  });
  return picture;
}

// Draws each stack shortly before it is scrolled into sight.
const sight = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        entry.target.fill();
        sight.unobserve(entry.target);
      }
    }
  },
  { rootMargin: "300px" },
);

function partNames(sample) {
  const labels = data.sets[sample.set].labels;
  return labels && sample.parts ? sample.parts.map((part) => data.labels[labels].names[part]) : [];
}

function toldJoints(sample) {
  if (!sample.found) return "no joints";
  const kinds = Object.entries(sample.found).sort();
  return kinds.length ? `${kinds.map(([kind, count]) => `${count} ${kind}`).join(", ")} joints` : "0 joints";
}

function toldScore(sample) {
  return sample.iou === undefined ? "" : `IoU ${sample.iou.toFixed(1)}`;
}
