// The stage: one frame with its boxes, played, stepped and edited in the page; the kernel gets finished edits.

const NUDGE_PAUSE = 600; // ms after which a burst of nudges becomes one edit

class Stage {
  constructor(model, el) {
    this.model = model;
    this.info = model.get("video");
    this.times = new Times(this.info, model.get("times"));
    this.frame = model.get("frame"); // wanted
    this.shown = -1; // drawn
    this.hovered = null;
    this.allNames = false;
    this.edits = 0;
    this.offs = [];
    this.boxes = new Boxes();
    this.pictures = new Pictures(model, (frame) => this.pictureCame(frame));
    this.lens = new Lens(this.info);
    this.build(el);
    this.pointer = new Pointer(this);
    this.player = new Player(this);
    this.keys = new Keys(this);
    this.controls = new Controls(this);
    this.fit = new Fit(this);
    this.listen();
    this.layout();
    this.go(this.frame, { quiet: true, force: true });
    this.player.prepare();
  }

  // ---- parts

  build(el) {
    const { width, height, name } = this.info;
    this.root = make("div", "rk-front", {
      tabindex: 0,
      role: "group",
      "aria-label": `Frame of ${name || "the video"}; question mark shows the keys`,
      "data-lm-suppress-shortcuts": "true", // JupyterLab leaves the keys to this element
    });
    this.port = make("div", "rk-port rk-main");
    this.plane = make("div", "rk-plane");
    this.canvas = make("canvas", "rk-picture", { role: "img", "aria-label": "frame" });
    this.video = make("video", "rk-video", { playsinline: "", tabindex: -1, "aria-hidden": "true" });
    this.detail = make("canvas", "rk-detail", { "aria-hidden": "true" });
    this.svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.svg.setAttribute("class", "rk-overlay");
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("aria-hidden", "true");
    this.plane.append(this.canvas, this.video, this.detail, this.svg);
    this.port.append(this.plane);
    this.second = make("div", "rk-port rk-second");
    this.secondPlane = make("div", "rk-plane");
    this.secondCanvas = make("canvas", "rk-picture", { role: "img", "aria-label": "frame, redacted" });
    this.secondPlane.append(this.secondCanvas);
    this.second.append(this.secondPlane);
    this.ports = make("div", "rk-ports");
    this.ports.append(this.port, this.second);
    this.root.append(this.ports);
    el.append(this.root);
  }

  listen() {
    const { model } = this;
    const on = (name, act) => {
      model.on(name, act);
      this.offs.push(() => model.off(name, act));
    };
    on("change:frame", () => model.get("frame") !== this.sent && this.go(model.get("frame"), { quiet: true }));
    on("change:look", () => this.changeLook());
    on("change:zoom", () => (model.get("zoom") ? this.zoomToFace() : this.zoomOut()));
    for (const name of ["faces", "current", "marked"]) on(`change:${name}`, () => this.drawBoxes());
    for (const name of ["faces", "current", "note", "history", "saved", "look", "speed"])
      on(`change:${name}`, () => this.controls.refresh());
    on("msg:custom", (message, buffers) => this.receive(message, buffers));
    this.sized = new ResizeObserver(() => this.layout());
    this.sized.observe(this.ports);
  }

  close() {
    this.player.stop();
    this.keys.flush();
    this.sized.disconnect();
    this.fit.close();
    this.controls.close();
    for (const off of this.offs) off();
    this.pictures.forget();
    this.video.removeAttribute("src");
    this.video.load();
    this.root.remove();
  }

  // ---- facts

  timeOf(frame) {
    return this.times.of(frame);
  }

  frameAt(time) {
    return this.times.frameAt(time);
  }

  get current() {
    return this.model.get("current");
  }

  get editable() {
    return this.model.get("editable");
  }

  get faces() {
    return this.model.get("faces");
  }

  // Pixels of the frame in one of the page.
  get unit() {
    return this.info.width / Math.max(this.lens.place[2], 1);
  }

  // The look under the pointer, and what else must be there.
  get looks() {
    const look = this.model.get("look");
    return look === "both" ? ["original", "redacted"] : [look];
  }

