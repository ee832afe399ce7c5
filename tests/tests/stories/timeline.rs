//! Faults that come back, and load that changes while the run goes on.

use std::time::Duration;

use brunt_report::results::{FaultData, Results};
use brunt_tests::answering::{Answering, program};
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::{fault, window};
use brunt_tests::machine;
use brunt_tests::scenario::Scenario;

/// Three instances of which one is killed three times, and meanwhile another service that is frozen twice.
fn rolling_kill() -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: rolling-kill
        seed: 11
        services:
          api: {{ run: [ \"{program}\", --port, \"${{port}}\" ], instances: 3 }}
          other: {{ run: [ \"{program}\", --port, \"${{port}}\" ] }}
        targets: {{ api: {{ service: api }}, other: {{ service: other }} }}
        load:
          main: {{ target: api, get: /, rate: 200/s, for: timeline }}
        slos:
          works: {{ metric: success_rate, min: 95%, over: 1s }}
        steady_state: {{ title: It works, all_of: [works] }}
        timeline:
          - baseline: 1s
          - parallel:
              - id: killed
                fault: process.kill
                target: api
                with: {{ restart_after: 300ms }}
                repeat: {{ times: 3, every: 2s }}
              - id: frozen
                delay: 500ms
                fault: process.pause
                target: other
                for: 400ms
                repeat: {{ times: 2, every: 1s }}
          - recover: {{ within: 10s }}
          # A recovery may be found before the last instance answers again.
          - pause: 2s
        gates:
          - {{ id: works-in-general, metric: success_rate, min: 80% }}
          - {{ id: gets-over-it, metric: recovery_time, window: \"fault:killed\", max: 10s }}
        ",
        program = program().display()
    ))
}

/// `api-1` of `api-1 (pid 4711)`, of every round.
fn victims(fault: &FaultData) -> Vec<String> {
    let name = |victim: &String| victim.split(' ').next().unwrap_or_default().to_owned();
    fault.rounds.iter().flat_map(|round| round.instances.iter().map(name)).collect()
}

/// Of every round; a round without it fails the test.
#[track_caller]
fn instants(fault: &FaultData, of: fn(&brunt_report::results::RoundData) -> Option<f64>) -> Vec<f64> {
    fault.rounds.iter().map(|round| of(round).unwrap_or_else(|| panic!("{round:?}"))).collect()
}

#[test]
fn a_kill_in_three_rounds_hits_three_times_and_is_judged_by_the_worst() {
    let _machine = machine::alone();
    let scenario = rolling_kill();
    let planned = Brunt::with(["plan"]).arg(scenario.path()).go().expect_code(0).stdout;

    let ended = Brunt::run(&scenario).within(Duration::from_secs(60)).go().expect_code(0);

    let results = ended.results();
    let killed = fault(&results, "killed");
    assert_eq!((killed.rounds_planned, killed.rounds.len()), (Some(3), 3), "{ended}");
    assert!(killed.rounds.iter().all(|round| round.verified && round.rollback_verified != Some(false)), "{killed:?}");
    let began = instants(killed, |round| round.injecting_at_s);
    let gaps: Vec<f64> = began.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (1.9..2.3).contains(gap)), "2 s from one start to the next, not {gaps:?}");
    let over = instants(killed, |round| round.removed_at_s);
    assert!(over.iter().zip(&began).all(|(to, from)| to - from >= 0.3), "each was away for its 300 ms: {killed:?}");
    // The plan has said whom each round hits.
    for (round, victim) in victims(killed).into_iter().enumerate() {
        let line = planned.lines().find(|line| match round {
            0 => line.contains("killed") && line.contains("hits"),
            later => line.contains(&format!("round {}  ", later + 1)) && line.contains("api-"),
        });
        assert!(line.is_some_and(|line| line.contains(&victim)), "round {} hit {victim}:\n{planned}", round + 1);
    }
    let worst = instants(killed, |round| round.recovery_time_s).into_iter().fold(0.0, f64::max);
    assert_eq!(killed.recovery_time_s, Some(worst));
    let spans = results.spans.iter().filter(|span| span.window == "fault:killed").count();
    let length = window(&results, "fault:killed").length_s;
    let sum: f64 = over.iter().zip(&began).map(|(to, from)| to - from).sum();
    assert!(spans == 3 && (length - sum).abs() < 0.01, "{spans} spans, {length} s of {sum} s");
    assert!(ended.file("report.html").contains("3 times"));
    assert!(ended.file("events.jsonl").contains("round 3 of 3"));
}

#[test]
fn a_pause_in_two_rounds_is_undone_and_compared_twice() {
    let _machine = machine::alone();
    let ended = Brunt::run(&rolling_kill()).within(Duration::from_secs(60)).go();
    // How the load fared is no matter here: the frozen service gets none, and a busy machine makes the run invalid (5).
    assert!([0, 5].contains(&ended.code), "{ended}");
    let results = ended.results();
    let frozen = fault(&results, "frozen");
    assert_eq!(frozen.rounds.len(), 2);
    assert!(frozen.rounds.iter().all(|round| round.verified && round.rollback_verified == Some(true)), "{frozen:?}");
    let (from, to) = (instants(frozen, |round| round.active_at_s), instants(frozen, |round| round.removing_at_s));
    assert!(from.iter().zip(&to).all(|(from, to)| to - from >= 0.4), "`for` counts in each round: {frozen:?}");
    assert!(from[1] >= to[0] + 0.5, "between the rounds it ran: {frozen:?}");
}

/// Requests a second that were due between two instants, from the slices that lie between them as a whole.
fn offered(results: &Results, from_s: f64, to_s: f64) -> f64 {
    let series = &results.series[0];
    let inside = |at: f64| at >= from_s && at + series.slice_s <= to_s;
    let slices = series.slices.iter().filter(|slice| inside(slice.at_s));
    let (count, sum) = slices.fold((0, 0), |(count, sum), slice| (count + 1, sum + slice.offered));
    sum as f64 / (f64::from(count) * series.slice_s)
}

#[test]
fn a_load_that_doubles_for_two_seconds_is_twice_as_high_for_just_so_long() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: twice-as-many
        seed: 3
        targets: {{ api: {{ url: \"{}\" }} }}
        load: {{ main: {{ get: /, rate: 400/s, for: timeline }} }}
        timeline:
          - baseline: 2s
          - load: {{ main: 2x }}
          - pause: 2s
          - load: {{ main: 1x }}
          - pause: 2s
        gates: [ {{ metric: rate.offered, window: baseline, min: 390/s }} ]
        ",
        service.url()
    ));

    let ended = Brunt::run(&scenario).args(["--workers", "2"]).go().expect_code(0);

    let results = ended.results();
    let changes: Vec<(f64, f64)> = results.load_changes.iter().map(|change| (change.at_s, change.factor)).collect();
    let [(up, 2.0), (down, 1.0)] = changes[..] else { panic!("{changes:?}") };
    assert!((2.0..2.6).contains(&(down - up)), "{changes:?}");
    let end = results.summary.duration_s;
    let rates = [offered(&results, 0.0, up), offered(&results, up, down), offered(&results, down, end)];
    for (rate, wanted) in rates.into_iter().zip([400.0, 800.0, 400.0]) {
        assert!((rate - wanted).abs() <= 0.02 * wanted, "{rates:?} around {changes:?}");
    }
    // Every arrival of the changed curve was asked for, and was started. The load begins a little after the clock.
    let health = &results.summary.health;
    let due = 400.0 * end + 400.0 * (down - up);
    assert!((health.scheduled as f64 / due - 1.0).abs() < 0.005, "{} of {due}", health.scheduled);
    assert_eq!((health.started, health.dropped), (health.scheduled, 0));
    assert!(ended.file("events.jsonl").contains("load.changed"));
    assert!(ended.file("report.html").contains("2x"));
}

#[test]
fn the_plan_prints_every_round_and_every_load_change_with_its_time() {
    let scenario = Scenario::new(
        "
        version: 1
        name: rounds
        seed: 3
        links: { wire: { to: \"127.0.0.1:9\" } }
        targets: { api: { url: \"${links.wire.url}\" }, wire: { link: wire } }
        load: { main: { target: api, get: /, rate: 100/s, for: timeline } }
        timeline:
          - baseline: 10s
          - { id: slow, fault: network.latency, target: wire, for: 3s, with: { latency: 1ms }, repeat: { times: 3, every: 5s } }
          - load: { main: 3x }
          - pause: 5s
        ",
    );
    let said = Brunt::with(["plan"]).arg(scenario.path()).go().expect_code(0).stdout;
    for line in ["0:10.0", "0:15.0", "0:20.0"] {
        assert!(said.lines().any(|it| it.contains(line) && it.contains("slow: network.latency")), "{line}:\n{said}");
    }
    // The last round ends at 23 s; the change is in force a tenth of a second later.
    assert!(said.lines().any(|it| it.contains("0:23.1") && it.contains("load main: 3x")), "{said}");
    // 23.1 s at 100/s and 5 s at 300/s.
    assert!(said.contains("3,810 iterations"), "{said}");
}
