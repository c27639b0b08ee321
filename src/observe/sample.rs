//! Looking at memory while a run goes on.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Gauge;
use super::model::Sample;

/// The most samples kept: beyond, every other one goes, and only every second one is taken from then on.
const CAP: usize = 2048;

/// A thread that looks at something again and again until it is dropped.
pub struct Sampler {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Calls `look` at once and then every so often, until it says no or this is dropped.
    pub fn start(every: Duration, mut look: impl FnMut() -> bool + Send + 'static) -> Sampler {
        let (stop, stopped) = channel::<()>();
        let run = move || {
            while look() && stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {}
        };
        Sampler {
            stop: Some(stop),
            thread: std::thread::Builder::new()
                .name("ddf-sample".into())
                .spawn(run)
                .ok(),
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(t) = self.thread.take() {
            let _ = t.join();
        }
    }
}

/// Bytes of this process in memory, as Linux counts them; 0 where it cannot be asked.
pub fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

impl Sample {
    pub(super) fn of(seconds: f64, resident: u64, g: Gauge) -> Sample {
        Sample {
            seconds,
            resident,
            reserved: g.reserved,
            spilled_now: g.spilled_now,
            spilled_total: g.spilled_total,
            rows_read: g.rows_read,
            bytes_read: g.bytes_read,
        }
    }
}

/// Samples over time, in bounded memory.
#[derive(Debug, Default)]
pub(super) struct Samples {
    kept: Vec<Sample>,
    /// Of so many only the first is kept.
    stride: usize,
    skipped: usize,
}

impl Samples {
    pub fn add(&mut self, sample: Sample) {
        if self.skipped + 1 < self.stride {
            self.skipped += 1;
            return;
        }
        self.skipped = 0;
        self.kept.push(sample);
        if self.kept.len() >= CAP {
            let mut i = 0;
            self.kept.retain(|_| {
                i += 1;
                i % 2 == 1
            });
            self.stride = self.stride.max(1) * 2;
        }
    }

    /// Those after the moment up to which a reader has seen them.
    pub fn since(&self, seen: &mut Option<f64>) -> Vec<Sample> {
        let first = seen.map_or(0, |t| self.kept.partition_point(|s| s.seconds <= t));
        if let Some(last) = self.kept.last() {
            *seen = Some(last.seconds);
        }
        self.kept[first..].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_samples_become_fewer_and_further_apart() {
        let (mut all, mut seen, mut got) = (Samples::default(), None, 0);
        for i in 0..20_000 {
            let seconds = f64::from(i) / 10.0;
            all.add(Sample {
                seconds,
                ..Sample::default()
            });
            assert!(all.kept.len() < CAP);
            if i % 100 == 0 {
                got += all.since(&mut seen).len();
            }
        }
        assert!(all.kept.len() > CAP / 4);
        assert!(all.kept.windows(2).all(|w| w[0].seconds < w[1].seconds));
        assert!(all.kept.last().unwrap().seconds > 1990.0);
        assert!(got > CAP && got < 20_000);
        assert!(all.since(&mut seen).len() < 100);
    }

    #[test]
    fn a_sampler_looks_until_it_is_dropped() {
        let (send, looked) = channel();
        let sampler = Sampler::start(Duration::from_millis(1), move || send.send(()).is_ok());
        looked.recv().unwrap();
        looked.recv().unwrap();
        drop(sampler);
        while looked.try_recv().is_ok() {}
        assert!(looked.recv().is_err(), "the thread is gone");
        assert!(resident() > 100_000);
    }
}
