//! Random graphs against a plain evaluation: same values, each task once, few results at a time, none left.

use std::sync::atomic::{
    AtomicBool, AtomicIsize, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::order::Plan;
use super::*;
use crate::observe::{Observer, RunEnd, RunStart, TaskEnd, TaskStart};

/// Counts the results that live, and the most that ever did.
#[derive(Default)]
struct Counts {
    live: AtomicIsize,
    most: AtomicIsize,
}

/// A result that is counted as long as it lives.
struct Counted {
    value: u64,
    counts: Arc<Counts>,
}

impl Counted {
    fn new(value: u64, counts: &Arc<Counts>) -> Counted {
        let live = counts.live.fetch_add(1, SeqCst) + 1;
        counts.most.fetch_max(live, SeqCst);
        Counted {
            value,
            counts: counts.clone(),
        }
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Counted::new(self.value, &self.counts)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counts.live.fetch_sub(1, SeqCst);
    }
}

/// What each node depends on, by number; all lower than its own.
type Shape = Vec<Vec<usize>>;

struct Built {
    graph: TaskGraph,
    handles: Vec<Delayed<Counted>>,
    counts: Arc<Counts>,
    runs: Arc<Vec<AtomicUsize>>,
}

/// Tasks that add up what they depend on; those of which `slow` is true take longer.
fn build(shape: &Shape, slow: impl Fn(usize) -> bool) -> Built {
    let mut graph = TaskGraph::new();
    let counts: Arc<Counts> = Arc::default();
    let runs: Arc<Vec<AtomicUsize>> = Arc::new(shape.iter().map(|_| AtomicUsize::new(0)).collect());
    let mut handles: Vec<Delayed<Counted>> = Vec::new();
    for (i, inputs) in shape.iter().enumerate() {
        let (counts, runs, slow) = (counts.clone(), runs.clone(), slow(i));
        let f = move |all: Vec<&Counted>| {
            runs[i].fetch_add(1, SeqCst);
            if slow {
                std::thread::sleep(Duration::from_micros(100));
            }
            let sum = all
                .iter()
                .fold(i as u64 + 1, |a, c| a.wrapping_mul(31).wrapping_add(c.value));
            Counted::new(sum, &counts)
        };
        let inputs: Vec<_> = inputs.iter().map(|&d| handles[d]).collect();
        handles.push(graph.delayed("node", f, inputs));
    }
    Built {
        graph,
        handles,
        counts,
        runs,
    }
}

fn reference(shape: &Shape) -> Vec<u64> {
    let mut values: Vec<u64> = Vec::new();
    for (i, inputs) in shape.iter().enumerate() {
        let sum = inputs
            .iter()
            .fold(i as u64 + 1, |a, &d| a.wrapping_mul(31).wrapping_add(values[d]));
        values.push(sum);
    }
    values
}

fn options(threads: usize) -> RunOptions {
    RunOptions {
        ahead: 1,
        chunk: 1,
        ..RunOptions::threads(threads)
    }
}

/// Runs it and checks values, counts, and how much was held.
fn check(shape: &Shape, wanted: &[usize], options: &RunOptions, slow: impl Fn(usize) -> bool) -> usize {
    let built = build(shape, slow);
    let outputs: Vec<_> = wanted.iter().map(|&w| built.handles[w]).collect();
    let ids: Vec<u32> = wanted.iter().map(|&w| w as u32).collect();
    let plan = Plan::of(&built.graph, &ids);
    let all = reference(shape);
    let results = built.graph.compute_with(outputs, options).unwrap();
    let values: Vec<u64> = results.iter().map(|c| c.value).collect();
    assert_eq!(values, wanted.iter().map(|&w| all[w]).collect::<Vec<_>>());
    for (i, n) in built.runs.iter().enumerate() {
        let needed = plan.node_of.contains(&(i as u32));
        assert_eq!(n.load(SeqCst), usize::from(needed), "task {i}");
    }
    let most = built.counts.most.load(SeqCst) as usize;
    let threads = match options.scheduler {
        Scheduler::Sync => 1,
        Scheduler::Threads => options.threads,
    };
    let bound = match threads {
        1 => plan.peak + 1,
        n => 2 * plan.peak + n * (options.ahead + options.chunk + 2),
    };
    assert!(
        most <= bound + wanted.len(),
        "{most} results at once, not {bound}; peak {}",
        plan.peak
    );
    drop(results);
    assert_eq!(built.counts.live.load(SeqCst), 0, "a result was never dropped");
    plan.peak
}

/// Graphs whose nodes depend on near ones, on far ones, or on none.
fn shapes() -> impl Strategy<Value = Shape> {
    let node = prop_oneof![
        1 => Just(Vec::new()),
        4 => prop::collection::vec(1..12usize, 1..4),
        1 => prop::collection::vec(1..400usize, 1..8),
    ];
    prop::collection::vec(node, 1..250).prop_map(|nodes| {
        let back = |(i, steps): (usize, Vec<usize>)| steps.iter().filter_map(|s| i.checked_sub(*s)).collect();
        nodes.into_iter().enumerate().map(back).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn random_graphs_on_any_threads(
        shape in shapes(),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        threads in 1..6usize,
        chunk in 1..5usize,
        slow in 2..9usize,
    ) {
        let wanted: Vec<usize> = picks.iter().map(|p| p.index(shape.len())).collect();
        check(&shape, &wanted, &RunOptions::sync(), |_| false);
        check(&shape, &wanted, &RunOptions { chunk, ..options(threads) }, |i| i % slow == 0);
    }
}

/// So many loads, each cleaned, united by eights.
fn tree(shape: &mut Shape, leaves: &[usize]) -> usize {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = level
            .chunks(8)
            .map(|some| {
                shape.push(some.to_vec());
                shape.len() - 1
            })
            .collect();
    }
    level[0]
}

#[test]
fn memory_follows_threads_and_not_tasks() {
    const N: usize = 3000;
    let loads = |shape: &mut Shape| -> Vec<usize> {
        (0..N)
            .map(|_| {
                shape.push(Vec::new());
                shape.len() - 1
            })
            .collect()
    };
    let each = |shape: &mut Shape, of: &[usize]| -> Vec<usize> {
        of.iter()
            .map(|&d| {
                shape.push(vec![d]);
                shape.len() - 1
            })
            .collect()
    };
    // all loads are written down first, as programs do
    let mut map_reduce = Shape::new();
    let l = loads(&mut map_reduce);
    let cleaned = each(&mut map_reduce, &l);
    let total = tree(&mut map_reduce, &cleaned);
    assert!(check(&map_reduce, &[total], &options(4), |i| i % 7 == 0) < 50);

    // two trees over the same loads
    let mut two = Shape::new();
    let l = loads(&mut two);
    let (f, g) = (each(&mut two, &l), each(&mut two, &l));
    let wanted = [tree(&mut two, &f), tree(&mut two, &g)];
    assert!(check(&two, &wanted, &options(4), |i| i % 50 == 0) < 100);

    // a long fold whose links are slow: the loads must wait for it
    let mut fold = Shape::new();
    let l = loads(&mut fold);
    let mut last = l[0];
    for &load in &l[1..] {
        fold.push(vec![last, load]);
        last = fold.len() - 1;
    }
    assert!(check(&fold, &[last], &options(4), |i| i >= N) <= 3);

    // one value that all need, expanded for each
    let mut broadcast = vec![Vec::new()];
    let l = loads(&mut broadcast);
    let expanded = each(&mut broadcast, &vec![0; N]);
    let met: Vec<usize> = l
        .iter()
        .zip(&expanded)
        .map(|(&a, &b)| {
            broadcast.push(vec![a, b]);
            broadcast.len() - 1
        })
        .collect();
    let total = tree(&mut broadcast, &met);
    assert!(check(&broadcast, &[total], &options(4), |i| i % 40 == 0) < 50);
}

#[test]
fn a_result_asked_for_twice_is_made_once() {
    let built = build(&vec![vec![], vec![0, 0], vec![1]], |_| false);
    let (a, b) = (built.handles[1], built.handles[2]);
    let (x, y, z) = built.graph.compute((a, b, a)).unwrap();
    assert_eq!(
        (x.value, y.value),
        (z.value, reference(&vec![vec![], vec![0, 0], vec![1]])[2])
    );
    assert!(built.runs.iter().all(|r| r.load(SeqCst) == 1));
    // and computed again, it is made again
    drop((x, y, z));
    built.graph.compute(a).unwrap();
    assert_eq!(built.runs[1].load(SeqCst), 2);
    assert_eq!(built.counts.live.load(SeqCst), 0);
}

#[test]
fn values_are_shared_and_kept() {
    let mut g = TaskGraph::new();
    let text = g.value("long".to_string());
    let lengths = g.delayed("len", |[a, b]| a.len() + b.len(), [text, text]);
    assert_eq!(
        g.compute((text, lengths, vec![text])).unwrap(),
        ("long".into(), 8, vec!["long".into()])
    );
    assert_eq!(g.compute([text, text]).unwrap(), ["long", "long"]);
    assert_eq!(g.compute(Vec::<Delayed<i32>>::new()).unwrap(), Vec::<i32>::new());
}

#[test]
fn failures_and_panics_name_their_task_and_stop_the_rest() {
    for options in [RunOptions::sync(), RunOptions::threads(3)] {
        let mut g = TaskGraph::new();
        let a = g.value(7);
        let bad = g.delayed("divide", |a| 1 / (a - 7), a);
        let fails = g.try_delayed("parse", |_| Err::<i32, _>("no such thing"), a);
        let never = Arc::new(AtomicBool::new(false));
        let set = never.clone();
        let after = g.delayed("after", move |_| set.store(true, SeqCst), bad);
        let e = g.compute_with(after, &options).unwrap_err();
        assert_eq!(
            (e.kind(), e.what()),
            (
                Kind::Task,
                "task divide (number 1) panicked: attempt to divide by zero"
            )
        );
        let e = g.compute_with(fails, &options).unwrap_err();
        assert_eq!(e.to_string(), "task parse (number 2): no such thing");
        assert!(!never.load(SeqCst));
    }
}

#[test]
fn our_own_errors_keep_what_they_know() {
    let mut g = TaskGraph::new();
    let read = g.try_delayed("read", |()| crate::Frame::read("no/such/file.csv").map(|_| 0), ());
    let e = g.compute(read).unwrap_err();
    assert!(e.what().starts_with("task read (number 0): "), "{e}");
    assert_ne!(e.kind(), Kind::Task);
}

#[test]
fn handles_of_other_graphs_are_errors() {
    let (mut g, mut other) = (TaskGraph::new(), TaskGraph::new());
    let far = other.value(1);
    assert!(g.compute(far).unwrap_err().what().contains("another graph"));
    let wrong = g.delayed("inc", |x| x + 1, far);
    assert!(
        g.compute(wrong)
            .unwrap_err()
            .what()
            .contains("task inc depends on")
    );
}

#[test]
fn retries() {
    let failing = |times: usize| {
        let mut g = TaskGraph::new();
        let tried = AtomicUsize::new(0);
        let f = move |()| match tried.fetch_add(1, SeqCst) {
            n if n < times => Err(std::io::Error::other("busy")),
            n => Ok(n),
        };
        let task = g.try_delayed("read", f, ());
        (g, task)
    };
    let options = |retries| RunOptions {
        retries,
        backoff: Duration::from_micros(10),
        ..RunOptions::threads(2)
    };
    let (g, task) = failing(3);
    assert_eq!(g.compute_with(task, &options(3)).unwrap(), 3);
    let (g, task) = failing(3);
    assert_eq!(
        g.compute_with(task, &options(2)).unwrap_err().what(),
        "task read (number 0): busy"
    );
}

#[test]
fn cancelled_runs_end() {
    for threads in [1, 3] {
        let options = RunOptions::threads(threads);
        let mut g = TaskGraph::new();
        let cancel = options.cancel.clone();
        let stops = g.delayed("stops", move |()| cancel.cancel(), ());
        let mut last = g.delayed("next", |()| 0, ());
        for _ in 0..100 {
            last = g.delayed("next", |n| n + 1, last);
        }
        let both = g.delayed("both", |(_, n)| *n, (stops, last));
        let e = g.compute_with(both, &options).unwrap_err();
        assert_eq!(e.kind(), Kind::Interrupted);
    }
    // a retry that would wait for an hour
    let options = RunOptions {
        retries: 1,
        backoff: Duration::from_secs(3600),
        ..RunOptions::threads(2)
    };
    let mut g = TaskGraph::new();
    let cancel = options.cancel.clone();
    let fails = g.try_delayed(
        "fails",
        move |()| {
            cancel.cancel();
            Err::<(), _>("no")
        },
        (),
    );
    assert_eq!(
        g.compute_with(fails, &options).unwrap_err().kind(),
        Kind::Interrupted
    );
}

/// Writes down what it is told.
#[derive(Default)]
struct Notes {
    steps: Mutex<Vec<&'static str>>,
    names: Mutex<Vec<String>>,
    failed: AtomicUsize,
}

impl Observer for Notes {
    fn start(&self, run: &RunStart) {
        assert!(run.threads > 0);
        self.steps.lock().unwrap().push("start");
    }
    fn pretask(&self, task: &TaskStart) {
        self.names.lock().unwrap().push(task.name.to_string());
    }
    fn posttask(&self, task: &TaskEnd) {
        assert!(task.begin <= task.end);
        self.steps.lock().unwrap().push("task");
        self.failed.fetch_add(usize::from(task.failed), Relaxed);
    }
    fn finish(&self, end: &RunEnd) {
        self.steps
            .lock()
            .unwrap()
            .push(if end.error.is_some() { "failed" } else { "finish" });
    }
}

#[test]
fn observers_see_every_task() {
    for options in [RunOptions::sync(), RunOptions::threads(3)] {
        let notes = Arc::new(Notes::default());
        let mut g = TaskGraph::new();
        let one = g.value(1);
        let numbers: Vec<_> = (0..20).map(|_| g.delayed("inc", |x| x + 1, one)).collect();
        let sum = g.delayed("sum", |all| all.into_iter().sum::<i32>(), numbers);
        assert_eq!(
            g.compute_with(sum, &options.clone().observed(notes.clone()))
                .unwrap(),
            40
        );
        let steps = notes.steps.lock().unwrap();
        assert_eq!((steps.len(), steps[0], steps[22]), (23, "start", "finish"));
        let names = notes.names.lock().unwrap();
        assert_eq!((names.len(), names[20].as_str()), (21, "sum"));

        let notes = Arc::new(Notes::default());
        let bad = g.try_delayed("bad", |_| Err::<(), _>("no"), sum);
        g.compute_with(bad, &options.observed(notes.clone())).unwrap_err();
        assert_eq!(notes.failed.load(Relaxed), 1);
        assert_eq!(notes.steps.lock().unwrap().last(), Some(&"failed"));
    }
}

/// Panics at a task.
struct Faulty(usize);

impl Observer for Faulty {
    fn posttask(&self, task: &TaskEnd) {
        assert!(task.part != self.0, "this observer is at fault");
    }
}

#[test]
fn an_observer_that_panics_ends_the_run_and_hangs_nobody() {
    for threads in [1, 2, 4] {
        for at in [3, 40, 99] {
            let mut g = TaskGraph::new();
            let mut last = g.delayed("first", |()| 0_u64, ());
            let mut all = vec![last];
            for i in 1..100 {
                last = g.delayed("next", |(a, b)| a + b, (last, all[i / 2]));
                all.push(last);
            }
            let options = RunOptions::threads(threads).observed(Arc::new(Faulty(at)));
            let ran =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| g.compute_with(last, &options)));
            assert!(ran.is_err(), "{threads} threads, task {at}");
        }
    }
}

