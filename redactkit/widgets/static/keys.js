// Keys, while the stage has the focus. What the kernel does is named in `actions`; what the page does stands here.

const NUDGES = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] };

class Keys {
  constructor(stage) {
    this.stage = stage;
    this.local = {
      back: () => stage.step(-1),
      forward: () => stage.step(1),
      back10: () => stage.step(-10),
      forward10: () => stage.step(10),
      first: () => stage.step(-stage.info.count),
      last: () => stage.step(stage.info.count),
      play: () => stage.player.toggle(),
      zoom: () => (stage.lens.scale > 1 ? stage.zoomOut() : stage.zoomToFace()),
      names: () => {
        stage.allNames = !stage.allNames;
        stage.drawBoxes();
        stage.controls.refresh();
      },
      preview: () => this.look("redacted"),
      both: () => this.look("both"),
      full: () => stage.fit.toggle(),
      help: () => stage.controls.toggleHelp(),
      leave: () => this.leave(),
      rename: () => stage.controls.startNaming(),
      "next-face": () => this.nextFace(1),
      "last-face": () => this.nextFace(-1),
      grow: () => this.grow(1.05),
      shrink: () => this.grow(1 / 1.05),
    };
    this.byKey = {};
    for (const action of stage.model.get("actions")) for (const key of action.keys) this.byKey[key] = action.name;
    stage.root.addEventListener("keydown", (event) => this.press(event));
  }

  press(event) {
    if (event.target.closest("input, select, textarea")) {
      if (event.key === "Escape") this.stage.root.focus();
      event.stopPropagation();
      return;
    }
    const onButton = event.target.closest("button") && [" ", "Enter", "Tab"].includes(event.key);
    if (onButton || ["Shift", "Control", "Alt", "Meta", "Tab"].includes(event.key)) return;
    if (this.take(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  take(event) {
    const bare = event.key.toLowerCase();
    if (event.altKey && NUDGES[bare]) {
      this.nudge(NUDGES[bare], event.shiftKey ? 10 : 1);
      return true; // also without a box: with Alt the arrows would leave the page
    }
    if (/^[1-9]$/.test(bare) && !event.ctrlKey) return this.pickNumber(Number(bare));
    const held = [["ctrl", event.ctrlKey || event.metaKey], ["alt", event.altKey], ["shift", event.shiftKey]];
    const name = this.byKey[held.filter(([, down]) => down).map(([key]) => `${key}+`).join("") + bare];
    if (!name) return false;
    this.run(name);
    return true;
  }

  run(name, more) {
    if (this.local[name]) this.local[name](more);
    else if (this.stage.editable || name === "seek") {
      this.stage.player.stop();
      this.stage.act(name, more);
    } else this.stage.act(name, more);
  }

  look(wanted) {
    const { model } = this.stage;
    model.set("look", model.get("look") === wanted ? "original" : wanted);
    model.save_changes();
  }

  leave() {
    const { stage } = this;
    if (stage.pointer.cancel() || stage.controls.closeHelp()) return;
    if (stage.controls.menu.list) return stage.controls.menu.close({ focus: true });
    if (stage.isFull) stage.fit.toggle();
    else if (stage.current !== null) stage.pick(null);
    else stage.root.blur();
  }

  nextFace(step) {
    const faces = this.stage.boxes.at(this.stage.shown).map((row) => row.face).sort((a, b) => a - b);
    if (!faces.length) return;
    const here = faces.indexOf(this.stage.current);
    this.stage.pick(faces[(here < 0 ? 0 : here + step + faces.length) % faces.length]);
  }

  pickNumber(number) {
    const faces = this.stage.boxes.at(this.stage.shown).map((row) => row.face).sort((a, b) => a - b);
    if (number > faces.length) return false;
    this.stage.pick(faces[number - 1]);
    return true;
  }

  nudge([dx, dy], by) {
    return this.change((box) => [box[0] + dx * by, box[1] + dy * by, box[2], box[3]]);
  }

  grow(factor) {
    return this.change(([x, y, width, height]) => {
      const [wide, high] = [width * factor, height * factor];
      return [x - (wide - width) / 2, y - (high - height) / 2, wide, high];
    });
  }

  // Several nudges become one edit, sent after a short rest.
  change(turn) {
    const { stage } = this;
    const box = stage.editable && stage.current !== null && stage.boxOf(stage.current);
    if (!box) return false;
    stage.player.stop();
    this.burst = { frame: stage.shown, face: stage.current, box: turn(box) };
    stage.boxes.draft(stage.shown, stage.current, this.burst.box, Infinity);
    stage.drawBoxes();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.flush(), NUDGE_PAUSE);
    return true;
  }

  flush() {
    const burst = this.burst;
    this.burst = null;
    clearTimeout(this.resting);
    if (burst) this.stage.edit(burst.frame, burst.face, burst.box);
  }
}
