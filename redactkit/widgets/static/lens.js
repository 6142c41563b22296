// Where the frame lies in the port: fitted, zoomed and panned.

class Lens {
  constructor(info) {
    this.info = info;
    this.scale = 1; // of the frame fitted into the port
    this.middle = [0.5, 0.5]; // the frame's point, in shares, in the middle of the port
    this.port = [0, 0];
  }

  get fitted() {
    const [width, height] = this.port;
    const shape = this.info.width / this.info.height;
    return width / Math.max(height, 1) > shape ? [height * shape, height] : [width, width / shape];
  }

  // Left, top, width and height of the frame in the port.
  get place() {
    const [width, height] = this.fitted.map((side) => side * this.scale);
    const left = this.kept(this.port[0], width, this.middle[0]);
    const top = this.kept(this.port[1], height, this.middle[1]);
    return [left, top, width, height];
  }

  kept(port, side, middle) {
    if (side <= port) return (port - side) / 2;
    return Math.min(0, Math.max(port - side, port / 2 - middle * side));
  }

  keepInside() {
    const [left, top, width, height] = this.place;
    this.middle = [(this.port[0] / 2 - left) / width, (this.port[1] / 2 - top) / height];
  }

  zoom(x, y, factor) {
    const [left, top, width, height] = this.place;
    const at = [(x - left) / width, (y - top) / height];
    this.scale = Math.min(Math.max(this.scale * factor, 1), 24);
    const [wide, high] = this.fitted.map((side) => side * this.scale);
    this.middle = [at[0] + (this.port[0] / 2 - x) / wide, at[1] + (this.port[1] / 2 - y) / high];
    this.keepInside();
  }

  pan(dx, dy) {
    const [, , width, height] = this.place;
    this.middle = [this.middle[0] - dx / width, this.middle[1] - dy / height];
    this.keepInside();
  }

  // Shows a box and twice as much around it.
  showBox([x, y, width, height]) {
    const [wide, high] = this.fitted;
    const share = Math.max((width * 3) / this.info.width / (this.port[0] / wide), (height * 3) / this.info.height / (this.port[1] / high));
    this.scale = Math.min(Math.max(1 / Math.max(share, 0.02), 1), 24);
    this.middle = [(x + width / 2) / this.info.width, (y + height / 2) / this.info.height];
    this.keepInside();
  }

  fit() {
    this.scale = 1;
    this.middle = [0.5, 0.5];
  }

  // The part of the frame that is seen, in pixels of the frame: x, y, width, height.
  get region() {
    const [left, top, width, height] = this.place;
    const per = this.info.width / width;
    const x = Math.max(0, -left) * per;
    const y = Math.max(0, -top) * per;
    return [x, y, Math.min(this.port[0], width) * per, Math.min(this.port[1], height) * per];
  }
}

// Where a bar of a size stands in the port: under its box, or above where there is no room; at a side or in a corner
// where it would cover the middles of more boxes, which could not be clicked then. In px of the page.
function besideBox([x, y, width, height], all, [wide, high], port) {
  const [right, low] = [port[0] - wide - 4, port[1] - high - 4];
  const across = Math.max(Math.min(Math.max(x + width / 2 - wide / 2, 4), right), 0);
  const down = Math.min(Math.max(y + height / 2 - high / 2, 4), low);
  const near = [[across, y + height + 12], [across, y - high - 26], [x + width + 12, down], [x - wide - 12, down]];
  const spots = [...near, [4, 4], [right, 4], [4, low], [right, low]];
  const free = spots.filter(([a, b]) => a >= 0 && a + wide <= port[0] && b > 0 && b + high < port[1]);
  const hides = ([a, b], [u, v, w, h]) => u + w / 2 > a - 6 && u + w / 2 < a + wide + 6 && v + h / 2 > b - 6 && v + h / 2 < b + high + 6;
  const counts = free.map((spot) => all.filter((box) => hides(spot, box)).length);
  return free[counts.indexOf(Math.min(...counts))] || [across, low];
}
