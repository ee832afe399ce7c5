//! The thread that decides about packets: reads those that have come, holds them, gives verdicts when it is time.
//!
//! It owns its socket and all that is known of the packets; others see only its counters. It never sleeps longer than
//! [`TICK`], and says when it was last awake: whoever renews the lease of the rule asks for that first, so that a thread that
//! hangs does not go on swallowing packets.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::flows::{Flows, Key};
use super::held::{Give, Held, Verdicts};
use super::resend::{Copies, Resending};
use super::treatment::{Deciding, Fate, Treatment};
use super::{Counters, Shared};
use crate::netlink::queue::{Copied, Queue};
use crate::proxy::Nanos;
use crate::sys;

/// It is awake at least so often.
const TICK: u64 = 50_000_000;
/// It gets up so much before a packet is due, at most. A processor that has slept comes to itself within 50 to 200 us; one that
/// would take longer is busy otherwise, and shall not be kept from that.
const EARLY: u64 = 100_000;
/// How often the kernel's own counters are read.
const CHECK: u64 = 200_000_000;
/// How long the end may take until everything that the rule had matched has arrived here.
const END: Duration = Duration::from_secs(1);
/// Packets that may wait in the kernel, or as copies here: 1.3 s of 50,000 a second.
pub(super) const ROOM: u32 = 65_536;
/// Copies that are sent in a second, at most.
const DUPLICATES: u64 = 10_000;

/// How packets go on when their time has come.
enum Way {
    /// They wait in the kernel.
    Verdict,
    /// A copy is sent.
    Copy(Resending, Copies),
}

pub(super) struct Worker {
    queue: Queue,
    way: Way,
    deciding: Deciding,
    flows: Flows,
    held: Held,
    verdicts: Verdicts,
    counts: Counters,
    shared: Arc<Shared>,
    /// No fate is decided any more: what comes goes on behind what is held.
    ending: bool,
    /// What the packets of one reading need, beside being accepted.
    todo: Vec<(u32, Todo)>,
    /// When those were due that go on now.
    dues: Vec<u64>,
    /// Until when it is known how long the wire was busy.
    busy: u64,
    checked: u64,
    /// How late the kernel lately was to wake this thread, in nanoseconds: so much earlier it asks to be woken.
    early: u64,
    /// Copies in the second that began then.
    second: (u64, u64),
}

enum Todo {
    Drop,
    Accept,
    /// With these bytes.
    Change(Vec<u8>),
    /// And send a copy.
    Twice(Vec<u8>),
}

impl Worker {
    /// In the namespace where the queue is bound. `leaves`: the packets are seen where they are made.
    pub fn new(
        number: u16,
        leaves: bool,
        treatment: &Treatment,
        seed: u64,
        shared: Arc<Shared>,
    ) -> Result<Self, super::Error> {
        let holds = matches!(treatment, Treatment::Delay(_) | Treatment::Reorder(..) | Treatment::Rate(_));
        let copied = match treatment {
            Treatment::Corrupt(_) | Treatment::Duplicate(_) | Treatment::Answers(_) => Copied::Whole,
            _ if leaves && holds => Copied::Whole,
            _ => Copied::Head,
        };
        let queue = Queue::bind(number, copied, ROOM)?;
        let way = if leaves && holds || matches!(treatment, Treatment::Duplicate(_)) {
            Way::Copy(Resending::new().map_err(super::Error::Resending)?, Copies::default())
        } else {
            Way::Verdict
        };
        let flows = Flows::new(seed);
        Ok(Self {
            queue,
            way,
            deciding: Deciding::new(treatment, &mut flows.of_path()),
            flows,
            held: Held::default(),
            verdicts: Verdicts::default(),
            counts: Counters::default(),
            shared,
            ending: false,
            todo: Vec::new(),
            dues: Vec::new(),
            busy: 0,
            checked: 0,
            early: 0,
            second: (0, 0),
        })
    }

