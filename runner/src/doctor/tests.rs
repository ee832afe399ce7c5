//! Judgements over made facts: each limit has its word, and each trouble its cure.

use super::facts::{Descriptors, Facts, Spread, made, spoil};
use super::*;

fn judged(change: impl FnOnce(&mut Facts)) -> Diagnosis {
    let mut facts = made();
    change(&mut facts);
    judge(&facts)
}

fn of(diagnosis: &Diagnosis, about: &str) -> Check {
    diagnosis.checks.iter().find(|check| check.about == about).expect("it is looked at").clone()
}

#[test]
fn a_good_machine_is_fit_and_has_nothing_to_cure() {
    let diagnosis = judged(|_| {});
    assert!(diagnosis.is_fit());
    for check in &diagnosis.checks {
        assert_eq!((check.health, &check.cure), (Health::Ok, &None), "{check:?}");
    }
}

#[test]
fn everything_that_is_not_as_it_should_be_has_a_cure() {
    let diagnosis = judged(spoil);
    assert!(!diagnosis.is_fit());
    for check in &diagnosis.checks {
        assert_ne!(check.health, Health::Ok, "{check:?}");
        assert!(check.cure.as_ref().is_some_and(|cure| !cure.is_empty()), "{check:?}");
    }
}

#[test]
fn few_open_files_are_a_limit_and_too_few_are_none() {
    let files = |hard: u64| {
        let connections = crate::load::limits::connections(hard);
        of(&judged(|facts| facts.descriptors = Descriptors { soft: hard, hard, connections }), "open files")
    };
    assert_eq!(files(64).health, Health::No);
    assert!(files(64).cure.expect("it has one").contains("ulimit"));
    assert_eq!(files(1024).health, Health::Weak);
    assert!(files(1024).means.contains("768 connections"), "{}", files(1024).means);
    assert_eq!(files(65_536).health, Health::Ok);
}

#[test]
fn a_late_timer_is_a_noise_and_a_very_late_one_the_end_of_trust() {
    let timer = |p99_us: f64| {
        let late = Spread { samples: 300, p50_us: 50.0, p99_us, max_us: p99_us };
        of(&judged(|facts| facts.timer_late = Ok(late)), "timer")
    };
    assert_eq!(timer(999.0).health, Health::Ok);
    assert_eq!(timer(1_000.0).health, Health::Weak);
    assert_eq!(timer(10_000.0).health, Health::Weak, "nothing is missing");
    assert!(timer(10_000.0).means.contains("exit code 5"));
}

#[test]
fn the_number_of_connections_follows_the_range_of_ports() {
    let ports = |range| of(&judged(|facts| facts.ports = range), "ports");
    assert!(ports(Some((32_768, 60_999))).means.contains("28,232 connections"), "{:?}", ports(Some((32_768, 60_999))));
    assert!(ports(Some((32_768, 60_999))).means.contains("470 new ones"));
    assert_eq!(ports(Some((40_000, 41_000))).health, Health::Weak);
    assert_eq!(ports(None).health, Health::Weak);
    assert!(ports(Some((5, 4))).means.contains("at most 1"), "an empty range is no panic");
}

#[test]
fn what_a_run_left_is_no_obstacle_but_said() {
    let diagnosis = judged(|facts| facts.state.as_mut().expect("made").left_behind.push("shop-1".into()));
    let left = of(&diagnosis, "leftovers");
    assert_eq!((left.health, left.cure.as_deref()), (Health::Weak, Some("brunt cleanup")));
    assert!(left.found.contains("shop-1") && diagnosis.is_fit());
}

#[test]
fn every_kind_of_fault_stands_in_the_row_of_each_of_its_mechanisms() {
    let diagnosis = judged(|_| {});
    let mut told: Vec<&str> = diagnosis.rungs.iter().flat_map(|rung| rung.kinds.iter().copied()).collect();
    let mut all: Vec<&str> = brunt_scenario::catalogue::ALL.iter().map(|kind| kind.name).collect();
    told.sort_unstable();
    told.dedup();
    all.sort_unstable();
    assert_eq!(told, all);
    let rows = |kind: &'static str| diagnosis.rungs.iter().filter(move |rung| rung.kinds.contains(&kind)).count();
    assert_eq!((rows("network.partition"), rows("node.drain")), (2, 1));
}

#[test]
fn rules_on_packets_were_tried_and_what_was_refused_is_said() {
    let row = |change: fn(&mut Facts)| {
        let found = judged(change).rungs.into_iter().find(|rung| rung.by.starts_with("nf_tables"));
        found.expect("a row")
    };
    assert!(row(|_| {}).works);
    let refused = row(|facts| facts.packet_rules = Err("cannot make a network namespace: not permitted".into()));
    assert!(!refused.works && refused.needs.contains("not permitted") && refused.needs.contains("run as root"));
    let mut queues = Facts { packet_queues: Err("no such kind".into()), ..made() };
    let rate = |facts: &Facts| judge(facts).rungs.into_iter().find(|rung| rung.by.starts_with("htb")).expect("a row");
    assert!(!rate(&queues).works && rate(&queues).needs.contains("modprobe sch_htb"));
    queues.packet_queues = Ok(());
    assert!(rate(&queues).works);
    let row = |change: fn(&mut Facts)| {
        let found = judged(change).rungs.into_iter().find(|rung| rung.by.starts_with("NFQUEUE"));
        found.expect("a row")
    };
    assert!(row(|facts| facts.packet_rules = Err("not asked for".into())).works);
    let refused = row(|facts| facts.packet_verdicts = Err("cannot bind NFQUEUE 46200: not supported".into()));
    assert!(!refused.works && refused.needs.contains("nfnetlink_queue"));
    let row = |change: fn(&mut Facts)| {
        judged(change).rungs.into_iter().find(|rung| rung.by.starts_with("netem")).expect("a row")
    };
    assert!(row(|_| {}).works && row(|_| {}).kinds.contains(&"network.loss"));
    let refused = row(|facts| facts.packet_emulation = Err("cannot add qdisc netem: no such kind".into()));
    assert!(
        !refused.works && refused.needs.contains("no such kind") && refused.needs.contains("modprobe -a sch_netem")
    );
}

#[test]
fn a_user_who_may_not_write_to_cgroups_learns_what_that_costs_and_what_helps() {
    let row = |change: fn(&mut Facts), kind: &'static str| {
        judged(change).rungs.into_iter().find(|rung| rung.kinds.contains(&kind)).expect("a row")
    };
    assert!(row(|_| {}, "stress.cpu").works);
    let without: fn(&mut Facts) = |facts| facts.cgroups = Err("cgroup.procs: Permission denied".into());
    let refused = row(without, "stress.cpu");
    assert!(!refused.works && refused.needs.contains("Permission denied") && refused.needs.contains("run as root"));
    assert!(row(without, "stress.fds").works && row(without, "disk.fill").works, "these need no cgroup");
}

#[test]
fn processes_of_others_need_a_right_and_it_is_said_which() {
    let row = |change: fn(&mut Facts)| {
        let found = judged(change).rungs.into_iter().find(|rung| rung.kinds.contains(&"process.kill"));
        found.expect("a row")
    };
    assert!(row(|_| {}).needs.contains("CAP_KILL") && row(|_| {}).works);
    assert!(row(|facts| facts.may_signal_others = true).needs.contains("every user"));
    assert!(!row(|facts| facts.has_pidfd = false).works);
}
