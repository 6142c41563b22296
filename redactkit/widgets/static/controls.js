// Under the picture: time and buttons. Beside the chosen box: its own bar. In the corner: what was just done.

class Controls {
  constructor(stage) {
    this.stage = stage;
    this.actions = Object.fromEntries(stage.model.get("actions").map((action) => [action.name, action]));
    this.buttons = {};
    this.build();
    this.refresh();
    this.showTime();
  }

  close() {
    clearTimeout(this.ticking);
    this.menu.close();
  }

  button(name, text, css = "") {
    const action = this.actions[name] || { tip: text, keys: [] };
    const keys = action.keys.map(keyName).join(" or ");
    const made = make("button", `rk-button rk-do-${name} ${css}`, { type: "button", title: keys ? `${action.tip} (${keys})` : action.tip }, text);
    made.addEventListener("click", () => this.stage.keys.run(name));
    this.buttons[name] = made;
    return made;
  }

  build() {
    const { stage } = this;
    const last = stage.info.count - 1;
    this.slider = make("input", "rk-slider", { type: "range", min: 0, max: last, step: 1, "aria-label": "Frame" });
    this.slider.addEventListener("input", () => {
      stage.player.stop();
      stage.go(Number(this.slider.value));
    });
    this.slider.addEventListener("keydown", (event) => {
      if (/^(Arrow|Home|End|Page)/.test(event.key) && !event.altKey) event.stopPropagation();
    });
    this.place = make("input", "rk-time", { type: "text", size: 12, "aria-label": "Time or frame: 0:05.2 or 130", title: "a time such as 0:05.2, or a frame's number; Enter goes there" });
    this.place.addEventListener("keydown", (event) => {
      if (event.key === "Enter") stage.act("place", { text: this.place.value });
    });
    this.place.addEventListener("blur", () => this.showTime());
    this.number = make("span", "rk-frame");
    this.number.append("frame 0", make("span", "rk-of", {}, ` of ${last}`));
    this.speed = make("select", "rk-speed", { "aria-label": "Speed of playing" });
    for (const speed of [0.25, 0.5, 1, 1.5, 2, 4]) this.speed.append(make("option", "", { value: speed }, `${speed}×`));
    this.speed.addEventListener("change", () => this.set("speed", Number(this.speed.value)));
    this.saved = make("span", "rk-saved", { role: "status" });
    this.bar = make("div", "rk-bar", { role: "toolbar", "aria-label": "Playing and looking" });
    const gap = () => make("span", "rk-fill");
    this.bar.append(this.button("play", "Play", "rk-first"), this.place, this.number, this.speed, gap());
    if (this.actions.preview) this.bar.append(this.button("preview", "Preview"));
    if (this.actions.undo) this.bar.append(this.button("undo", "Undo"));
    this.bar.append(this.saved, this.button("full", "Full window"));
    this.more = make("button", "rk-button rk-more", { type: "button", title: "what is done now and then, with its keys" }, "More");
    this.menu = new Menu(stage, this.more);
    this.more.addEventListener("click", () => this.menu.toggle());
    this.bar.append(this.more);
    stage.root.append(this.slider, this.bar);
    this.note = make("div", "rk-note", { role: "status", "aria-live": "polite" });
    this.note.hidden = true;
    stage.port.append(this.note);
    this.own = make("div", "rk-own", { role: "toolbar", "aria-label": "This face" });
    this.own.hidden = true;
    this.name = make("input", "rk-label", { type: "text", placeholder: "Name", "aria-label": "Name of this face", size: 9 });
    this.name.addEventListener("change", () => stage.act("name", { text: this.name.value }));
    this.name.addEventListener("keydown", (event) => event.key === "Enter" && stage.root.focus());
    const shown = [["redact", "Show"], ["follow", "Follow"], ["no-face", "Not a face"], ["split", "Split here"], ["delete", "Delete"], ["delete-range", "Delete range"]];
    for (const [name, text] of shown) if (this.actions[name]) this.own.append(this.button(name, text));
    if (this.actions.redact) this.buttons.redact.after(this.name);
    stage.port.append(this.own);
    this.own.addEventListener("pointerdown", (event) => event.stopPropagation());
  }

  set(name, value) {
    this.stage.model.set(name, value);
    this.stage.model.save_changes();
  }

  showTime() {
    const { stage } = this;
    this.slider.value = stage.frame;
    this.slider.setAttribute("aria-valuetext", `frame ${stage.frame}, ${clock(stage.timeOf(stage.frame))}`);
    if (document.activeElement !== this.place) this.place.value = clock(stage.timeOf(stage.frame));
    this.number.firstChild.textContent = `frame ${stage.frame}`;
  }

