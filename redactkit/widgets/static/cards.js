// A list of cards, each with a picture, a few words and what can be done about it; by mouse and by keys.

const PICTURES_A_SECOND = 5;

class Cards {
  constructor(model, el) {
    this.model = model;
    this.pictures = new Map(); // key -> [data URI, ...]
    this.asked = new Set();
    this.nodes = new Map();
    this.offs = [];
    this.root = make("div", "rk-cardlist");
    this.head = make("div", "rk-cards-head", { role: "status" });
    this.list = make("div", "rk-cards-items", { role: "list", "aria-label": model.get("title"), tabindex: 0, "data-lm-suppress-shortcuts": "true" });
    this.voice = make("div", "rk-voice", { "aria-live": "polite" }); // the current card, for a screen reader
    this.root.append(this.head, this.list, this.voice);
    el.append(this.root);
    this.list.addEventListener("keydown", (event) => this.press(event));
    const on = (name, act) => {
      model.on(name, act);
      this.offs.push(() => model.off(name, act));
    };
    on("change:items", () => this.refresh());
    on("change:current", () => this.mark());
    on("change:summary", () => this.announce());
    on("msg:custom", (message) => this.take(message));
    this.seen = new IntersectionObserver((entries) => this.see(entries), { root: null, rootMargin: "300px" });
    this.refresh();
  }

  close() {
    for (const off of this.offs) off();
    clearInterval(this.turning);
    this.seen.disconnect();
    this.pictures.clear();
    this.root.remove();
  }

  get items() {
    return this.model.get("items");
  }

  announce() {
    this.head.textContent = this.model.get("summary");
  }

  // Nodes whose item did not change stay, so that nothing flickers and the place in the list is kept.
  refresh() {
    const before = this.nodes;
    this.nodes = new Map();
    const order = this.items.map((item) => {
      const old = before.get(item.key);
      const described = JSON.stringify(item);
      const node = old && old.described === described ? old : this.card(item, described, old);
      this.nodes.set(item.key, node);
      before.delete(item.key);
      return node.card;
    });
    for (const gone of before.values()) this.seen.unobserve(gone.card);
    const typing = this.list.contains(document.activeElement) && document.activeElement.tagName === "INPUT";
    const same = order.length === this.list.children.length && order.every((card, place) => card === this.list.children[place]);
    if (!same) this.list.replaceChildren(...order);
    if (typing && !same) this.list.focus({ preventScroll: true });
    if (!order.length) this.list.replaceChildren(make("p", "rk-none", { role: "listitem" }, this.model.get("empty")));
    this.announce();
    this.mark();
  }

  card(item, described, old) {
    const card = make("div", `rk-card rk-is-${item.state || "plain"}`, { role: "listitem" });
    card.dataset.key = item.key;
    const faces = make("div", "rk-card-pictures");
    const images = [];
    for (let place = 0; place < (item.pictures || 1); place += 1) {
      const image = make("img", "", { alt: "", width: 64, height: 64 });
      images.push(image);
      faces.append(image);
    }
    const words = make("div", "rk-card-words");
    words.append(make("div", "rk-card-title", {}, item.title));
    if (item.badge) words.append(make("span", `rk-badge rk-badge-${item.state || "plain"}`, {}, item.badge));
    for (const line of item.lines || []) words.append(make("div", "rk-card-line", {}, line));
    const tools = make("div", "rk-card-tools");
    card.append(faces, words, tools);
    card.addEventListener("click", (event) => {
      if (event.target.closest("button, input")) return;
      this.pick(item.key);
      this.list.focus({ preventScroll: true });
    });
    card.addEventListener("dblclick", () => this.send("go", item.key));
    card.addEventListener("mouseenter", () => this.play(item.key));
    card.addEventListener("mouseleave", () => this.rest());
    if (old) this.seen.unobserve(old.card);
    this.seen.observe(card);
    const node = { card, images, tools, described, item };
    this.paint(node, 0);
    return node;
  }

  // What can be done stands in the current card alone, so that few buttons are seen.
  mark() {
    const current = this.model.get("current");
    for (const [key, node] of this.nodes) {
      const now = key === current;
      node.card.classList.toggle("rk-current", now);
      if (now) node.card.setAttribute("aria-current", "true");
      else node.card.removeAttribute("aria-current");
      if (now && !node.tools.children.length) this.fill(node);
      else if (!now && node.tools.children.length) node.tools.replaceChildren();
      if (now && this.scrolledTo !== current) node.card.scrollIntoView({ block: "nearest" });
    }
    const node = this.nodes.get(current);
    this.voice.textContent = node ? `${node.item.title} ${node.item.badge || ""}` : "";
    this.scrolledTo = current;
  }

