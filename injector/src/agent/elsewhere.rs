//! The faults that wait for others: for an engine of containers, for a cluster, for the agents in pods. Each has a thread of its
//! own, on which its verbs run in the order in which they are asked for, and on which it says what came of them.
//!
//! So whoever does not answer keeps nobody waiting but the verbs of that very fault: the thread owns the fault, holds no lock
//! while a verb runs, and nobody waits for it before the agent's end.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use super::faults::{carry_out, is_off, is_stuck, unknown};
use super::pipes::Voice;
use super::protocol::{Ask, FromAgent};
use super::rights;
use crate::fault::{self, Fault, Undo};
use crate::undo;

/// The threads, by their faults.
pub(super) struct Elsewhere {
    all: BTreeMap<String, Sender<Wish>>,
    voice: Voice,
}

/// What is wanted of a fault.
enum Wish {
    /// A verb, and the number of the request.
    Verb(u64, Ask),
    /// The run is over: it is to come off, and to say what came of that.
    ComeOff(Sender<Off>),
}

/// How it came off.
enum Off {
    /// There was none, or not any more.
    Already,
    /// It is undone.
    Undone,
    /// It could not be undone yet, and why.
    Stuck(String),
}

/// Those that were told to come off.
pub(super) struct ComingOff(Vec<(String, Receiver<Off>)>);

impl Elsewhere {
    /// None yet; what comes of their verbs is said by this voice.
    pub fn new(voice: Voice) -> Self {
        Self { all: BTreeMap::new(), voice }
    }

    /// Takes a fault over, and the request to prepare it.
    pub fn begin(&mut self, seq: u64, prepare: Ask, id: &str, fault: Box<dyn Fault<fault::Elsewhere>>) {
        let (wishes, queue) = mpsc::channel();
        let (voice, of) = (self.voice.clone(), id.to_owned());
        let begun =
            thread::Builder::new().name("brunt-elsewhere".into()).spawn(move || live(&of, fault, &queue, &voice));
        match begun {
            Ok(_) => {
                self.all.insert(id.to_owned(), wishes);
                self.ask(id, seq, prepare);
            }
            Err(error) => {
                let answer = Err(format!("no thread for fault `{id}`: {error}"));
                self.voice.say(&FromAgent::Answer { seq, answer });
            }
        }
    }

    /// Whether the verbs of this fault are for here.
    pub fn has(&self, id: &str) -> bool {
        self.all.contains_key(id)
    }

    /// Passes a verb on to its fault, whose thread answers.
    pub fn ask(&self, id: &str, seq: u64, verb: Ask) {
        let sent = self.all.get(id).is_some_and(|wishes| wishes.send(Wish::Verb(seq, verb)).is_ok());
        if !sent {
            let answer = Err(format!("the thread of fault `{id}` has panicked"));
            self.voice.say(&FromAgent::Answer { seq, answer });
        }
    }

    /// Tells all of them to come off, once the verb that each is at has ended.
    pub fn come_off(&self) -> ComingOff {
        let told = self.all.iter().map(|(id, wishes)| {
            let (tell, told) = mpsc::channel();
            // Of one that has panicked nothing will be told, and that is seen below.
            let _ = wishes.send(Wish::ComeOff(tell));
            (id.clone(), told)
        });
        ComingOff(told.collect())
    }
}

impl ComingOff {
    /// The same for what undoes a change that no fault here has made.
    pub fn add(&mut self, id: &str, undo: Vec<Undo>) {
        let (tell, told) = mpsc::channel();
        let carry_out = move || {
            let failed = mend(undo);
            // As above.
            let _ = tell.send(if failed.is_empty() { Off::Undone } else { Off::Stuck(failed.join("; ")) });
        };
        // Where there is no thread to be had, nobody tells.
        let _ = thread::Builder::new().name("brunt-elsewhere".into()).spawn(carry_out);
        self.0.push((id.to_owned(), told));
    }

    /// Waits until each of them has tried, which takes as long as they wait for others at most, and tells of each that is undone;
    /// why the others are not is the answer.
    pub fn wait(self, mut undone: impl FnMut(&str)) -> Vec<String> {
        let mut stuck = Vec::new();
        for (id, told) in self.0 {
            match told.recv() {
                Ok(Off::Already) => {}
                Ok(Off::Undone) => undone(&id),
                Ok(Off::Stuck(why)) => stuck.push(format!("{id}: {why}")),
                Err(_) => stuck.push(format!("{id}: it has no thread, or that has panicked")),
            }
        }
        stuck
    }
}

/// The whole life of a thread. It outlives its fault, for verbs may be on their way to it.
fn live(id: &str, fault: Box<dyn Fault<fault::Elsewhere>>, wishes: &Receiver<Wish>, voice: &Voice) {
    let mut held = Some(fault);
    for wish in wishes {
        match wish {
            Wish::Verb(seq, verb) => {
                let prepares = matches!(verb, Ask::Prepare(_));
                let answer = match &mut held {
                    Some(fault) => carry_out(verb, &mut **fault, &mut fault::Elsewhere),
                    None => Err(unknown(id)),
                };
                if answer.as_ref().map_or(prepares, is_off) {
                    held = None;
                }
                voice.say(&FromAgent::Answer { seq, answer });
            }
            Wish::ComeOff(tell) => {
                let off = match held.as_mut().map(|fault| is_stuck(fault.revert(&mut fault::Elsewhere))) {
                    None => Off::Already,
                    Some(None) => Off::Undone,
                    Some(Some(why)) => Off::Stuck(why),
                };
                if matches!(off, Off::Undone) {
                    held = None;
                }
                // An agent that was asked to end has no patience.
                let _ = tell.send(off);
            }
        }
    }
}

/// Carries out what undoes a change that no fault here has made, all of it, and says what of it could not be. It may be commands
/// of the user's.
pub(super) fn mend(undo: Vec<Undo>) -> Vec<String> {
    let one = |undo: Undo| {
        if !matches!(undo, Undo::Run { .. }) {
            return undo::apply(&undo);
        }
        let carried_out = rights::as_started_by_the_user(move || undo::apply(&undo));
        carried_out.map_err(|error| error.to_string())?
    };
    undo.into_iter().filter_map(|undo| one(undo).err()).collect()
}
