// The ratio of luminances (WCAG 2.2) of every piece of text to what lies behind it: the worst of all.
const luminance = (color) => {
  const [r, g, b] = color.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const numbers = (text) => text.match(/[\d.]+/g).map(Number);
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = numbers(getComputedStyle(at).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color.slice(0, 3);
  }
  return [255, 255, 255];
};
const words = (element) =>
  [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data).join(" ").trim();
let worst = { ratio: 99 };
for (const element of document.body.querySelectorAll("*")) {
  if (element.closest("svg") || !words(element)) continue;
  const text = luminance(numbers(getComputedStyle(element).color).slice(0, 3));
  const ground = luminance(behind(element));
  const ratio = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
  if (ratio < worst.ratio) worst = { ratio, element: element.tagName + "." + element.className, words: words(element) };
}
return { ...worst, badges: document.querySelectorAll(".badge").length };
