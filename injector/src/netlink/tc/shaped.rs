//! A rate, or netem, for some of what leaves a namespace's links: a root with a class that only a leased rule leads into.
//!
//! For a rate the root is an htb, for netem a prio whose bands nobody gets into by himself (rule 2). What the rule does not send
//! there goes past the class, unharmed; so what is left behind by a death changes nothing. The class has a queue of its own with a limit of its own: by default that would be the link's txqueuelen, which may be 0 (rule 7; the
//! kernel makes 1000 of a 0 when it gets a qdisc, and undoing puts the 0 back).
//! Link and snapshot are of one namespace; the socket stays in it, whichever thread uses it.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::fifo::Fifo;
use super::htb::{Class, Htb};
use super::netem::Netem;
use super::prio::Prio;
use super::rate::Rate;
use super::statistics::Statistics;
use super::tree::{OWN, Queues, Restored, Taken, Tree};
use super::{Handle, Place, Refused, Request, Tc, Verb};

/// The root that brunt puts on a link.
pub const ROOT: Handle = Handle::qdisc(*OWN.start());
/// The class that shapes: what a rule gives this priority goes through it. In a prio it is the second band.
pub const CLASS: Handle = ROOT.class(2);
const LEAF: Handle = Handle::qdisc(*OWN.start() + 1);
/// The first band of a prio, for everything else.
const FREE: Handle = ROOT.class(1);
const FREE_LEAF: Handle = Handle::qdisc(*OWN.start() + 2);
/// How many packets may wait there.
const ROOM: u32 = 1000;

/// How long what waits may take to leave when a rate is taken off. One packet of 64 KiB at 10 Mbit/s takes 52 ms.
const DRAIN: Duration = Duration::from_millis(80);
/// The same for netem, which lets go of a packet at its time and not before.
const DRAIN_NETEM: Duration = Duration::from_millis(600);

/// What becomes of the packets in the class.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// They leave at this rate.
    Rate(Rate),
    /// They are delayed, lost, and so on.
    Netem(Box<Netem>),
}

/// Links of one namespace whose class shapes, or is about to.
#[derive(Debug)]
pub struct Shaped {
    tc: Tc,
    before: Vec<Queues>,
    /// Links whose root is ours: an htb cannot be put in the place of itself.
    rooted: Vec<u32>,
    /// What was asked for last.
    shape: Option<Shape>,
}

