//! Makes snapshots of the run for the terminal screen.
//!
//! The lock on the record is what the recorder's thread waits for, so it is taken briefly: with each frame only the slices that
//! are still growing are read, and a stretch of older ones in turn (a reply that came late changes the slice of its intended
//! start); tables and gates are read once a second, one behind the other with a free lock between them.

mod lane;
mod rows;

use std::collections::BTreeMap;
use std::time::Duration;

use brunt_report::recorder::processor;
use brunt_report::results::Event;
use brunt_scenario::units::Offset;

use super::Stage;
use super::orchestrator::Orchestrator;
use crate::ui::snapshot::{Health, Point, Snapshot};

/// From one snapshot to the next.
pub const EVERY: Duration = Duration::from_millis(200);
/// From one look at the tables to the next.
const TABLES: Duration = Duration::from_secs(1);
/// Slices that are read with each frame: those of the last seconds.
const YOUNG: usize = 12;
/// Older slices that are read with each frame, in turn.
const SWEEP: usize = 40;
/// Events that a screen keeps.
const EVENTS: usize = 2000;
/// Send lag above which the generator is not called well; the verdict's own rule is applied at the end.
const LATE_MS: f64 = 10.0;
/// Processor share above which it is not.
const BUSY: f64 = 0.8;

/// Keeps what a snapshot needs from one to the next.
#[derive(Debug, Default)]
pub struct Watcher {
    snapshot: Snapshot,
    width: u64,
    sweep: usize,
    tables_at: Option<Offset>,
    cpu: Option<(Offset, Duration)>,
    since: BTreeMap<String, (Option<bool>, f64)>,
}

impl Watcher {
    /// Nothing seen yet.
    pub fn new(stage: &Stage) -> Self {
        let snapshot = Snapshot { title: stage.plan.title(), seed: stage.plan.seed, ..Snapshot::default() };
        Self { snapshot, ..Self::default() }
    }

    /// Something happened.
    pub fn event(&mut self, event: &Event) {
        let events = &mut self.snapshot.events;
        if events.len() >= EVENTS {
            events.drain(..EVENTS / 10);
        }
        events.push(event.clone());
    }

    /// The run as it stands.
    pub fn look(&mut self, stage: &Stage, orchestrator: &Orchestrator) -> Snapshot {
        let now = stage.clock.now();
        self.read_axis(stage, now);
        if self.tables_at.is_none_or(|at| now.since(at) >= TABLES) {
            self.tables_at = Some(now);
            self.read_tables(stage, now);
        }
        let snapshot = &mut self.snapshot;
        snapshot.at_s = now.as_secs_f64();
        snapshot.state = orchestrator.state();
        snapshot.faults = rows::faults(&stage.plan, orchestrator);
        snapshot.spans = lane::spans(&stage.plan, orchestrator, &snapshot.events, snapshot.at_s);
        snapshot.expected_s = lane::expected_s(&stage.plan, &snapshot.spans);
        let statuses = stage.record.lock().recorder.slo_status(&stage.plan, now);
        snapshot.objectives = rows::objectives(&stage.plan, statuses, orchestrator);
        for objective in &mut snapshot.objectives {
            let known = self.since.entry(objective.id.clone()).or_insert((None, snapshot.at_s));
            if known.0 != objective.holds {
                *known = (objective.holds, snapshot.at_s);
            }
            objective.since_s = Some(known.1);
        }
        self.snapshot.clone()
    }

    fn read_axis(&mut self, stage: &Stage, now: Offset) {
        let inner = stage.record.lock();
        let width = inner.recorder.slice_width();
        let count = usize::try_from(now.0 / width.0.max(1)).unwrap_or(0);
        let points = &mut self.snapshot.points;
        if self.width != width.0 {
            self.width = width.0;
            self.sweep = 0;
            // Once in ten minutes, then less and less often: everything has another number.
            *points = inner.recorder.points(0..count);
        }
        points.resize(count.max(points.len()), Point::default());
        let young = count.saturating_sub(YOUNG);
        for range in [self.sweep..(self.sweep + SWEEP).min(young), young..count] {
            let start = range.start;
            for (offset, point) in inner.recorder.points(range).into_iter().enumerate() {
                points[start + offset] = point;
            }
        }
        drop(inner);
        self.sweep = if self.sweep + SWEEP >= young { 0 } else { self.sweep + SWEEP };
        self.snapshot.slice_s = width.as_secs_f64();
    }

    fn read_tables(&mut self, stage: &Stage, now: Offset) {
        let used = stage.used();
        let cpu =
            self.cpu.map(|(at, before)| processor::share(used.saturating_sub(before), now.since(at), stage.workers));
        self.cpu = Some((now, used));
        let snapshot = &mut self.snapshot;
        let live = stage.record.lock().recorder.live(now);
        snapshot.recent = live.recent;
        snapshot.total = live.total;
        snapshot.base = stage.record.lock().recorder.baseline(now);
        snapshot.steps = stage.record.lock().recorder.steps(now);
        let known = stage.destinations.facts();
        snapshot.instances = stage.record.lock().recorder.served(&known);
        snapshot.errors = stage.record.lock().recorder.failures();
        snapshot.gates = stage.record.lock().recorder.gates_so_far(&stage.plan, now, cpu.unwrap_or_default());
        let lag = live.send_lag_p99_ms;
        snapshot.health = Health {
            cpu: cpu.unwrap_or_default(),
            lag_p99_ms: lag,
            open: live.open,
            dropped: live.dropped,
            ok: lag.is_none_or(|lag| lag < LATE_MS) && cpu.is_none_or(|cpu| cpu < BUSY) && live.dropped == 0,
        };
    }
}
