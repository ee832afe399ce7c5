//! The parts of a run, for the tests and for the runner that they kill.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use brunt_injector::{InstanceSpec, Options};
use brunt_scenario::plan::{Fault, Params, ProcessMatch, Target};
use brunt_scenario::units::{CountOrShare, Offset};

/// Options of a run whose state lies in `state`.
pub fn options(exe: &Path, state: &Path, run_id: &str, lease: Duration) -> Options {
    let zero = std::time::Instant::now();
    Options {
        exe: exe.to_owned(),
        state_dir: Some(state.to_owned()),
        run_id: run_id.to_owned(),
        lease,
        seed: 7,
        force_no_effect: false,
        decisions: None,
        results: None,
        image: "brunt:test".into(),
        clock: Arc::new(move || Offset(zero.elapsed().as_nanos() as u64)),
    }
}

/// An instance that runs a shell script; its log lies in `state` too.
pub fn shell(state: &Path, service: &str, index: usize, script: &str) -> InstanceSpec {
    InstanceSpec {
        service: service.to_owned(),
        index,
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        cwd: "/".into(),
        env: vec![("FROM_SPEC".into(), format!("{service}-{index}"))],
        log: state.join(format!("{service}-{index}.log")),
        stop_signal: 15,
        stop_within: Duration::from_secs(2),
        watched: Vec::new(),
    }
}

/// A fault on target `target`, one victim of any.
pub fn fault(id: &str, kind: &'static str, target: &str) -> Fault {
    Fault {
        id: id.into(),
        kind,
        target: target.into(),
        pick: CountOrShare::Count(1),
        max_affected: CountOrShare::All,
        allow_empty: false,
        follow: false,
        lasts: None,
        repeat: None,
        with: Params::default(),
        from: None,
        place: "test.brunt.yaml:1".into(),
    }
}

/// The process with this pid as a target.
pub fn process(pid: u32) -> Target {
    Target::Process(ProcessMatch { pid: Some(pid), ..ProcessMatch::default() })
}
