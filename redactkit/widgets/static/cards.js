// A list of cards, each with a picture, a few words and what can be done about it; by mouse and by keys.

const PICTURES_A_SECOND = 5;

class Cards {
  constructor(model, el) {
    this.model = model;
    this.pictures = new Map(); // key -> [data URI, ...]
    this.asked = new Set();
    this.nodes = new Map();
    this.crops = new Map(); // key -> the crop of a contact sheet
    this.shown = new Set(); // keys of crops that were on the screen
    this.offs = [];
    this.root = make("div", "rk-cardlist");
    this.head = make("div", "rk-cards-head", { role: "status" });
    this.list = make("div", "rk-cards-items", { role: "list", "aria-label": model.get("title"), tabindex: 0, "data-lm-suppress-shortcuts": "true" });
    this.voice = make("div", "rk-voice", { "aria-live": "polite" }); // the current card, for a screen reader
    this.foot = make("div", "rk-cards-foot"); // what can be done about the current tile
    this.root.append(this.head, this.list, this.foot, this.voice);
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
    this.onScreen = new IntersectionObserver((entries) => this.look(entries), { threshold: 0.9 });
    this.refresh();
  }

  close() {
    for (const off of this.offs) off();
    clearInterval(this.turning);
    this.seen.disconnect();
    this.onScreen.disconnect();
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
    for (const gone of before.values()) this.forget(gone);
    const held = this.list.contains(document.activeElement) && document.activeElement.dataset.crop;
    const typing = this.list.contains(document.activeElement) && document.activeElement.tagName === "INPUT";
    const same = order.length === this.list.children.length && order.every((card, place) => card === this.list.children[place]);
    if (!same) this.list.replaceChildren(...order);
    if (typing && !same) this.list.focus({ preventScroll: true });
    if (held) (this.crops.get(held)?.button || this.list).focus({ preventScroll: true });
    if (!order.length) this.list.replaceChildren(make("p", "rk-none", { role: "listitem" }, this.model.get("empty")));
    this.announce();
    this.mark();
  }

  card(item, described, old) {
    const card = make("div", `rk-card rk-is-${item.state || "plain"}`, { role: "listitem" });
    card.dataset.key = item.key;
    card.classList.toggle("rk-tile", !!item.tile);
    const faces = make("div", "rk-card-pictures");
    const images = this.images(item.pictures ?? 1, faces);
    const words = make("div", "rk-card-words");
    if (item.open === undefined) words.append(make("div", "rk-card-title", {}, item.title));
    else words.append(this.fold(item));
    if (item.badge) words.append(make("span", `rk-badge rk-badge-${item.state || "plain"}`, {}, item.badge));
    for (const line of item.tile ? [] : item.lines || []) words.append(make("div", "rk-card-line", {}, line));
    const tools = make("div", "rk-card-tools");
    if (images.length) card.append(faces);
    card.append(words, tools);
    if (old) this.forget(old);
    const crops = item.crops ? this.sheet(item, card) : []; // below its buttons, since it may be long
    card.addEventListener("click", (event) => {
      if (event.target.closest("button, input")) return;
      this.pick(item.key);
      this.send("click", item.key); // also where it is the current card already, by an earlier click or by the kernel
      this.list.focus({ preventScroll: true });
    });
    card.addEventListener("dblclick", () => this.send("go", item.key));
    card.addEventListener("mouseenter", () => this.play(item.key));
    card.addEventListener("mouseleave", () => this.rest());
    if (images.length) this.seen.observe(card);
    const node = { card, images, tools, described, item, crops };
    this.paint(node, 0);
    return node;
  }

  // The head of cards that are folded away opens and closes them.
  fold(item) {
    const button = make("button", "rk-card-title rk-fold", { type: "button", tabindex: -1, "aria-expanded": String(item.open) }, item.title);
    button.addEventListener("click", () => {
      this.pick(item.key);
      this.act("open", item.key);
    });
    return button;
  }

  images(count, parent) {
    const images = Array.from({ length: count }, () => make("img", "", { alt: "", width: 64, height: 64 }));
    parent.append(...images);
    return images;
  }

  // A contact sheet: a click takes a crop out, or puts it back.
  sheet(item, card) {
    const sheet = make("div", "rk-sheet");
    const crops = item.crops.map((crop) => {
      const said = { type: "button", tabindex: -1, title: crop.title, "aria-label": crop.title, "aria-pressed": String(crop.out) };
      const button = make("button", "rk-crop", said);
      button.dataset.key = button.dataset.crop = crop.key;
      const images = this.images(crop.pictures || 1, button);
      button.append(make("span", "rk-crop-caption", {}, crop.out ? "taken out" : crop.caption));
      button.addEventListener("click", (event) => {
        this.pick(item.key);
        this.send("out", crop.key);
        if (event.detail) this.list.focus({ preventScroll: true });
      });
      sheet.append(button);
      const node = { item: crop, images, button };
      this.crops.set(crop.key, node);
      this.paint(node, 0);
      this.seen.observe(button);
      this.onScreen.observe(button);
      return node;
    });
    card.append(sheet);
    return crops;
  }

  forget(node) {
    this.seen.unobserve(node.card);
    for (const { button, item } of node.crops) {
      this.seen.unobserve(button);
      this.onScreen.unobserve(button);
      if (this.crops.get(item.key)?.button === button) this.crops.delete(item.key);
    }
  }

