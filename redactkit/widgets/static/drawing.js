// Boxes and names as SVG over the picture, in pixels of the frame.

const escapeText = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const LETTER = 13; // px on the page
const HANDLE = 4;

// `scene`: rows, faces, current, marked, hovered, kinds, plain, labels (all names), unit (frame pixels a page pixel).
function drawBoxes(scene) {
  const rows = [...scene.rows].sort((a, b) => (a.face === scene.current) - (b.face === scene.current));
  const shown = rows.filter((row) => !scene.plain || row.face === scene.current || row.face === 0);
  const shapes = shown.map((row) => rectangle(row, scene)).join("");
  return shapes + (scene.plain ? "" : names(shown, scene));
}

function stateOf(row, scene) {
  if (scene.kinds.length) return scene.kinds[row.mark] || scene.kinds[0];
  const face = scene.faces[row.face];
  return !face || face.redact ? "hide" : "show";
}

function rectangle(row, scene) {
  const [x, y, width, height] = row.box;
  const now = row.face === scene.current || row.face === 0;
  const marked = scene.marked.includes(row.face);
  const state = stateOf(row, scene);
  const classes = `rk-box rk-${state}${now ? " rk-now" : ""}${marked ? " rk-marked" : ""}`;
  const place = `x="${x.toFixed(2)}" y="${y.toFixed(2)}" width="${width.toFixed(2)}" height="${height.toFixed(2)}"`;
  const ellipse = scene.faces[row.face]?.shape === "ellipse";
  const round = ellipse ? ` rx="${(width / 2).toFixed(2)}" ry="${(height / 2).toFixed(2)}"` : "";
  const under = `<rect class="rk-under" ${place}${round}/>`;
  const line = `<rect class="${classes}" data-face="${row.face}" ${place}${round}/>`;
  return under + line + (now && scene.editable && !scene.plain ? handles(row.box, scene.unit) : "");
}

function handles([x, y, width, height], unit) {
  const half = HANDLE * unit;
  const places = [];
  for (const a of [0, 0.5, 1]) for (const d of [0, 0.5, 1]) if (a !== 0.5 || d !== 0.5) places.push([a, d]);
  const square = ([a, d]) =>
    `M${(x + width * a - half).toFixed(2)} ${(y + height * d - half).toFixed(2)}h${2 * half}v${2 * half}h${-2 * half}z`;
  return `<path class="rk-handles" stroke-width="${unit}" d="${places.map(square).join("")}"/>`;
}

function nameOf(row, scene) {
  if (row.face === 0) return "new";
  if (scene.kinds.length) return stateOf(row, scene).length > 1 ? stateOf(row, scene) : "";
  const face = scene.faces[row.face] || {};
  const what = face.kind && face.kind !== "face" ? `${face.kind} ` : "";
  const label = `${what}${face.label || row.face}`;
  const name = [...label].length > 28 ? `${[...label].slice(0, 27).join("")}…` : label;
  return `${name}${face.redact === false ? " · visible" : ""}${row.mark & 1 ? " ◆" : ""}`;
}

// A name stands above its box, or below or inside where another is in the way.
function names(rows, scene) {
  const size = LETTER * scene.unit;
  const taken = [];
  const wanted = rows.filter(
    (row) =>
      scene.labels || scene.kinds.length || row.face === scene.current || row.face === scene.hovered || row.face === 0,
  );
  return wanted
    .reverse()
    .map((row) => {
      const text = nameOf(row, scene);
      if (!text) return "";
      const [x, y, , height] = row.box;
      const across = ([...text].length * 0.58 + 0.8) * size;
      const left = Math.max(Math.min(x, scene.width - across), 0);
      const high = size * 1.35;
      const spots = [y - high, y + height, y + height - high, y].map((top) => [left, top, across, high]);
      const free = spots.find(
        (spot) => spot[1] >= 0 && spot[1] + spot[3] <= scene.height && !taken.some((other) => overlap(spot, other)),
      );
      const spot = free || spots[1];
      taken.push(spot);
      return (
        `<g class="rk-tag rk-tag-${stateOf(row, scene)}"><rect x="${spot[0]}" y="${spot[1]}" width="${across}" ` +
        `height="${high}" rx="${size * 0.2}"/><text x="${spot[0] + size * 0.4}" y="${spot[1] + size * 1.02}" ` +
        `font-size="${size}">${escapeText(text)}</text></g>`
      );
    })
    .join("");
}

const overlap = (a, b) => a[0] < b[0] + b[2] && b[0] < a[0] + a[2] && a[1] < b[1] + b[3] && b[1] < a[1] + a[3];
