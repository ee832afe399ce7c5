//! Processor time and memory, for nothing.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The time in which a thread is busy for its share and rests for what is left: short, so that the scheduler of the target
/// sees a steady load, and long against the cost of going to sleep.
const ROUND: Duration = Duration::from_millis(20);
/// So much memory is taken at a time.
const PIECE: usize = 4 << 20;
/// Pages are touched so often: what nobody touches is swapped out first.
const TOUCH: Duration = Duration::from_secs(1);
/// The smallest page of any machine.
const PAGE: usize = 4096;

/// Keeps one processor busy for this share of the time, without end. What counts is the thread's own processor time: one that
/// gets less because others want the processor, too, does not rest meanwhile.
pub fn processor(load: f64) {
    let goal = ROUND.mul_f64(load.clamp(0.0, 1.0));
    loop {
        let (begun, used) = (Instant::now(), thread_time());
        while thread_time().saturating_sub(used) < goal && begun.elapsed() < ROUND {
            for number in 0..20_000_u32 {
                black_box(number);
            }
        }
        if goal < ROUND {
            std::thread::sleep(ROUND.saturating_sub(begun.elapsed()));
        }
    }
}

fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Takes memory piece by piece and keeps it, without end.
pub fn memory(bytes: u64) {
    let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut held: Vec<Vec<u8>> = Vec::new();
    while left > 0 {
        let piece = left.min(PIECE);
        // Other bytes in each: nothing that could be kept once for all.
        held.push(vec![(held.len() % 255 + 1) as u8; piece]);
        left -= piece;
    }
    loop {
        std::thread::sleep(TOUCH);
        for piece in &mut held {
            for byte in piece.iter_mut().step_by(PAGE) {
                *byte = black_box(byte.wrapping_add(1));
            }
        }
    }
}