  // The list scrolls, and the page around it only where it must.
  show(element, block) {
    const [place, list] = [element.getBoundingClientRect(), this.list.getBoundingClientRect()];
    if (block === "start" || place.top < list.top || place.height > list.height) this.list.scrollTop += place.top - list.top;
    else if (place.bottom > list.bottom) this.list.scrollTop += place.bottom - list.bottom;
    if (block === "start") element.scrollIntoView({ block: "nearest" });
  }

  look(entries) {
    for (const { isIntersecting, target } of entries) if (isIntersecting) this.shown.add(target.dataset.key);
  }

  // The first crop of a sheet that nobody can have looked at yet: it was not on the screen, or its picture is to come.
  unseen(item) {
    return (item.crops || []).find(({ key, out }) => !out && !(this.shown.has(key) && this.pictures.has(key)));
  }

  // What can be done stands in the current card alone, so that few buttons are seen.
  mark() {
    const current = this.model.get("current");
    this.foot.replaceChildren();
    for (const [key, node] of this.nodes) {
      const now = key === current;
      node.card.classList.toggle("rk-current", now);
      if (now) node.card.setAttribute("aria-current", "true");
      else node.card.removeAttribute("aria-current");
      if (now && !node.tools.children.length) this.fill(node);
      else if (!now && node.tools.children.length) node.tools.replaceChildren();
      if (now && node.item.tile) this.foot.append(make("div", "rk-card-line", {}, [node.item.title, ...node.item.lines].join(", ")), node.tools);
      for (const { button } of node.crops) button.tabIndex = now ? 0 : -1;
      if (now && this.scrolledTo !== current) this.show(node.card, "nearest");
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
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = [...this.nodes.keys()];
    const here = keys.indexOf(this.model.get("current"));
    const steps = { arrowdown: 1, arrowright: 1, arrowup: -1, arrowleft: -1 };
    const key = event.key.toLowerCase();
    const crop = event.target.dataset.crop; // on a crop, Enter and Space are its own
    if (crop ? key === "enter" || key === " " || key === "tab" : event.target !== this.list) return;
    const can = this.nodes.get(keys[here])?.item.actions; // two actions may share a key, where no card has both
    const by = (wanted) => this.model.get("actions").find((one) => one.key === wanted && (!can || can.includes(one.name)));
    const action = (event.shiftKey && by(`shift+${key}`)) || by(key);
    if (steps[key] && crop) this.beside(event.target, key)?.focus();
    else if (steps[key]) this.pick(this.neighbour(keys, here, key, steps[key]));
    else if (key === "e" && here >= 0) this.nodes.get(keys[here]).tools.querySelector("input")?.focus();
    else if (key === "z") this.send("undo", null);
    else if (action && here >= 0) this.act(action.name, keys[here]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Tiles stand in rows: up and down go to the one above or below.
  neighbour(keys, here, key, step) {
    const near = this.nodes.get(keys[here])?.item.tile && (key === "arrowup" || key === "arrowdown");
    if (near) return this.beside(this.nodes.get(keys[here]).card, key)?.dataset.key;
    return keys[Math.min(Math.max(here + step, 0), keys.length - 1)];
  }

  // The element next to one among those around it, as they stand on the page.
  beside(element, key) {
    const all = [...element.parentElement.children];
    if (key === "arrowleft" || key === "arrowright") return all[all.indexOf(element) + (key === "arrowleft" ? -1 : 1)];
    const { left, top } = element.getBoundingClientRect();
    const away = (one) => (key === "arrowup" ? -1 : 1) * (one.getBoundingClientRect().top - top);
    const rows = all.filter((one) => away(one) > 4).sort((one, other) => away(one) - away(other));
    const near = rows.filter((one) => away(one) < away(rows[0]) + 4);
    const aside = (one) => Math.abs(one.getBoundingClientRect().left - left);
    return near.sort((one, other) => aside(one) - aside(other))[0];
  }

  act(name, key) {
    const { item } = this.nodes.get(key) || {};
    if (!item || (item.actions && !item.actions.includes(name))) return;
    const unseen = this.model.get("looks").includes(name) && this.unseen(item);
    if (unseen) {
      this.show(this.crops.get(unseen.key).button, "start");
      this.head.textContent = this.voice.textContent = "Look at these too, then press again.";
      return;
    }
    const keys = [...this.nodes.keys()];
    const later = keys.slice(keys.indexOf(key) + 1);
    // One answer for a whole group goes on to the first card that is not of it. What was passed over comes at the end.
    const open = (one) => !["done", "fold", "good"].includes(this.nodes.get(one).item.state);
    const left = (one) => one !== key && open(one) && !(name.endsWith("-all") && this.nodes.get(one).item.group === item.group);
    const before = item.group === undefined ? undefined : keys.find(left);
    const next = later.find(left) ?? before ?? (name.endsWith("-all") ? undefined : later[0]);
    this.send(name, key);
    const stays = (item.crops || []).some((crop) => crop.out); // those are asked about next
    if (this.model.get("advance").includes(name) && next !== undefined && !stays) this.pick(next);
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
      this.foot.replaceChildren();
      return;
    }
    for (const [key, uris] of Object.entries(message.pictures || {})) {
      this.pictures.set(key, uris);
      const node = this.nodes.get(key) || this.crops.get(key);
      if (node) this.paint(node, 0);
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
