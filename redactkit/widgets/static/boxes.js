// The boxes near the frame shown, as the kernel sent them, and what the person has changed since.

class Boxes {
  constructor() {
    this.start = this.stop = 0;
    this.frames = new Int32Array(0);
    this.drafts = new Map(); // "frame:face" -> {box, edit}: edits that the kernel has not yet answered
  }

  // Takes a stretch of frames from the kernel; drafts that it knows by now are dropped.
  load(message, buffers) {
    const [frames, faces, places, marks] = buffers.map((view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
    this.start = message.start;
    this.stop = message.stop;
    this.frames = new Int32Array(frames);
    this.faces = new Int32Array(faces);
    this.places = new Float32Array(places);
    this.marks = new Uint8Array(marks);
    for (const [key, draft] of this.drafts) if (draft.edit <= message.edit) this.drafts.delete(key);
  }

  covers(frame, margin, count) {
    return frame >= this.start && frame < this.stop && Math.min(frame + margin, count) <= this.stop && Math.max(frame - margin, 0) >= this.start;
  }

  at(frame) {
    const found = [];
    for (let row = this.first(frame); row < this.frames.length && this.frames[row] === frame; row += 1) {
      const face = this.faces[row];
      const draft = this.drafts.get(`${frame}:${face}`);
      const box = draft ? draft.box : Array.from(this.places.subarray(4 * row, 4 * row + 4));
      if (box) found.push({ face, box, mark: this.marks[row] });
    }
    const fresh = this.drafts.get(`${frame}:0`);
    if (fresh) found.push({ face: 0, box: fresh.box, mark: 0 });
    return found;
  }

  first(frame) {
    let low = 0;
    let high = this.frames.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.frames[middle] < frame) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  draft(frame, face, box, edit) {
    this.drafts.set(`${frame}:${face}`, { box, edit });
  }
}

// ---- geometry: everything in pixels of the frame

const area = (box) => box[2] * box[3];
const holds = (box, [x, y]) => box[0] <= x && x <= box[0] + box[2] && box[1] <= y && y <= box[1] + box[3];

// The smallest box under a point: of two over one another the one that is harder to hit.
function faceAt(rows, point) {
  const inside = rows.filter((row) => holds(row.box, point)).sort((a, b) => area(a.box) - area(b.box));
  return inside.length ? inside[0] : null;
}

// Which handle is near: -1 the low side, 1 the high side, 0 the middle, for x and y.
function handleAt(box, [px, py], reach) {
  let best = null;
  for (const across of [-1, 0, 1])
    for (const down of [-1, 0, 1]) {
      if (!across && !down) continue;
      const x = box[0] + (box[2] * (across + 1)) / 2;
      const y = box[1] + (box[3] * (down + 1)) / 2;
      const distance = Math.max(Math.abs(px - x), Math.abs(py - y)) - (across && down ? 0.001 : 0);
      if (distance <= reach && (!best || distance < best.distance)) best = { distance, handle: [across, down] };
    }
  return best && best.handle;
}

function stretched(low, length, change, side) {
  if (!side) return [low, length];
  let high = low + length;
  if (side < 0) low += change;
  else high += change;
  return [Math.min(low, high), Math.abs(high - low)];
}

// The box of a drag with the pointer at a point.
function dragged(drag, point) {
  const [dx, dy] = [point[0] - drag.start[0], point[1] - drag.start[1]];
  if (drag.face && !drag.handle) return [drag.box[0] + dx, drag.box[1] + dy, drag.box[2], drag.box[3]];
  const [across, down] = drag.handle || [1, 1];
  const [x, width] = stretched(drag.box[0], drag.box[2], dx, across);
  const [y, height] = stretched(drag.box[1], drag.box[3], dy, down);
  return [x, y, width, height];
}