  get width() {
    const wanted = this.lens.fitted[0] * Math.min(window.devicePixelRatio || 1, 2);
    const stepped = Math.ceil(wanted / 160) * 160;
    return Math.max(16, Math.min(stepped, this.info.most, this.info.width));
  }

  serverUrl(path) {
    const config = document.getElementById("jupyter-config-data");
    const base = (config && JSON.parse(config.textContent).baseUrl) || document.body.dataset.baseUrl || "/";
    return base.replace(/\/?$/, "/") + path;
  }

  // ---- time

  go(frame, { quiet = false, force = false } = {}) {
    const wanted = Math.min(Math.max(Math.round(frame), 0), this.info.count - 1);
    if (wanted === this.frame && !force) return;
    this.keys?.flush();
    this.frame = wanted;
    this.needBoxes();
    this.wantPictures();
    this.draw();
    this.controls?.showTime();
    if (!quiet) this.sendFrame();
  }

  step(frames) {
    this.player.stop();
    this.go(this.frame + frames);
  }

  // While playing: the frame is on the screen already, or its picture is there.
  showPlayed(frame) {
    this.frame = frame;
    this.needBoxes();
    if (this.plane.classList.contains("rk-by-video")) {
      this.shown = frame;
      this.drawBoxes();
    } else this.draw();
    this.controls.showTime();
    if (performance.now() - (this.sentAt || 0) > SEND_EVERY) this.sendFrame();
  }

  sendFrame() {
    this.sentAt = performance.now();
    this.sent = this.frame;
    this.model.set("frame", this.frame);
    this.model.save_changes();
  }

  // ---- pictures

  hasPicture(frame) {
    return this.looks.every((look) => this.pictures.get(look, frame));
  }

  wantAhead(frame, ahead) {
    const width = Math.min(this.width, 640);
    this.pictures.want(this.looks, frame, { width, count: this.info.count, ahead, behind: 0 });
  }

  wantPictures() {
    if (this.player?.playing) return;
    this.pictures.want(this.looks, this.frame, { width: this.width, count: this.info.count });
  }

  pictureCame(frame) {
    if (this.player.playing) return;
    if (frame === this.frame) this.draw({ again: true });
    this.wantPictures();
  }

  draw({ again = false } = {}) {
    const [first] = this.looks;
    const found = this.pictures.get(first, this.frame);
    if (!found) {
      this.root.classList.add("rk-waiting");
      return;
    }
    this.root.classList.remove("rk-waiting");
    paint(this.canvas, found.bitmap);
    const other = this.looks[1] && this.pictures.get(this.looks[1], this.frame);
    if (other) paint(this.secondCanvas, other.bitmap);
    this.plane.classList.remove("rk-by-video");
    if (this.shown !== this.frame || !again) {
      this.shown = this.frame;
      this.detail.hidden = true;
    }
    this.canvas.setAttribute("aria-label", `frame ${this.shown}`);
    this.root.dataset.frame = this.shown;
    this.drawBoxes();
    this.wantDetail();
    this.tellShown();
  }

