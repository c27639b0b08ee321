// The run that is drawn: `ddf.profile/1`, as it was embedded or as it comes in pieces.

/** Tasks of one thread, in the order of time, in typed arrays: 100 000 of them are no burden. */
class Lane {
  constructor(thread) {
    this.thread = thread;
    this.length = 0;
    this.busy = 0;
    this.ordered = true;
    this.room(256);
  }
  room(n) {
    const grown = (type, old) => { const a = new type(n); if (old) a.set(old.subarray(0, this.length)); return a; };
    this.begin = grown(Float64Array, this.begin);
    this.end = grown(Float64Array, this.end);
    this.rows = grown(Float64Array, this.rows);
    this.bytes = grown(Float64Array, this.bytes);
    this.stage = grown(Int32Array, this.stage);
    this.part = grown(Int32Array, this.part);
    this.count = grown(Int32Array, this.count);
  }
  push([, stage, part, begin, end, rows, bytes, count]) {
    const i = this.length;
    if (i === this.begin.length) this.room(2 * i);
    this.begin[i] = begin / 1e6;
    this.end[i] = Math.max(begin, end) / 1e6;
    this.stage[i] = stage;
    this.part[i] = part;
    this.rows[i] = rows;
    this.bytes[i] = bytes;
    this.count[i] = count ?? 1; // 0: what a thread does behind its last task of a stage
    if (i > 0 && this.begin[i] < this.begin[i - 1]) this.ordered = false;
    this.busy += this.end[i] - this.begin[i];
    this.length++;
  }
  /** Puts tasks that came out of turn in the order of their beginnings. */
  settle() {
    if (this.ordered) return;
    const order = Array.from({ length: this.length }, (_, i) => i).sort((a, b) => this.begin[a] - this.begin[b]);
    for (const field of ["begin", "end", "rows", "bytes", "stage", "part", "count"]) {
      const old = this[field].slice();
      order.forEach((from, to) => { this[field][to] = old[from]; });
    }
    this.ordered = true;
  }
  /** The first task that ends after t. */
  after(t) {
    let [low, high] = [0, this.length];
    while (low < high) {
      const mid = (low + high) >> 1;
      if (this.end[mid] <= t) low = mid + 1; else high = mid;
    }
    return low;
  }
}

class Model {
  constructor() { this.load({}); }

  /** Takes a whole model. */
  load(m) {
    this.base = m;
    this.stages = new Map();
    this.lanes = [];
    this.samples = [];
    this.slowest = [];
    this.warnings = [];
    this.state = "running";
    this.error = null;
    this.plan = m.plan || "";
    this.threads = m.threads || 1;
    this.limit = m.memory_limit ?? null;
    this.command = m.command || "ddf";
    for (let i = 0; i < Math.min(this.threads, 4096); i++) this.lane(i);
    this.apply(m);
  }

  lane(thread) {
    let lane = this.lanes.find((l) => l.thread === thread);
    if (!lane) {
      lane = new Lane(thread);
      this.lanes.push(lane);
      this.lanes.sort((a, b) => a.thread - b.thread);
    }
    return lane;
  }

  /** Takes what is new. */
  apply(u) {
    this.elapsed = u.elapsed ?? this.elapsed ?? 0;
    this.received = performance.now();
    this.state = u.state || this.state;
    this.error = u.error ?? this.error;
    if (u.plan) this.plan = u.plan;
    for (const s of u.stages || []) this.stages.set(s.id, s);
    let lane = null;
    for (const t of u.tasks || []) {
      if (!lane || lane.thread !== t[0]) lane = this.lane(t[0]);
      lane.push(t);
    }
    for (const l of this.lanes) l.settle();
    for (const s of u.samples || []) this.samples.push(s);
    if (u.slowest) this.slowest = u.slowest;
    if (u.warnings) this.warnings = u.warnings;
  }

  get running() { return this.state === "running"; }
  /** Seconds since the beginning; goes on between two messages of a run that goes on. */
  get now() {
    return this.running ? this.elapsed + Math.min(1, (performance.now() - this.received) / 1000) : this.elapsed;
  }
  get ordered() { return [...this.stages.values()].sort((a, b) => a.id - b.id); }
  get last() { return this.samples[this.samples.length - 1] || [0, 0, 0, 0, 0, 0, 0]; }
  get busy() { return this.lanes.reduce((sum, l) => sum + l.busy, 0); }
  get taskCount() { return [...this.stages.values()].reduce((sum, s) => sum + s.done, 0); }

  /** Rows and bytes read a second: of late while it runs, of the whole run afterwards. */
  get rates() {
    const [last, n] = [this.last, this.samples.length];
    let first = this.samples[0] || last;
    if (this.running) {
      for (let i = n - 1; i >= 0 && last[0] - this.samples[i][0] <= 2; i--) first = this.samples[i];
    } else {
      const time = Math.max(this.elapsed, 1e-6);
      return { rows: last[5] / time, bytes: last[6] / time };
    }
    const time = last[0] - first[0];
    return time > 0 ? { rows: (last[5] - first[5]) / time, bytes: (last[6] - first[6]) / time } : { rows: 0, bytes: 0 };
  }

  /** How far the whole is, 0 to 1: each stage counts the same, since what waits is not known. */
  get share() {
    if (this.state === "finished") return 1;
    const all = this.ordered;
    return all.reduce((sum, s) => sum + stageShare(s), 0) / Math.max(1, all.length);
  }
  /** This model as JSON: what was embedded, or what has come together. */
  get json() {
    const tasks = this.lanes.flatMap((l) => Array.from({ length: l.length }, (_, i) => [
      l.thread, l.stage[i], l.part[i], Math.round(l.begin[i] * 1e6), Math.round(l.end[i] * 1e6), l.rows[i], l.bytes[i], l.count[i],
    ]));
    const { elapsed, state, error, plan, samples, slowest, warnings } = this;
    return JSON.stringify({ ...this.base, elapsed, state, error, plan, stages: this.ordered, tasks, samples, slowest, warnings });
  }
}

const stageShare = (s) => (s.state === "done" ? 1 : s.tasks ? Math.min(1, s.done / s.tasks) : 0);
/** Seconds of a stage, up to now or up to its end. */
const stageTime = (s, now) => (s.begin == null ? null : Math.max(0, (s.end ?? now) - s.begin));
/** Seconds until a stage is done, guessed from its tasks; null where it cannot be guessed. */
const stageLeft = (s, now) => {
  const time = stageTime(s, now);
  if (s.state !== "running" || !s.tasks || s.done < Math.min(4, s.tasks / 2) || time < 0.3 || s.done >= s.tasks) return null;
  return (time / s.done) * (s.tasks - s.done);
};
