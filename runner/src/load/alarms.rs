//! What wakes an iteration beside its socket: the end of a think time, and the timeout of a request.
//!
//! Think times are few and precise: they wait in a heap that the worker's pacer serves. A timeout nearly never fires, so a
//! timer for each request would be work for nothing: deadlines stand in the list of open requests, which the worker walks
//! every tick anyway (it reports them as open), and only those that fall before the next tick go into the heap. So a
//! timeout is as exact as a think time and costs two stores a request.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::task::Waker;
use std::time::Duration;

use brunt_report::sample::OpenRequest;
use brunt_scenario::units::Offset;

/// From one batch to the next, and so the horizon within which deadlines are kept in order.
pub const TICK: Duration = Duration::from_millis(50);

struct Alarm {
    at: Offset,
    waker: Waker,
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl Eq for Alarm {}
impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// A request that is open, and how to end it.
struct Entry {
    request: OpenRequest,
    deadline: Offset,
    waker: Waker,
}

/// Where an open request stands in [`Alarms`].
#[derive(Debug, Clone, Copy)]
pub struct Slot(usize);

#[derive(Default)]
struct Inner {
    heap: BinaryHeap<Reverse<Alarm>>,
    open: Vec<Option<Entry>>,
    free: Vec<usize>,
    next_tick: Offset,
}

/// The alarms and open requests of one worker.
#[derive(Default)]
pub struct Alarms(RefCell<Inner>);

impl Alarms {
    /// Wakes a task at an instant. The caller tells the pacer, which may be asleep for longer.
    pub fn wake_at(&self, at: Offset, waker: &Waker) {
        self.0.borrow_mut().heap.push(Reverse(Alarm { at, waker: waker.clone() }));
    }

    /// Notes an open request whose task `waker` wakes at its deadline. Returns whether the deadline comes before the next
    /// tick: then the pacer has to be told.
    pub fn open(&self, request: OpenRequest, deadline: Offset, waker: &Waker) -> (Slot, bool) {
        let inner = &mut *self.0.borrow_mut();
        let entry = Some(Entry { request, deadline, waker: waker.clone() });
        let index = match inner.free.pop() {
            Some(index) => {
                inner.open[index] = entry;
                index
            }
            None => {
                inner.open.push(entry);
                inner.open.len() - 1
            }
        };
        let soon = deadline < inner.next_tick;
        if soon {
            inner.heap.push(Reverse(Alarm { at: deadline, waker: waker.clone() }));
        }
        (Slot(index), soon)
    }

    /// The request has ended.
    pub fn close(&self, slot: Slot) {
        let inner = &mut *self.0.borrow_mut();
        inner.open[slot.0] = None;
        inner.free.push(slot.0);
    }

    /// The next alarm, if there is one.
    pub fn next(&self) -> Option<Offset> {
        self.0.borrow().heap.peek().map(|Reverse(alarm)| alarm.at)
    }

    /// Wakes everything that is due.
    pub fn fire(&self, now: Offset) {
        loop {
            let waker = {
                let mut inner = self.0.borrow_mut();
                match inner.heap.peek() {
                    Some(Reverse(alarm)) if alarm.at <= now => inner.heap.pop(),
                    _ => None,
                }
            };
            match waker {
                Some(Reverse(alarm)) => alarm.waker.wake(),
                None => return,
            }
        }
    }

    /// Walks the open requests at a tick: lists them, and puts the deadlines before the next tick in order.
    pub fn tick(&self, next_tick: Offset) -> Vec<OpenRequest> {
        let inner = &mut *self.0.borrow_mut();
        let already = inner.next_tick;
        inner.next_tick = next_tick;
        let mut open = Vec::with_capacity(inner.open.len() - inner.free.len());
        for entry in inner.open.iter().flatten() {
            open.push(entry.request);
            // Deadlines before the last horizon are in the heap already, or have fired.
            if entry.deadline >= already && entry.deadline < next_tick {
                inner.heap.push(Reverse(Alarm { at: entry.deadline, waker: entry.waker.clone() }));
            }
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn request() -> OpenRequest {
        OpenRequest { series: 0, warmup: false, intended: Offset(1) }
    }

    #[test]
    fn a_far_deadline_enters_the_heap_at_the_tick_before_it_and_wakes_once() {
        let (alarms, count) = (Alarms::default(), Arc::new(Count::default()));
        let waker = Waker::from(count.clone());
        alarms.tick(Offset(50));
        let (_slot, soon) = alarms.open(request(), Offset(120), &waker);
        assert!(!soon);
        assert_eq!(alarms.tick(Offset(100)).len(), 1);
        assert_eq!(alarms.next(), None, "not within this tick");
        alarms.tick(Offset(150));
        assert_eq!(alarms.next(), Some(Offset(120)));
        alarms.fire(Offset(119));
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        alarms.fire(Offset(120));
        alarms.tick(Offset(200));
        alarms.fire(Offset(200));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_near_deadline_is_in_order_at_once_and_a_closed_request_is_not_listed() {
        let (alarms, waker) = (Alarms::default(), Waker::noop());
        alarms.tick(Offset(50));
        let (near, soon) = alarms.open(request(), Offset(10), waker);
        assert!(soon);
        assert_eq!(alarms.next(), Some(Offset(10)));
        alarms.close(near);
        let (_again, _) = alarms.open(request(), Offset(500), waker);
        assert_eq!(alarms.tick(Offset(100)).len(), 1);
    }
}