#[test]
fn drawings() {
    let mut g = TaskGraph::new();
    let numbers = g.values(0..100);
    let squares = g.map("square <x>", |x: &i32| x * x, &numbers);
    let sum = g.delayed("sum", |all| all.into_iter().sum::<i32>(), squares);
    let dot = g.dot();
    assert!(
        dot.contains("n1 [shape=ellipse, label=\"square <x> × 100\"]"),
        "{dot}"
    );
    assert!(
        dot.contains("n1 -> n2;") && dot.contains("n0 -> n1 [label=\"100\"]"),
        "{dot}"
    );
    let svg = g.svg();
    assert!(svg.contains("square &lt;x&gt; × 100"), "{svg}");
    assert_eq!(svg.matches("<rect").count(), 4);
    let json = g.to_json();
    assert_eq!(json["nodes"].as_array().unwrap().len(), 201);
    assert_eq!(
        json["nodes"][sum.number()]["inputs"].as_array().unwrap().len(),
        100
    );
    assert!(g.draw("x.png").is_err());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.txt");
    g.draw(&path).unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap(), g.text());
    assert!(TaskGraph::new().svg().contains("<svg"));
}

#[test]
fn pools_run_what_is_submitted() {
    for pool in [Pool::sync(), Pool::new(2).unwrap()] {
        let mut sums = vec![pool.submit("zero", |()| 0u64, ())];
        for i in 1..200 {
            let before = sums[sums.len() - 1].clone();
            sums.push(pool.submit("add", move |n| n + i, before));
        }
        assert_eq!(sums[199].result().unwrap(), 199 * 200 / 2);
        assert!(sums.iter().all(|s| s.status() == Status::Finished));
        let all: u64 = as_completed(sums).map(|h| h.result().unwrap()).sum();
        assert_eq!(all, (0..200u64).map(|i| i * (i + 1) / 2).sum::<u64>());
    }
}

