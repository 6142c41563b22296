// Exact pictures of frames: asked for around the frame shown, and kept, within a limit, as they come.

const MOST_BYTES = 256 * 2 ** 20;
const AHEAD = 12;
const BEHIND = 6;

class Pictures {
  constructor(model, changed) {
    this.model = model;
    this.changed = changed;
    this.kept = new Map(); // "look:frame" -> {bitmap, width}; in order of use
    this.bytes = 0;
    this.asked = "";
  }

  get(look, frame) {
    const key = `${look}:${frame}`;
    const found = this.kept.get(key);
    if (found) {
      this.kept.delete(key);
      this.kept.set(key, found);
    }
    return found;
  }

  // Asks for a frame and for those around it that are missing; the kernel forgets what was asked before.
  want(looks, frame, { width, count, ahead = AHEAD, behind = BEHIND }) {
    const near = [frame];
    for (let step = 1; step <= ahead; step += 1) near.push(frame + step);
    for (let step = 1; step <= behind; step += 1) near.push(frame - step);
    const missing = [];
    for (const number of near) {
      if (number < 0 || number >= count) continue;
      for (const look of looks) {
        const found = this.kept.get(`${look}:${number}`);
        if (!found || found.width < width) missing.push([look, number]);
      }
    }
    // Nothing is asked while at least half of what lies ahead is there.
    const urgent = missing.some(([, number]) => number === frame) || missing.length > (ahead + behind) / 2;
    if (!missing.length || (!urgent && this.asked)) return;
    const message = { do: "want", frames: missing, width };
    const asked = JSON.stringify(message);
    if (asked === this.asked) return;
    this.asked = asked;
    this.model.send(message);
  }

  async take(message, buffer) {
    const bitmap = await createImageBitmap(new Blob([buffer], { type: "image/jpeg" }));
    if (message.region) return bitmap;
    this.asked = this.asked && " "; // what was asked is answered in part: the same may be asked again
    const key = `${message.look}:${message.frame}`;
    this.drop(key);
    this.kept.set(key, { bitmap, width: message.width });
    this.bytes += bitmap.width * bitmap.height * 4;
    for (const old of this.kept.keys()) {
      if (this.bytes <= MOST_BYTES || old === key) break;
      this.drop(old);
    }
    this.changed(message.frame);
    return null;
  }

  drop(key) {
    const old = this.kept.get(key);
    if (!old) return;
    this.bytes -= old.bitmap.width * old.bitmap.height * 4;
    old.bitmap.close();
    this.kept.delete(key);
  }

  // Forgets the pictures of a look, all where left out.
  forget(look) {
    this.asked = "";
    for (const key of [...this.kept.keys()]) if (!look || key.startsWith(`${look}:`)) this.drop(key);
  }
}