  fill(node) {
    const { item } = node;
    for (const action of this.model.get("actions")) {
      if (item.actions && !item.actions.includes(action.name)) continue;
      if ({ hide: "hide", visible: "show" }[action.name] === item.state && item.name !== undefined) continue; // it is so already
      const one = make("button", `rk-button rk-card-${action.name}`, { type: "button", tabindex: -1, title: `${action.tip}${action.key ? ` (${keyName(action.key)})` : ""}` }, action.text);
      one.addEventListener("click", () => this.act(action.name, item.key));
      node.tools.append(one);
    }
    if (item.name === undefined) return;
    const name = make("input", "rk-label", { type: "text", placeholder: "Name (E)", "aria-label": `Name of ${item.title}`, size: 10, tabindex: -1 });
    name.value = item.name;
    const done = () => name.value !== item.name && this.send("name", item.key, { text: name.value });
    name.addEventListener("blur", done);
    name.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" || event.key === "Escape") {
        if (event.key === "Escape") name.value = item.name;
        this.list.focus();
      }
    });
    node.tools.append(name);
  }

  press(event) {
    if (event.target !== this.list || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = [...this.nodes.keys()];
    const here = keys.indexOf(this.model.get("current"));
    const steps = { arrowdown: 1, arrowright: 1, arrowup: -1, arrowleft: -1 };
    const key = event.key.toLowerCase();
    const can = this.nodes.get(keys[here])?.item.actions; // two actions may share a key, where no card has both
    const by = (wanted) => this.model.get("actions").find((one) => one.key === wanted && (!can || can.includes(one.name)));
    const action = (event.shiftKey && by(`shift+${key}`)) || by(key);
    if (steps[key]) this.pick(keys[Math.min(Math.max(here + steps[key], 0), keys.length - 1)]);
    else if (key === "e" && here >= 0) this.nodes.get(keys[here]).tools.querySelector("input")?.focus();
    else if (key === "z") this.send("undo", null);
    else if (action && here >= 0) this.act(action.name, keys[here]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  act(name, key) {
    const { item } = this.nodes.get(key) || {};
    if (!item || (item.actions && !item.actions.includes(name))) return;
    const keys = [...this.nodes.keys()];
    const later = keys.slice(keys.indexOf(key) + 1);
    // One answer for a whole group goes on to the first card that is not of it, also one before.
    const left = (one) => this.nodes.get(one).item.state !== "done" && !(name.endsWith("-all") && this.nodes.get(one).item.group === item.group);
    const next = later.find(left) ?? (name.endsWith("-all") ? keys.find(left) : later[0]);
    this.send(name, key);
    if (this.model.get("advance").includes(name) && next !== undefined) this.pick(next);
    this.list.focus({ preventScroll: true });
  }

  pick(key) {
    if (key === undefined || key === this.model.get("current")) return;
    this.model.set("current", key);
    this.model.save_changes();
    this.mark();
  }

  send(name, key, more = {}) {
    this.model.send({ do: name, key, ...more });
  }

  // ---- pictures

  see(entries) {
    const wanted = [];
    for (const entry of entries) {
      const key = entry.isIntersecting && entry.target.dataset.key;
      if (key && !this.pictures.has(key) && !this.asked.has(key)) wanted.push(key);
    }
    for (const key of wanted) this.asked.add(key);
    if (wanted.length) this.model.send({ do: "pictures", keys: wanted });
  }

  take(message) {
    if (message.what === "blank") {
      this.pictures.clear();
      this.list.replaceChildren();
      return;
    }
    for (const [key, uris] of Object.entries(message.pictures || {})) {
      this.pictures.set(key, uris);
      if (this.nodes.has(key)) this.paint(this.nodes.get(key), 0);
    }
    if (message.strip && message.strip.key === this.playing) this.strip = message.strip.pictures;
  }

  paint(node, place) {
    const uris = this.pictures.get(node.item.key) || [];
    node.images.forEach((image, number) => {
      const uri = uris[number + place];
      if (uri && image.src !== uri) image.src = uri;
    });
  }

  play(key) {
    this.rest();
    if (!this.model.get("strips")) return;
    this.playing = key;
    this.strip = null;
    this.turning = setInterval(() => this.turn(), 1000 / PICTURES_A_SECOND);
    this.hovering = setTimeout(() => this.playing === key && this.model.send({ do: "strip", key }), 200);
  }

  turn() {
    const node = this.nodes.get(this.playing);
    if (!node || !this.strip || !this.strip.length) return;
    this.place = ((this.place || 0) + 1) % this.strip.length;
    node.images[0].src = this.strip[this.place];
  }

  rest() {
    clearInterval(this.turning);
    clearTimeout(this.hovering);
    const node = this.nodes.get(this.playing);
    this.playing = this.strip = null;
    if (node) this.paint(node, 0);
  }
}

export default {
  render({ model, el }) {
    el.classList.add("rk-cards-place");
    const cards = new Cards(model, el);
    return () => cards.close();
  },
};
