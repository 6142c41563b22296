// Small helpers for elements of the page.

function paint(canvas, bitmap) {
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
  }
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
}

function make(tag, css, attributes = {}, text = "") {
  const made = document.createElement(tag);
  made.className = css;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

const KEY_NAMES = { " ": "Space", arrowleft: "←", arrowright: "→", arrowup: "↑", arrowdown: "↓" };

function keyName(key) {
  return key
    .split("+")
    .map((part) => KEY_NAMES[part] || part.charAt(0).toUpperCase() + part.slice(1))
    .join("+")
    .replace(/\+$|^$/, "+");
}
