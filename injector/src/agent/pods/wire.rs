//! The way to an agent in a pod: makes its container, attaches to it through the API server, speaks the agents' lines over
//! that, and attaches again when it breaks. It has a thread of its own, for all of this waits.
//!
//! What was asked and not answered is asked again, with its number; the agent in the pod answers twice and acts once. A line
//! that was cut off by a break is passed over at both ends.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use brunt_kubernetes::ephemeral::{Attached, Purpose};
use brunt_kubernetes::{Client, Cluster, KubernetesError, Object, change, ephemeral, in_full};
use tokio::io::{AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::Asked;
use super::place::{Known, Life, Over, locked};
use crate::agent::protocol::{Answer, FromAgent, Join, ToAgent};
use crate::packets::Beats;

/// How long a container may take to run: its image may have to be pulled.
pub const TO_BEGIN: Duration = Duration::from_secs(45);
/// From one attempt to the next.
const AGAIN: Duration = Duration::from_millis(250);
/// How long a call may take, and how long a line may wait to be sent.
const CALL: Duration = Duration::from_secs(4);
/// What was not answered for so long is asked again.
const REPEAT: Duration = Duration::from_secs(2);

/// What an agent in a pod begins with.
pub(in crate::agent) struct Begin {
    pub cluster: Cluster,
    pub pod: Object,
    pub image: String,
    pub purpose: Purpose,
    pub run_id: String,
    pub beats: Arc<Beats>,
}

/// What was asked, when it was last sent, and who waits.
type Open = (String, Instant, Sender<Result<Answer, String>>);

/// See the module.
pub(in crate::agent) struct Wire {
    begin: Begin,
    asks: UnboundedReceiver<Asked>,
    known: Arc<Mutex<Known>>,
    /// What was not answered yet, by its number.
    open: BTreeMap<u64, Open>,
    next: u64,
}

impl Wire {
    pub(super) fn new(begin: Begin, asks: UnboundedReceiver<Asked>, known: Arc<Mutex<Known>>) -> Self {
        Self { begin, asks, known, open: BTreeMap::new(), next: 1 }
    }

    /// The whole life of the agent in the pod. Whoever waits for an answer that will not come sees that with its end.
    pub fn live(mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let over = match runtime {
            Ok(runtime) => runtime.block_on(self.through()),
            Err(error) => Over::NeverBegan(format!("no runtime: {error}")),
        };
        self.becomes(Life::Over(over));
    }

    async fn through(&mut self) -> Over {
        let client = match self.begin.cluster.connect().await {
            Ok(client) => client,
            Err(error) => return Over::NeverBegan(error.to_string()),
        };
        let container = match self.container(&client).await {
            Ok(container) => container,
            Err(over) => return over,
        };
        loop {
            let broken = match self.talk(&client, &container).await {
                Ok(over) => return over,
                Err(broken) => broken,
            };
            if let Some(over) = self.look(&client, &container).await {
                return over;
            }
            let since = match &locked(&self.known).life {
                Life::Away(since, _) => *since,
                _ => Instant::now(),
            };
            self.becomes(Life::Away(since, broken));
            sleep(AGAIN).await;
        }
    }

    /// Nothing follows the end.
    fn becomes(&self, life: Life) {
        let mut known = locked(&self.known);
        if !matches!(known.life, Life::Over(_)) {
            known.life = life;
        }
    }

    fn is_over(&self) -> bool {
        matches!(locked(&self.known).life, Life::Over(_))
    }

    fn closing(&self) -> bool {
        locked(&self.known).closing
    }

    /// Adds the container to the pod and waits until it runs; its name.
    async fn container(&self, client: &Client) -> Result<String, Over> {
        let until = Instant::now() + TO_BEGIN;
        let mut name = None;
        loop {
            let waits = match timeout(CALL, self.bring_up(client, &mut name)).await {
                Ok(Ok(ephemeral::State::Running)) => return Ok(name.unwrap_or_default()),
                Ok(Ok(ephemeral::State::Waiting(waits))) => waits,
                Ok(Ok(ephemeral::State::Ended { how, code })) => return Err(Over::Ended { how, code, anew: false }),
                Ok(Err(KubernetesError::Missing { .. })) => return Err(Over::PodGone),
                Ok(Err(error @ (KubernetesError::Changed { .. } | KubernetesError::Unreachable { .. }))) => {
                    error.to_string()
                }
                Ok(Err(error)) if error.is_passing() => error.to_string(),
                Ok(Err(error)) => return Err(Over::NeverBegan(error.to_string())),
                Err(_) => "the API server does not answer".into(),
            };
            if self.closing() || Instant::now() > until {
                let place = self.begin.pod.place();
                return Err(Over::NeverBegan(format!("the agent in {place} did not begin: {waits}")));
            }
            self.becomes(Life::Beginning(waits));
            sleep(AGAIN).await;
        }
    }

    /// One step towards a container that runs. An answer may have been lost: what is in the list already is not added again.
    async fn bring_up(&self, client: &Client, name: &mut Option<String>) -> Result<ephemeral::State, KubernetesError> {
        let Begin { cluster, pod, image, purpose, run_id, .. } = &self.begin;
        let action = || format!("use {}", pod.place());
        if name.is_none() {
            cluster.check(client, &pod.cluster).await?;
        }
        let seen = change::pod(client, pod).await?.ok_or_else(|| KubernetesError::gone(action()))?;
        let first = || ephemeral::name_of(run_id, *purpose, pod.container.as_deref());
        let chosen = name.get_or_insert_with(|| ephemeral::free_name(&seen, &first())).clone();
        if let Some(state) = ephemeral::state(&seen, &chosen) {
            locked(&self.known).container = Some(chosen);
            return Ok(state);
        }
        if self.closing() {
            return Ok(ephemeral::State::Waiting("it was given up".into()));
        }
        let added = ephemeral::add(client, pod, &seen, &chosen, image, *purpose, false).await;
        if matches!(added, Err(KubernetesError::Changed { .. })) {
            // Somebody has, and may have taken the name: it is chosen anew.
            *name = None;
        }
        added?;
        locked(&self.known).container = Some(chosen);
        Ok(ephemeral::State::Waiting("its container was just made".into()))
    }

    /// Whether it has ended, as far as the cluster can tell. One that held packets in a pod that was told to go has gone with it:
    /// its network will be used by nobody any more, and nothing stays listed.
    async fn look(&self, client: &Client, container: &str) -> Option<Over> {
        let seen = timeout(CALL, change::pod(client, &self.begin.pod)).await.ok()?.ok()?;
        let Some(seen) = seen else { return Some(Over::PodGone) };
        match ephemeral::state(&seen, container) {
            Some(ephemeral::State::Ended { .. })
                if self.begin.purpose != Purpose::Processes && seen.metadata.deletion_timestamp.is_some() =>
            {
                Some(Over::PodGone)
            }
            // Nothing in it is started again, whoever of its containers was seen to end first.
            Some(ephemeral::State::Ended { how, code }) => {
                if let Some(how) = ephemeral::end_of(&seen) {
                    return Some(Over::PodEnded(how));
                }
                let anew = ephemeral::is_anew_since(&seen, container, self.begin.pod.container.as_deref());
                Some(Over::Ended { how, code, anew })
            }
            _ => None,
        }
    }

    /// Attaches and talks until that breaks (`Err`, why) or the agent has ended as it was asked to.
    async fn talk(&mut self, client: &Client, container: &str) -> Result<Over, String> {
        let lease = self.begin.beats.lease();
        let mut attached = attach(client, &self.begin.pod, container).await?;
        let streams = attached.stdin().zip(attached.stdout());
        let (mut stdin, stdout) = streams.ok_or("the attach has no streams")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut ticks = interval((lease / 5).min(Duration::from_secs(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut heard, mut joined) = (Instant::now(), false);
        // Whatever line a break has cut off ends here.
        send(&mut stdin, "").await?;
        loop {
            tokio::select! {
                line = lines.next_line() => {
                    let line = line.map_err(|error| format!("the attach broke: {error}"))?;
                    let line = line.ok_or("the attach has ended")?;
                    match serde_json::from_str(&line) {
                        Ok(FromAgent::Ready { .. }) if !joined => {
                            joined = true;
                            self.becomes(Life::There);
                            // Given up in the last moment: nothing is asked of it any more, and its lease ends it.
                            if self.is_over() {
                                return Ok(Over::AsAsked);
                            }
                            self.send_open(&mut stdin, Duration::ZERO).await?;
                        }
                        Ok(FromAgent::Answer { seq, answer }) => {
                            let ended = matches!(answer, Ok(Answer::Ended(_)));
                            if let Some((.., sender)) = self.open.remove(&seq) {
                                // Nobody waits for it any more.
                                let _ = sender.send(answer);
                            }
                            if ended {
                                return Ok(Over::AsAsked);
                            }
                        }
                        Ok(FromAgent::Ended { reason }) => return Err(format!("it has ended by itself: {reason}")),
                        // An answer to a heartbeat; or the rest of a line that began before.
                        Ok(_) | Err(_) => {}
                    }
                    heard = Instant::now();
                }
                Some((ask, sender)) = self.asks.recv() => {
                    let seq = self.next;
                    self.next += 1;
                    let line = line_of(&ToAgent::Ask { seq, ask })?;
                    if joined {
                        send(&mut stdin, &line).await?;
                    }
                    self.open.insert(seq, (line, Instant::now(), sender));
                }
                _ = ticks.tick() => {
                    if heard.elapsed() > lease / 2 {
                        return Err(format!("no answer for {:.1} s", heard.elapsed().as_secs_f64()));
                    }
                    let sent = nanos(self.begin.beats.heard());
                    if joined {
                        send(&mut stdin, &line_of(&ToAgent::Beat(sent))?).await?;
                        self.send_open(&mut stdin, REPEAT).await?;
                    } else if !self.is_over() {
                        send(&mut stdin, &self.join(lease, sent)?).await?;
                    } else {
                        return Ok(Over::AsAsked);
                    }
                }
            }
        }
    }

    fn join(&self, lease: Duration, sent: u64) -> Result<String, String> {
        let version = env!("CARGO_PKG_VERSION").into();
        line_of(&ToAgent::Join(Join { version, run_id: self.begin.run_id.clone(), lease, sent }))
    }

    /// Sends what was not answered for so long.
    async fn send_open(&mut self, stdin: &mut (impl AsyncWrite + Unpin), old: Duration) -> Result<(), String> {
        for (line, sent, _) in self.open.values_mut().filter(|(_, sent, _)| sent.elapsed() >= old) {
            send(stdin, line).await?;
            *sent = Instant::now();
        }
        Ok(())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn line_of(say: &ToAgent) -> Result<String, String> {
    serde_json::to_string(say).map_err(|error| format!("a request cannot be written: {error}"))
}

async fn send(stdin: &mut (impl AsyncWrite + Unpin), line: &str) -> Result<(), String> {
    let bytes = format!("{line}\n");
    let sent = timeout(CALL, stdin.write_all(bytes.as_bytes())).await;
    sent.map_err(|_| "the attach takes nothing any more")?.map_err(|error| format!("the attach broke: {error}"))
}

async fn attach(client: &Client, pod: &Object, container: &str) -> Result<Attached, String> {
    let attached = timeout(CALL, ephemeral::attach(client, pod, container)).await;
    let attached = attached.map_err(|_| "the API server does not answer an attach".to_owned())?;
    attached.map_err(|error| format!("cannot attach: {}", in_full(&error)))
}