    /// Until the end is asked for, or the socket fails.
    pub fn run(mut self, wake: &OwnedFd) -> io::Result<()> {
        // A packet is due when it is due, also where the load and its target want every processor. Where that is not allowed
        // (an ordinary user's agent) this thread waits for its turn like all others; the lateness is measured either way.
        let _ = sys::wake_first();
        // By default the kernel wakes a thread up to 50 us late.
        rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1))?;
        loop {
            let now = Nanos::now().0;
            self.shared.awake.store(now, Relaxed);
            if now.saturating_sub(self.checked) > CHECK {
                self.checked = now;
                self.check();
            }
            self.let_go(now)?;
            let read = self.take()?;
            self.give_verdicts()?;
            self.publish();
            if read == 0 {
                if self.shared.ending.load(Relaxed) {
                    return self.end();
                }
                self.wait(wake)?;
            }
        }
    }

    /// Until a packet comes, or shortly before the next one is due: the rest of that time is spent looking for packets, awake.
    fn wait(&mut self, wake: &OwnedFd) -> io::Result<()> {
        let now = Nanos::now().0;
        let span = match self.held.next_due() {
            Some(due) if due <= now + self.early => return Ok(()),
            Some(due) => (due - self.early - now).min(TICK),
            None => TICK,
        };
        let timeout = Timespec { tv_sec: 0, tv_nsec: span.cast_signed() };
        let mut fds = [PollFd::new(&self.queue, PollFlags::IN), PollFd::new(wake, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => {
                let late = Nanos::now().0.saturating_sub(now + span);
                self.early = (self.early * 7 + late.min(EARLY)) / 8;
                Ok(())
            }
            Err(rustix::io::Errno::INTR) | Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Those whose time has come go on.
    fn let_go(&mut self, now: u64) -> io::Result<()> {
        let mut bytes = 0;
        while let Some(item) = self.held.pop_due(now) {
            self.dues.push(item.due);
            bytes += u64::from(item.bytes);
            self.go_on(item.what);
        }
        if self.dues.is_empty() {
            return Ok(());
        }
        self.give_verdicts()?;
        let gone = Nanos::now().0;
        if bytes > 0 {
            self.counts.carried.bytes += bytes;
            self.counts.carried.busy += Duration::from_nanos(gone.saturating_sub(self.busy));
            self.busy = gone;
        }
        for due in self.dues.drain(..) {
            self.shared.lateness.record(Duration::from_nanos(gone.saturating_sub(due)));
        }
        Ok(())
    }

    fn go_on(&mut self, what: u32) {
        self.counts.held -= 1;
        match &mut self.way {
            Way::Verdict => self.verdicts.accept(what),
            Way::Copy(resending, copies) => {
                self.counts.unsent += u64::from(resending.send(copies.get(what)).is_err());
                copies.free(what);
            }
        }
    }

    /// Reads what has come and decides about it.
    fn take(&mut self) -> io::Result<usize> {
        let Self { queue, way, deciding, flows, held, verdicts, counts, todo, ending, busy, .. } = self;
        let mut at = None;
        // Where the kernel does not say when too many wait, no more do than half of those that may: what else waits was not
        // read yet, and does not fit into the socket's buffer long before that is as much.
        let room = if queue.is_told() { u64::MAX } else { u64::from(ROOM / 2) };
        let read = queue.read(|packet| {
            let at = *at.get_or_insert_with(Nanos::now);
            counts.came += 1;
            verdicts.came(packet.id);
            let flow = flows.of(Key::of(packet.bytes));
            let mut hold = |due: u64, bytes: u32| {
                if counts.held >= room {
                    counts.no_room += 1;
                    todo.push((packet.id, Todo::Accept));
                    return;
                }
                if counts.held == 0 && bytes > 0 {
                    counts.carried.times += 1;
                    *busy = at.0;
                }
                counts.held += 1;
                counts.most_held = counts.most_held.max(counts.held);
                match way {
                    Way::Verdict => held.push(due, packet.id, bytes),
                    Way::Copy(_, copies) if copies.kept() < ROOM as usize => {
                        held.push(due, copies.keep(packet.bytes), bytes);
                        todo.push((packet.id, Todo::Drop));
                    }
                    Way::Copy(..) => {
                        counts.held -= 1;
                        counts.no_room += 1;
                        todo.push((packet.id, Todo::Accept));
                    }
                }
            };
            let fate = if *ending { Fate::Held(Duration::ZERO) } else { deciding.next(flow, packet.bytes, at.0) };
            let meant = !*ending && matches!(fate, Fate::Held(_));
            match fate {
                Fate::Held(span) | Fate::Overtaken(span) => {
                    let due = at.after(span).0;
                    counts.acted += u64::from(meant);
                    counts.asked += span;
                    counts.pushed_back += u64::from(due < flow.last_due);
                    flow.last_due = due.max(flow.last_due);
                    hold(flow.last_due, 0);
                }
                Fate::Carried { due, bytes, waits } => {
                    counts.acted += u64::from(waits);
                    hold(due, bytes);
                }
                Fate::NoRoom => {
                    counts.carried.dropped += 1;
                    todo.push((packet.id, Todo::Drop));
                }
                Fate::Overtakes => {
                    counts.acted += 1;
                    todo.push((packet.id, Todo::Accept));
                }
                Fate::Pass => todo.push((packet.id, Todo::Accept)),
                Fate::Lost => {
                    counts.acted += 1;
                    todo.push((packet.id, Todo::Drop));
                }
                Fate::Changed(place) => {
                    counts.acted += 1;
                    todo.push((packet.id, Todo::Change(changed(packet.bytes, place))));
                }
                Fate::Rewritten(bytes) => {
                    counts.acted += 1;
                    todo.push((packet.id, Todo::Change(bytes)));
                }
                Fate::Twice => todo.push((packet.id, Todo::Twice(packet.bytes.to_vec()))),
            }
        })?;
        self.do_it(Nanos::now().0)?;
        Ok(read)
    }

    fn do_it(&mut self, now: u64) -> io::Result<()> {
        let mut todo = std::mem::take(&mut self.todo);
        for (id, what) in todo.drain(..) {
            match what {
                Todo::Accept => self.verdicts.accept(id),
                Todo::Drop => {
                    self.verdicts.gone(id);
                    self.queue.drop_one(id)?;
                }
                Todo::Change(bytes) => {
                    // Those in front of it go first.
                    self.give_verdicts()?;
                    self.verdicts.gone(id);
                    self.queue.accept_changed(id, &bytes)?;
                }
                Todo::Twice(bytes) => {
                    self.verdicts.accept(id);
                    self.give_verdicts()?;
                    self.duplicate(&bytes, now);
                }
            }
        }
        self.todo = todo;
        Ok(())
    }

    fn duplicate(&mut self, packet: &[u8], now: u64) {
        let Way::Copy(resending, _) = &self.way else { return };
        let (began, sent) = &mut self.second;
        if now.saturating_sub(*began) > 1_000_000_000 {
            (*began, *sent) = (now, 0);
        }
        if *sent >= DUPLICATES {
            self.counts.no_room += 1;
            return;
        }
        *sent += 1;
        match resending.send(packet) {
            Ok(()) => self.counts.acted += 1,
            Err(_) => self.counts.unsent += 1,
        }
    }

    fn give_verdicts(&mut self) -> io::Result<()> {
        let Self { verdicts, queue, .. } = self;
        verdicts.ready(|give| match give {
            Give::UpTo(id) => queue.accept_up_to(id),
            Give::One(id) => queue.accept(id),
        })?;
        queue.flush()
    }

    /// Compares what should wait in the kernel with what does.
    fn check(&mut self) {
        if let Some(waiting) = self.queue.waiting() {
            let missing = self.verdicts.waiting().saturating_sub(waiting);
            self.counts.missing = self.counts.missing.max(u64::from(missing));
        }
    }

    fn publish(&mut self) {
        self.counts.losses = self.queue.losses();
        *self.shared.counts() = self.counts;
    }

    /// The rule does not match any more. What it had matched arrives, everything goes on in order, and what was lost is
    /// counted a last time.
    fn end(mut self) -> io::Result<()> {
        self.ending = true;
        let began = Nanos::now();
        loop {
            while self.take()? > 0 {}
            let all_here = self.queue.waiting().is_none_or(|waiting| waiting <= self.verdicts.waiting());
            if all_here || Nanos::now().since(began) > END {
                break;
            }
        }
        self.check();
        for item in self.held.take_all() {
            self.go_on(item.what);
        }
        self.give_verdicts()?;
        // Answers to verdicts for what was not there any more.
        self.take()?;
        self.check();
        self.publish();
        Ok(())
    }
}

/// With one bit turned round behind the network header, where checksums are that the receiver looks at: a router would
/// throw away what has a wrong header, and never say so.
fn changed(packet: &[u8], place: f64) -> Vec<u8> {
    let mut bytes = packet.to_vec();
    let header = match packet.first().map(|first| (first >> 4, first & 0xf)) {
        Some((4, words)) => usize::from(words) * 4,
        _ => 40,
    };
    let bits = bytes.len().saturating_sub(header) * 8;
    let bit = header * 8 + (place * bits as f64) as usize;
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
    bytes
}