#[test]
fn what_is_cancelled_or_fails_in_a_pool() {
    let pool = Pool::new(1).unwrap();
    let (tell, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let busy = pool.submit("busy", move |()| wait.lock().unwrap().recv().is_ok(), ());
    let queued = pool.submit("queued", |()| 1, ());
    let behind = pool.submit("behind", |n| n + 1, queued.clone());
    assert_eq!(queued.status(), Status::Waiting);
    assert!(queued.cancel() && !queued.cancel());
    tell.send(()).unwrap();
    assert!(busy.result().unwrap() && !busy.cancel());
    assert_eq!(behind.result().unwrap_err().kind(), Kind::Interrupted);
    assert_eq!(
        (queued.status(), behind.status()),
        (Status::Cancelled, Status::Cancelled)
    );

    let panics = pool.submit("index", |()| Vec::<i32>::new()[0], ());
    let after = pool.submit("after", |_| (), panics.clone());
    let e = after.result().unwrap_err();
    assert!(
        e.what().starts_with("task index panicked: index out of bounds"),
        "{e}"
    );
    assert_eq!(
        (panics.status(), after.status()),
        (Status::Failed, Status::Failed)
    );

    let tried = AtomicUsize::new(0);
    let again = pool.with_retries(2, Duration::from_micros(1)).try_submit(
        "again",
        move |()| match tried.fetch_add(1, SeqCst) {
            2 => Ok(2),
            _ => Err("busy"),
        },
        (),
    );
    assert_eq!(again.result().unwrap(), 2);
}