  refresh() {
    const { model } = this.stage;
    this.buttons.play.textContent = this.stage.player.playing ? "Pause" : "Play";
    this.speed.value = String(model.get("speed"));
    const [undo] = model.get("history");
    if (this.buttons.undo) {
      this.buttons.undo.disabled = !undo;
      this.buttons.undo.title = undo ? `undo (Z): ${undo}` : "nothing to undo";
    }
    this.buttons.preview?.setAttribute("aria-pressed", model.get("look") !== "original");
    const face = this.stage.faces[this.stage.current];
    if (this.buttons.redact && face) this.buttons.redact.textContent = face.redact ? "Leave visible" : "Hide";
    if (face && document.activeElement !== this.name) this.name.value = face.label || "";
    this.showNote();
    this.showSaved();
    this.placeBar();
  }

  // "saved 2 s ago": what was decided is on the disk. Looked at again when the words change, so that an idle page is idle.
  showSaved() {
    clearTimeout(this.ticking);
    const at = this.stage.model.get("saved");
    const seconds = at && Math.max(0, Math.round(Date.now() / 1000 - at));
    const text = at ? `saved ${seconds < 60 ? `${seconds} s` : `${Math.round(seconds / 60)} min`} ago` : "";
    if (this.saved.textContent !== text) this.saved.textContent = text;
    if (at) this.ticking = setTimeout(() => this.showSaved(), seconds < 60 ? 1000 : 30000);
  }

  showNote() {
    const note = this.stage.model.get("note") || {};
    if (note.text === this.noteText) return;
    this.noteText = note.text;
    this.note.replaceChildren();
    this.note.hidden = !note.text;
    if (!note.text) return;
    this.note.append(make("span", "", {}, note.text));
    for (const [name, text] of note.offers || []) {
      const one = make("button", `rk-button rk-offer-${name}`, { type: "button" }, text);
      one.addEventListener("click", () => this.stage.act(name));
      this.note.append(one);
    }
    const away = make("button", "rk-button rk-away", { type: "button", "aria-label": "Close this message" }, "×");
    away.addEventListener("click", () => (this.note.hidden = true));
    this.note.append(away);
  }

  placeBar() {
    const { stage } = this;
    const box = stage.editable && stage.boxOf(stage.current);
    const wanted = Boolean(box) && !stage.player.playing && !(stage.pointer && stage.pointer.drag && stage.pointer.drag.far);
    this.own.hidden = !wanted;
    if (!wanted) return;
    const [left, top, width] = stage.lens.place;
    const scale = width / stage.info.width;
    const onPage = ([x, y, w, h]) => [left + x * scale, top + y * scale, w * scale, h * scale];
    const all = stage.boxes.at(stage.shown).map((row) => onPage(row.box));
    const [x, y] = besideBox(onPage(box), all, [this.own.offsetWidth, this.own.offsetHeight], stage.lens.port);
    Object.assign(this.own.style, { left: `${x}px`, top: `${y}px` });
  }

  startNaming() {
    if (this.own.hidden) return;
    this.name.focus();
    this.name.select();
  }

  toggleHelp() {
    if (this.closeHelp()) return;
    this.help = make("div", "rk-help", { role: "dialog", "aria-label": "Keys", tabindex: 0 });
    this.help.append(make("b", "", {}, "Keys, while the picture has the focus (a click gives it)"));
    const list = make("dl", "");
    for (const action of this.stage.model.get("actions")) {
      if (!action.keys.length) continue;
      list.append(make("dt", "", {}, action.keys.map(keyName).join(" or ")), make("dd", "", {}, action.tip));
    }
    const mouse = "Drag a box to move it, a handle to size it, empty ground to draw a new one. Wheel zooms to the pointer, the right button pans, Shift+click marks for a merge.";
    this.help.append(list, make("p", "", {}, mouse));
    this.stage.ports.append(this.help);
    this.help.focus();
  }

  closeHelp() {
    const open = Boolean(this.help);
    this.help?.remove();
    this.help = null;
    if (open) this.stage.root.focus();
    return open;
  }
}

function clock(seconds) {
  const whole = Math.max(0, seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, (Math.floor((whole % 60) * 1000 + 0.5) / 1000).toFixed(3)];
  return `${parts[0]}:${String(parts[1]).padStart(2, "0")}:${parts[2].padStart(6, "0")}`;
}
