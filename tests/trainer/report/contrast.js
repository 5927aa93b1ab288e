// Texts whose contrast with the colour behind them is below WCAG AA's 4.5.
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => {
    const [r, g, b] = rgba(colour).slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (rgba(colour)[3] === 255) return colour;
    }
    return "white";
  };
  const low = [];
  const check = (text, front, back) => {
    const found = ratio(front, back);
    if (found < 4.5) low.push(`${text.slice(0, 40)}: ${front} on ${back} is ${found.toFixed(2)}`);
  };
  for (const element of document.querySelectorAll("body *:not(script):not(style)")) {
    const own = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    if (!own || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    check(own, element.ownerSVGElement ? style.fill : style.color, behind(element));
  }
  const root = getComputedStyle(document.documentElement);
  for (const back of ["--tint", "--hot", "--well", "--mark"]) {
    check(`ink on ${back}`, root.getPropertyValue("--ink"), root.getPropertyValue(back));
  }
  return low;
}
