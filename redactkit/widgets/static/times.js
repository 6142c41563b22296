// The time of each frame, in seconds: as sent, or by the rate where that never varies.

class Times {
  constructor(info, view) {
    this.info = info;
    this.seconds = null;
    if (view && view.byteLength)
      this.seconds = new Float64Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  }

  of(frame) {
    const { seconds, info } = this;
    return seconds ? seconds[Math.min(frame, seconds.length - 1)] : info.first + frame / info.rate;
  }

  // The frame that is seen at a time; half a millisecond covers rounding.
  frameAt(time) {
    const { seconds, info } = this;
    const last = info.count - 1;
    if (!seconds) return Math.min(Math.max(Math.floor((time - info.first) * info.rate + 0.02), 0), last);
    let low = 0;
    let high = last;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (seconds[middle] <= time + 0.0005) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
