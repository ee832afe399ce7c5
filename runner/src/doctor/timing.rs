//! What can only be measured: how late a timer wakes, what a reading of the clock costs, how long loopback takes. Half a second
//! in all.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};

use super::facts::Spread;

/// Wakes of the timer, one a millisecond.
const WAKES: usize = 300;
/// Bytes there and back.
const ROUND_TRIPS: usize = 300;
/// Readings of the clock.
const READINGS: u32 = 10_000;
/// A peer that has gone must not hang the doctor.
const PATIENCE: Duration = Duration::from_secs(2);

/// Wakes by the same means as the load: a timerfd with an absolute time.
pub fn timer_lateness() -> io::Result<Spread> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let mut late = Vec::with_capacity(WAKES);
    for _ in 0..WAKES {
        let due = now() + Duration::from_millis(1);
        let at = Timespec::try_from(due).map_err(io::Error::other)?;
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
        timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME, &once)?;
        let mut count = [0; 8];
        rustix::io::read(&timer, &mut count)?;
        late.push(now().saturating_sub(due));
    }
    Ok(spread(late))
}

fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    // Time since boot is not negative.
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Nanoseconds of one reading.
pub fn clock_cost() -> f64 {
    let began = Instant::now();
    for _ in 0..READINGS {
        std::hint::black_box(Instant::now());
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(READINGS)
}

/// A byte to a thread of this process and back, over 127.0.0.1.
pub fn loopback() -> io::Result<Spread> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut here = TcpStream::connect(listener.local_addr()?)?;
    let (mut there, _) = listener.accept()?;
    for stream in [&here, &there] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
    }
    let echo = std::thread::spawn(move || {
        let mut byte = [0; 1];
        // Ends when the other side has.
        while there.read_exact(&mut byte).is_ok() && there.write_all(&byte).is_ok() {}
    });
    let mut took = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let began = Instant::now();
        here.write_all(&[7])?;
        here.read_exact(&mut [0; 1])?;
        took.push(began.elapsed());
    }
    drop(here);
    // It only echoes, and cannot panic.
    let _ = echo.join();
    Ok(spread(took))
}

fn spread(mut all: Vec<Duration>) -> Spread {
    all.sort_unstable();
    let at = |quantile: f64| {
        let index = ((all.len() as f64 * quantile).ceil() as usize).clamp(1, all.len().max(1)) - 1;
        all.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    Spread { samples: all.len(), p50_us: at(0.5), p99_us: at(0.99), max_us: at(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        let found = spread((1..=100).map(Duration::from_micros).collect());
        assert_eq!((found.samples, found.p50_us, found.p99_us, found.max_us), (100, 50.0, 99.0, 100.0));
        assert_eq!(spread(Vec::new()).samples, 0);
    }

    #[test]
    fn a_timer_is_never_early_and_loopback_takes_some_time() {
        let late = timer_lateness().expect("Linux has timers");
        assert!(late.samples == WAKES && late.max_us >= late.p50_us && late.max_us > 0.0, "{late:?}");
        assert!(loopback().expect("there is a loopback").p50_us > 0.0);
        assert!(clock_cost() > 0.0);
    }
}
