// Plays the video itself where the browser can, else pictures in their time.

const SEND_EVERY = 200; // ms between two messages to the kernel about where playing is
const PICTURES_AHEAD = 45;
const PATIENCE = 30000; // ms without a new picture after which playing ends: the kernel may be gone

class Player {
  constructor(stage) {
    this.stage = stage;
    this.playing = false;
    this.run = 0;
    this.usable = null; // not yet known whether the video can be played here
  }

  // Tries each address in turn; a file of another size or length is another file.
  async prepare() {
    const { info, video } = this.stage;
    for (const address of info.sources) {
      video.preload = "auto";
      video.src = this.stage.serverUrl(address);
      const loaded = await new Promise((done) => {
        video.onloadeddata = () => done(true);
        video.onerror = () => done(false);
        setTimeout(() => done(video.readyState >= 2), 8000);
      });
      const same = loaded && video.videoWidth === info.width && video.videoHeight === info.height;
      if (same && Math.abs(video.duration - info.duration) < 1) return (this.usable = true);
    }
    video.removeAttribute("src");
    return (this.usable = false);
  }

  toggle() {
    if (this.playing) this.stop();
    else this.start();
  }

  async start() {
    if (this.playing) return;
    this.playing = true;
    const run = (this.run += 1);
    this.stage.showPlaying();
    if (this.stage.frame >= this.stage.info.count - 1) this.stage.go(0, { quiet: true });
    const plain = this.stage.model.get("look") === "original";
    if (plain && this.usable) await this.playVideo(run);
    else this.playPictures(run);
  }

  async playVideo(run) {
    const { video, info, stage } = { video: this.stage.video, info: this.stage.info, stage: this.stage };
    video.playbackRate = stage.model.get("speed");
    const begin = stage.timeOf(stage.frame) - stage.timeOf(0) + 0.25 / info.rate;
    if (Math.abs(video.currentTime - begin) > 0.01) {
      video.currentTime = begin;
      await new Promise((done) => {
        video.onseeked = done;
        setTimeout(done, 3000);
      });
    }
    if (run !== this.run || !this.playing) return;
    const seen = (_, shown) => {
      if (run !== this.run || !this.playing) return;
      stage.plane.classList.add("rk-by-video");
      stage.showPlayed(stage.frameAt(shown.mediaTime + stage.timeOf(0)));
      video.requestVideoFrameCallback(seen);
    };
    video.requestVideoFrameCallback(seen);
    video.onended = () => run === this.run && this.stop({ at: info.count - 1 });
    try {
      await video.play();
    } catch (refused) {
      if (run !== this.run || !this.playing) return;
      video.muted = true; // a page may not play sound before it was clicked
      await video.play().catch(() => this.playPictures(run));
    }
  }

  playPictures(run) {
    const stage = this.stage;
    let begun = performance.now();
    let origin = stage.timeOf(stage.frame);
    let last = stage.frame;
    let came = begun;
    const tick = (now) => {
      if (run !== this.run || !this.playing) return;
      if (stage.frame !== last) {
        begun = now; // somebody went elsewhere: play on from there
        origin = stage.timeOf(stage.frame);
      }
      const speed = stage.model.get("speed");
      const due = Math.min(stage.frameAt(origin + ((now - begun) / 1000) * speed), stage.info.count - 1);
      let ready = due;
      while (ready > stage.frame && !stage.hasPicture(ready)) ready -= 1;
      // Where the kernel is late, time waits for it rather than leave out many frames.
      if (due - ready > 8) {
        begun = now;
        origin = stage.timeOf(ready);
      }
      stage.wantAhead(Math.max(ready, stage.frame), PICTURES_AHEAD);
      if (ready > stage.frame) {
        stage.showPlayed(ready);
        came = now;
      }
      last = stage.frame;
      if (stage.frame >= stage.info.count - 1 || now - came > PATIENCE) this.stop();
      else requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  stop({ at = null } = {}) {
    if (!this.playing) return;
    this.playing = false;
    this.run += 1;
    this.stage.video.pause();
    this.stage.showPlaying();
    this.stage.go(at ?? this.stage.frame, { force: true });
  }
}
