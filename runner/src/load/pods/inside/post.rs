//! What a worker writes and hears: results that are kept until they have arrived, answers at once, and how long nobody has
//! said a word.

use std::collections::VecDeque;
use std::io::{BufRead as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::load::pods::line::{self, Reader};
use crate::load::pods::talk::{FromWorker, Order, RESULT, Reading, Result as Message, ToWorker};
use crate::{clock, environment};

/// How long it bears silence before it knows the lease.
const PATIENCE: Duration = Duration::from_secs(60);
/// Lines of results that nobody has received yet take so many bytes at most; older ones are lost then.
const KEPT: usize = 64 * 1024 * 1024;

/// What is written, and what was heard.
pub struct Post {
    /// Test hook: by so much this worker's clocks are ahead.
    pub shift_ns: i64,
    /// What each ping is answered with beside the time.
    announced: Mutex<Option<FromWorker>>,
    out: Mutex<Out>,
    /// The last order.
    heard: AtomicU64,
    /// The last line from the runner, nanoseconds on CLOCK_MONOTONIC.
    last_word: AtomicU64,
    /// Silence of so many nanoseconds ends it all.
    lease: AtomicU64,
}

/// Lines of results.
struct Out {
    /// Written, and not known to have arrived, with their numbers.
    kept: VecDeque<(u64, String)>,
    bytes: usize,
    next: u64,
}

impl Post {
    /// Nothing was heard yet, and nothing said.
    pub fn new(shift_ns: i64) -> Self {
        Self {
            shift_ns,
            announced: Mutex::default(),
            out: Mutex::new(Out { kept: VecDeque::new(), bytes: 0, next: 1 }),
            heard: AtomicU64::new(0),
            last_word: AtomicU64::new(clock::both().0),
            lease: AtomicU64::new(PATIENCE.as_nanos() as u64),
        }
    }

    /// An answer that is said now and with every ping until there is another one.
    pub fn announce(&self, what: Option<FromWorker>) {
        if let Some(what) = &what {
            answer(what);
        }
        *locked(&self.announced) = what;
    }

    /// From now on silence of this length ends it.
    pub fn lease_begins(&self, lease: Duration) {
        self.lease.store(lease.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Ends when nobody has said a word for too long.
    pub async fn silence(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let silent = clock::both().0.saturating_sub(self.last_word.load(Ordering::Relaxed));
            if silent > self.lease.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    fn time(&self) -> Reading {
        let (monotonic_ns, wall_ns) = clock::both();
        let shifted = |ns: u64| ns.wrapping_add_signed(self.shift_ns);
        Reading { monotonic_ns: shifted(monotonic_ns), wall_ns: shifted(wall_ns) }
    }

    /// A message of results that is no batch.
    pub fn results(&self, message: &Message) {
        let text = serde_json::to_vec(message).expect("plain data has a JSON form");
        self.message(RESULT, &text);
    }

    /// A message of results; kept until it has arrived.
    pub fn message(&self, kind: u8, body: &[u8]) {
        let whole = [&[kind], body].concat();
        let mut out = locked(&self.out);
        let first = out.next;
        let lines = line::lines(&whole, &mut out.next);
        let text = lines.concat();
        for (number, line) in (first..).zip(lines) {
            out.bytes += line.len();
            out.kept.push_back((number, line));
        }
        while out.bytes > KEPT {
            let Some((_, oldest)) = out.kept.pop_front() else { break };
            out.bytes -= oldest.len();
        }
        put(&text);
    }

    /// Lines before this one have arrived.
    fn arrived(&self, due: u64) {
        let mut out = locked(&self.out);
        while out.kept.front().is_some_and(|(number, _)| *number < due) {
            let length = out.kept.pop_front().map_or(0, |(_, line)| line.len());
            out.bytes -= length;
        }
    }

    /// From this line on once more.
    fn again(&self, due: u64) {
        let out = locked(&self.out);
        out.kept.iter().filter(|(number, _)| *number >= due).for_each(|(_, line)| put(line));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// To the pod's log. That nobody takes it shows in what is asked for again.
fn put(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn answer(what: &FromWorker) {
    let text = serde_json::to_vec(what).expect("plain data has a JSON form");
    let _ = std::io::stderr().lock().write_all(line::talk(&text).as_bytes());
}

/// Hears whatever comes, until standard input ends: then only silence does.
pub fn listen(post: &Post, orders: &UnboundedSender<Order>) {
    let mut reader = Reader::of_talk();
    let mut stdin = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        match stdin.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let Some(message) = reader.take(&line) else { continue };
        let Ok(said) = serde_json::from_slice(&message) else { continue };
        post.last_word.store(clock::both().0, Ordering::Relaxed);
        match said {
            ToWorker::Ping { number, due } => {
                let written = locked(&post.out).next - 1;
                let (time, heard) = (post.time(), post.heard.load(Ordering::Relaxed));
                let used_ns = environment::cpu_time().as_nanos() as u64;
                answer(&FromWorker::Pong { number, time, heard, written, used_ns });
                post.arrived(due);
                let announced = locked(&post.announced).clone();
                announced.iter().for_each(answer);
            }
            ToWorker::Again { due } => post.again(due),
            ToWorker::Order { number, order } => {
                if number == post.heard.load(Ordering::Relaxed) + 1 {
                    post.heard.store(number, Ordering::Relaxed);
                    // Who carries them out is gone at the end only.
                    let _ = orders.send(order);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_have_arrived_are_not_kept() {
        let post = Post::new(0);
        for _ in 0..3 {
            post.results(&Message::Addresses(Vec::new()));
        }
        post.arrived(3);
        let out = locked(&post.out);
        assert_eq!(out.kept.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3]);
        assert_eq!(out.bytes, out.kept[0].1.len());
    }
}
