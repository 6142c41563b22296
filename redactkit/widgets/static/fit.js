// How large the stage, or the room around it, is: all the height there is, or the whole window.

const MARGIN = 24; // px left under the room, so that one sees where it ends

class Fit {
  constructor(stage) {
    this.stage = stage;
    this.full = false;
    this.watch = new ResizeObserver(() => this.refresh());
    this.waiting = requestAnimationFrame(() => this.begin());
  }

  // The element that scrolls the page is known only once the stage is in it.
  begin() {
    const { root } = this.stage;
    this.room = root.closest(".rk-workbench");
    this.target = this.room || root;
    this.scroller = null; // the outermost: an output that scrolls by itself would grow with what it holds
    for (let one = this.target.parentElement; one && one !== document.body; one = one.parentElement)
      if (/auto|scroll/.test(getComputedStyle(one).overflowY) && one.clientHeight > 200) this.scroller = one;
    this.watch.observe(this.scroller || document.documentElement);
    this.watch.observe(this.target);
    this.refresh();
  }

  refresh() {
    if (!this.target) return;
    const { info, ports } = this.stage;
    const room = this.scroller && !this.full ? this.scroller.clientHeight : window.innerHeight;
    if (this.room) {
      this.room.style.setProperty("--rk-height", `${this.full ? room : Math.max(room - MARGIN, 420)}px`);
      this.room.classList.toggle("rk-narrow", this.room.clientWidth < 700);
      return;
    }
    const shape = info.height / info.width / (this.stage.model.get("look") === "both" ? 2 : 1);
    const most = this.full ? room - 70 : Math.min(this.stage.model.get("height") || Infinity, room - MARGIN - 70);
    ports.style.height = `${Math.round(this.full ? most : Math.min(most, ports.clientWidth * shape))}px`;
  }

  // The window is filled from the body: what lies around an output may clip it.
  toggle() {
    if (!this.target) return;
    this.full = !this.full;
    if (this.full) {
      this.home = document.createComment("rk");
      this.target.replaceWith(this.home);
      document.body.append(this.target);
    } else this.home.replaceWith(this.target);
    this.target.classList.toggle("rk-full", this.full);
    this.stage.controls.buttons.full.textContent = this.full ? "Back to page" : "Full window";
    this.refresh();
    this.stage.root.focus();
  }

  close() {
    cancelAnimationFrame(this.waiting);
    this.watch.disconnect();
    if (this.full) {
      this.home?.remove();
      this.target.remove();
    }
  }
}