  tellShown() {
    if (this.model.get("shown") === this.shown || this.player?.playing) return;
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      this.model.set("shown", this.shown);
      this.model.save_changes();
    }, 30);
  }

  changeLook() {
    this.ports.classList.toggle("rk-both", this.model.get("look") === "both");
    this.player.stop();
    this.layout();
    this.go(this.frame, { quiet: true, force: true });
  }

  // A sharper picture of the part seen, once zooming has come to rest.
  wantDetail() {
    clearTimeout(this.sharpen);
    if (this.lens.scale < 1.2 || this.looks.length > 1) return;
    this.sharpen = setTimeout(() => {
      const width = Math.round(Math.min(this.port.clientWidth, 1600));
      this.model.send({ do: "detail", frame: this.shown, look: this.looks[0], region: this.lens.region, width });
    }, 180);
  }

  showDetail(message, bitmap) {
    if (message.frame !== this.shown || message.look !== this.looks[0] || this.player.playing) return;
    const [x, y, width, height] = message.region;
    paint(this.detail, bitmap);
    const share = (value, whole) => `${(value / whole) * 100}%`;
    Object.assign(this.detail.style, {
      left: share(x, this.info.width),
      top: share(y, this.info.height),
      width: share(width, this.info.width),
      height: share(height, this.info.height),
    });
    this.detail.hidden = false;
  }

  // ---- boxes

  needBoxes() {
    if (this.boxes.covers(this.frame, 60, this.info.count) || this.askedBoxes === this.frame) return;
    this.askedBoxes = this.frame;
    this.model.send({ do: "boxes", frame: this.frame });
  }

  receive(message, buffers) {
    if (message.what === "boxes") {
      this.boxes.load(message, buffers);
      this.askedBoxes = null;
      if (message.revision !== this.revision) {
        this.revision = message.revision;
        this.pictures.forget("redacted");
        this.detail.hidden = true;
        if (this.looks.includes("redacted")) this.wantPictures();
      }
      this.drawBoxes();
      this.controls.refresh();
    } else if (message.what === "stale") {
      this.pictures.forget(message.look);
      this.detail.hidden = true;
      this.wantPictures();
    } else if (message.what === "picture") {
      this.pictures.take(message, buffers[0]).then((detail) => detail && this.showDetail(message, detail));
    } else if (message.what === "play") {
      if (message.on) this.player.start();
      else this.player.stop();
    } else if (message.what === "blank") {
      this.pictures.forget();
      for (const canvas of [this.canvas, this.secondCanvas, this.detail]) canvas.width = canvas.width;
    }
  }

  drawBoxes() {
    const { model } = this;
    this.svg.innerHTML = drawBoxes({
      rows: this.boxes.at(this.shown),
      faces: this.faces,
      current: this.current,
      marked: model.get("marked"),
      kinds: model.get("kinds"),
      hovered: this.hovered,
      labels: this.allNames,
      plain: model.get("look") === "redacted",
      editable: this.editable,
      unit: this.unit,
      width: this.info.width,
      height: this.info.height,
    });
    this.controls?.placeBar();
  }

  hover(face) {
    if (face === this.hovered) return;
    this.hovered = face;
    this.drawBoxes();
  }

  boxOf(face) {
    return this.boxes.at(this.shown).find((row) => row.face === face)?.box ?? null;
  }

  pick(face) {
    if (face === this.current) return;
    this.keys.flush();
    this.model.set("current", face);
    this.model.save_changes();
    this.drawBoxes();
    this.controls.refresh();
  }

  edit(frame, face, box) {
    this.edits += 1;
    this.boxes.draft(frame, face, box, this.edits);
    this.model.send({ do: "edit", frame, face, box, edit: this.edits });
    this.drawBoxes();
  }

  act(name, more = {}) {
    this.keys.flush();
    this.model.send({ do: "act", name, frame: this.shown < 0 ? this.frame : this.shown, face: this.current, ...more });
  }

  // ---- place

  layout() {
    this.lens.port = [this.port.clientWidth, this.port.clientHeight];
    const [left, top, width, height] = this.lens.place;
    const place = { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` };
    Object.assign(this.plane.style, place);
    Object.assign(this.secondPlane.style, place);
    this.drawBoxes();
    if (this.shown >= 0) this.wantPictures();
  }

  zoomAt(clientX, clientY, factor) {
    const port = this.port.getBoundingClientRect();
    this.lens.zoom(clientX - port.left, clientY - port.top, factor);
    this.layout();
    this.wantDetail();
    this.controls.refresh();
  }

  pan(dx, dy) {
    this.lens.pan(dx, dy);
    this.layout();
    this.wantDetail();
  }

  zoomToFace() {
    const box = this.boxOf(this.current);
    if (!box) return;
    this.lens.showBox(box);
    this.layout();
    this.wantDetail();
    this.controls.refresh();
  }

  zoomOut() {
    this.lens.fit();
    this.detail.hidden = true;
    this.layout();
    this.controls.refresh();
  }

  get isFull() {
    return this.fit.full;
  }

  showPlaying() {
    this.root.classList.toggle("rk-playing", this.player.playing);
    this.controls.refresh();
  }
}