/// Why a rate cannot be put on.
#[derive(Debug, thiserror::Error)]
pub enum Cannot {
    /// Somebody shapes there (rule 4).
    #[error(transparent)]
    Taken(#[from] Taken),
    /// There is no such link, or none but the loopback.
    #[error("there is no link to put a rate on but the loopback")]
    NoLink,
    /// The kernel does not answer.
    #[error("cannot look at the queues: {0}")]
    Look(#[from] io::Error),
}

impl Shaped {
    /// Takes the snapshot of all links of the calling thread's namespace that `which` means, and looks whether they are free.
    /// Touches nothing.
    ///
    /// # Errors
    /// One is not free, there is none, or the kernel does not answer.
    pub fn prepare(which: impl Fn(&Queues) -> bool) -> Result<Self, Cannot> {
        let mut tc = Tc::open()?;
        let before: Vec<Queues> = Tree::of(&mut tc)?.links.into_iter().filter(which).collect();
        if before.is_empty() {
            return Err(Cannot::NoLink);
        }
        before.iter().try_for_each(Queues::free)?;
        Ok(Self { tc, before, rooted: Vec::new(), shape: None })
    }

    /// What was there: the undo record.
    pub fn before(&self) -> &[Queues] {
        &self.before
    }

    /// Puts it on each link. Calling it again with another rate, or another netem, changes that.
    ///
    /// # Errors
    /// The kernel refused; [`Shaped::restore`] then takes off what is there. `NotFound`: it has no htb, prio or netem.
    pub fn install(&mut self, shape: &Shape) -> Result<(), Refused> {
        self.shape = Some(shape.clone());
        for link in self.before.iter().map(|queues| queues.link).collect::<Vec<_>>() {
            self.requests(link, shape).iter().try_for_each(|request| self.tc.ask(request))?;
            if !self.rooted.contains(&link) {
                self.rooted.push(link);
            }
        }
        Ok(())
    }

    /// In the order in which they leave no gap: the root lets everything pass until the class is there.
    fn requests(&self, link: u32, shape: &Shape) -> Vec<Request> {
        let (root, class) = (Place::root(link, ROOT), Place { link, parent: ROOT, handle: CLASS });
        let leaf = Place { link, parent: CLASS, handle: LEAF };
        let free = Place { link, parent: FREE, handle: FREE_LEAF };
        let new = !self.rooted.contains(&link);
        let mut requests = Vec::new();
        match shape {
            Shape::Rate(rate) => {
                requests.extend(new.then(|| Request::qdisc(Verb::Replace, root, &Htb { direct_packets: ROOM })));
                requests.push(Request::class(Verb::Replace, class, &Class { rate: *rate, burst: burst(*rate) }));
                requests.push(Request::qdisc(Verb::Replace, leaf, &Fifo::Bytes(room(*rate))));
            }
            Shape::Netem(netem) => {
                requests.extend(new.then(|| Request::qdisc(Verb::Replace, root, &Prio)));
                requests.extend(new.then(|| Request::qdisc(Verb::Replace, free, &Fifo::Packets(ROOM))));
                requests.push(Request::qdisc(Verb::Replace, leaf, &**netem));
            }
        }
        requests
    }

    /// What went through the classes of all links.
    ///
    /// # Errors
    /// A class is not there: it was never installed, or somebody took it away.
    pub fn statistics(&mut self) -> io::Result<Statistics> {
        let mut sum = Statistics::default();
        for queues in &self.before {
            sum = sum.and(self.tc.class_statistics(queues.link, CLASS)?);
        }
        Ok(sum)
    }

    /// Lets go what waits, in order: at once where a rate held it, at its time where netem does, for a moment at most. Then puts
    /// back what was there. Says what became of each link, and how many bytes were still waiting and are lost.
    ///
    /// # Errors
    /// The kernel refused. Trying again is harmless.
    pub fn restore(&mut self) -> Result<(Vec<Restored>, u32), Refused> {
        let lost = match self.shape.take() {
            None => 0,
            Some(Shape::Rate(_)) => {
                self.unlimit();
                self.drain(DRAIN)
            }
            Some(Shape::Netem(_)) => self.drain(DRAIN_NETEM),
        };
        let mut all = Vec::new();
        for queues in &self.before {
            all.push(queues.restore(&mut self.tc)?);
            self.rooted.retain(|link| *link != queues.link);
        }
        Ok((all, lost))
    }

    fn unlimit(&mut self) {
        /// 400 Gbit/s.
        const NO_LIMIT: Rate = Rate { bytes_per_second: 50_000_000_000 };
        for link in self.before.iter().map(|queues| queues.link) {
            let class = Place { link, parent: ROOT, handle: CLASS };
            // Refused where it is not there, and then nothing waits.
            let _ = self.tc.ask(&Request::class(Verb::Change, class, &Class { rate: NO_LIMIT, burst: 1 << 30 }));
        }
    }

    fn drain(&mut self, within: Duration) -> u32 {
        let until = Instant::now() + within;
        loop {
            let backlog = self.statistics().map_or(0, |statistics| statistics.backlog);
            if backlog == 0 || Instant::now() > until {
                return backlog;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// 20 ms of the rate: a machine that wakes late by as much loses nothing of it. At least two packets.
pub fn burst(rate: Rate) -> u32 {
    u32::try_from(rate.bytes_per_second / 50).unwrap_or(u32::MAX).max(3028)
}

/// 100 ms of the rate may wait, as in a middling router; at least two packets of 64 KiB, which is what a virtual link gets from
/// a sender that leaves the cutting to it.
fn room(rate: Rate) -> u32 {
    u32::try_from(rate.bytes_per_second / 10).unwrap_or(u32::MAX).max(128 * 1024)
}

#[cfg(test)]
mod tests;
