// The mouse on the picture: pick, move, resize, draw; wheel and right button zoom and pan. Nothing waits for the kernel.

const REACH = 9; // px on the page within which a handle is hit
const CLICK = 4; // px on the page up to which a drag is a click

class Pointer {
  constructor(stage) {
    this.stage = stage;
    this.drag = null;
    const { svg, port } = stage;
    svg.addEventListener("pointerdown", (event) => this.down(event));
    svg.addEventListener("pointermove", (event) => this.move(event));
    svg.addEventListener("pointerup", (event) => this.up(event));
    svg.addEventListener("lostpointercapture", () => this.drag && this.finish());
    svg.addEventListener("pointerleave", () => stage.hover(null));
    svg.addEventListener("contextmenu", (event) => event.preventDefault());
    svg.addEventListener("dblclick", () => stage.zoomToFace());
    // The page scrolls as long as the picture has not been clicked.
    port.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  point(event) {
    const place = this.stage.svg.getBoundingClientRect();
    const { width, height } = this.stage.info;
    return [((event.clientX - place.left) / place.width) * width, ((event.clientY - place.top) / place.height) * height];
  }

  down(event) {
    const stage = this.stage;
    stage.root.focus({ preventScroll: true });
    stage.player.stop();
    event.preventDefault();
    stage.svg.setPointerCapture(event.pointerId);
    if (event.button !== 0 || event.altKey) {
      this.drag = { pan: [event.clientX, event.clientY] };
      return;
    }
    const point = this.point(event);
    const rows = stage.boxes.at(stage.shown);
    const current = rows.find((row) => row.face === stage.current);
    const reach = current && Math.min(REACH * stage.unit, Math.max(Math.min(current.box[2], current.box[3]) / 4, 2 * stage.unit));
    const under = faceAt(rows, point);
    // A handle just outside its box gives way to another box that is there: small ones would never be hit.
    const taken = under && under.face !== stage.current && current && !holds(current.box, point);
    const handle = stage.editable && current && !taken ? handleAt(current.box, point, reach) : null;
    const hit = handle ? current : under;
    if (hit && hit.face && (event.shiftKey || event.ctrlKey || event.metaKey)) {
      stage.act("mark", { face: hit.face });
      return;
    }
    if (hit && hit.face) {
      this.drag = { start: point, box: hit.box, face: hit.face, handle, frame: stage.shown };
      stage.pick(hit.face);
    } else if (stage.editable) {
      this.drag = { start: point, box: [...point, 0, 0], face: 0, frame: stage.shown };
    }
  }

  move(event) {
    const { stage, drag } = this;
    if (drag && drag.pan) {
      stage.pan(event.clientX - drag.pan[0], event.clientY - drag.pan[1]);
      drag.pan = [event.clientX, event.clientY];
      return;
    }
    const point = this.point(event);
    if (!drag || !stage.editable) {
      const under = faceAt(stage.boxes.at(stage.shown), point);
      stage.hover(under && under.face);
      return;
    }
    if (event.buttons === 0) {
      this.finish(); // the button was let go where nobody saw it
      return;
    }
    drag.to = dragged(drag, point);
    drag.far = drag.far || Math.max(Math.abs(point[0] - drag.start[0]), Math.abs(point[1] - drag.start[1])) >= CLICK * stage.unit;
    if (drag.far) {
      stage.boxes.draft(drag.frame, drag.face, drag.to, Infinity);
      stage.drawBoxes();
    }
  }

  up() {
    this.finish();
  }

  finish() {
    const { stage, drag } = this;
    this.drag = null;
    if (!drag || drag.pan) return;
    const large = drag.to && Math.min(drag.to[2], drag.to[3]) >= CLICK * stage.unit;
    if (drag.far && stage.editable && (drag.face || large)) stage.edit(drag.frame, drag.face, drag.to);
    else this.undoDraft(drag);
    if (!drag.face && !drag.far) stage.pick(null);
    stage.drawBoxes();
  }

  cancel() {
    const drag = this.drag;
    this.drag = null;
    if (drag && !drag.pan) this.undoDraft(drag);
    this.stage.drawBoxes();
    return Boolean(drag);
  }

  undoDraft(drag) {
    this.stage.boxes.drafts.delete(`${drag.frame}:${drag.face}`);
  }

  wheel(event) {
    const stage = this.stage;
    if (!stage.root.contains(document.activeElement) && !stage.isFull) return;
    event.preventDefault();
    stage.zoomAt(event.clientX, event.clientY, Math.exp(-event.deltaY * 0.0015));
  }
}
