//! One pod with an agent in it, as the agent on this host sees it: what can be asked of it, and how it is.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use brunt_kubernetes::Object;
use tokio::sync::mpsc::UnboundedSender;

use super::{Asked, Wire, wire};
use crate::agent::protocol::{Answer, Ask};

/// Whoever was not heard of for so much longer than its lease is not waited for any more.
const LATE: Duration = Duration::from_secs(10);

/// How an agent in a pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// Its container is made and started; with what that waits for.
    Beginning(String),
    /// It answers.
    There,
    /// It could not be reached since then, and why. Its lease decides how long it goes on.
    Away(Instant, String),
    /// It has ended.
    Over(Over),
}

/// How an agent in a pod has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Over {
    /// It was asked to.
    AsAsked,
    /// The pod is gone, and its network and processes with it.
    PodGone,
    /// The pod has ended and stays listed, in the words of its kubelet. Its network and processes are gone.
    PodEnded(String),
    /// Its container has ended; the kernel removed what it held of the network.
    Ended {
        /// In the words of the kubelet.
        how: String,
        /// Its exit code; 0 only if it has undone everything.
        code: i32,
        /// The container beside which it was has ended since it began, and the processes there with it.
        anew: bool,
    },
    /// It never ran.
    NeverBegan(String),
}

/// See the module.
#[derive(Debug)]
pub struct Place {
    /// Where it is.
    pub pod: Object,
    life: Arc<Mutex<Known>>,
    asks: UnboundedSender<Asked>,
    lease: Duration,
}

/// What is known of it, by the thread that talks with it.
#[derive(Debug)]
pub(super) struct Known {
    pub life: Life,
    /// The name of its container, once it is in the pod's list.
    pub container: Option<String>,
    /// It ends as it was asked to, or shall not begin any more.
    pub closing: bool,
}

pub(super) fn locked(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Place {
    pub(super) fn begin(begin: wire::Begin) -> std::io::Result<Arc<Self>> {
        let known = Known { life: Life::Beginning("it was not asked for yet".into()), container: None, closing: false };
        let life = Arc::new(Mutex::new(known));
        let (asks, queue) = tokio::sync::mpsc::unbounded_channel();
        let (pod, lease) = (begin.pod.clone(), begin.beats.lease());
        let wire = Wire::new(begin, queue, Arc::clone(&life));
        std::thread::Builder::new().name("brunt-pod".into()).spawn(move || wire.live())?;
        Ok(Arc::new(Self { pod, life, asks, lease }))
    }

    /// How it is.
    pub fn life(&self) -> Life {
        locked(&self.life).life.clone()
    }

    /// Asks; the answer comes when it comes, and with an error where the agent is over.
    pub fn ask(&self, ask: Ask) -> Receiver<Result<Answer, String>> {
        let (sender, answer) = mpsc::channel();
        // If nobody takes it any more, the receiver sees that.
        let _ = self.asks.send((ask, sender));
        answer
    }

    /// Where the agent was not heard of yet: it shall not begin, nothing that was asked of it will happen, and this is true.
    pub fn give_up(&self) -> bool {
        let mut known = locked(&self.life);
        let early = matches!(known.life, Life::Beginning(_));
        if early {
            known.closing = true;
            known.life = Life::Over(Over::NeverBegan("it was given up before it began".into()));
        }
        early
    }

    /// Asks it to end; `None` where it never began or is over.
    pub(super) fn end(&self) -> Option<Receiver<Result<Answer, String>>> {
        if self.give_up() || matches!(self.life(), Life::Over(_)) {
            return None;
        }
        let answer = self.ask(Ask::End);
        locked(&self.life).closing = true;
        Some(answer)
    }

    /// It was not heard of for longer than its lease, so it has given up by itself; says since when.
    pub fn is_lost(&self) -> Option<String> {
        match self.life() {
            Life::Away(since, why) if since.elapsed() > self.lease => {
                Some(format!("{}; its lease ran out meanwhile", self.away(since, &why)))
            }
            _ => None,
        }
    }

    /// It was not heard of for so much longer than its lease that whether it has undone everything will not be seen; says so. What
    /// it held was gone at the lease at the latest, whether it was still there or not.
    pub fn is_given_up(&self) -> Option<String> {
        match self.life() {
            Life::Away(since, why) if since.elapsed() > self.lease + LATE => {
                let node = self.pod.node.as_ref().map_or_else(String::new, |node| format!(" on {node}"));
                Some(format!(
                    "whether the fault in {}{node} is gone cannot be seen, for {}; its lease of {} s ran out meanwhile, which ends it",
                    self.pod.place(),
                    self.away(since, &why),
                    self.lease.as_secs_f64()
                ))
            }
            _ => None,
        }
    }

    /// That it does not answer, for who wants something of it now.
    pub fn out_of_reach(&self) -> String {
        let why = match self.life() {
            Life::Away(since, why) => self.away(since, &why),
            _ => format!("the agent in {} has not answered yet", self.pod.place()),
        };
        let lease = self.lease.as_secs_f64();
        format!(
            "{why}; it undoes everything by itself {lease} s after it last heard of this run. If it does not: `kubectl delete {}`",
            self.pod.by_hand()
        )
    }

    fn away(&self, since: Instant, why: &str) -> String {
        format!("the agent in {} is out of reach for {:.1} s ({why})", self.pod.place(), since.elapsed().as_secs_f64())
    }

    /// What stays of it as long as there is the pod.
    pub fn residue(&self) -> Option<String> {
        let known = locked(&self.life);
        if known.life == Life::Over(Over::PodGone) {
            return None;
        }
        let container = known.container.as_ref()?;
        Some(format!(
            "the ephemeral container `{container}` stays in the list of {}, ended, until the pod is deleted: Kubernetes \
             removes none",
            self.pod.place()
        ))
    }
}
