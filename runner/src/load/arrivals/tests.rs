//! The schedule: counts, instants, workers, changes.

use brunt_scenario::plan::{Connections, Portion};

use super::*;

fn stage(from: f64, to: f64, seconds: f64) -> Stage {
    Stage { from, to, length: Some(Duration::from_secs_f64(seconds)), warmup: false }
}

fn load(model: Model, stages: Vec<Stage>) -> Load {
    let mix = vec![Portion { journey: 0, share: 1.0 }];
    let (drain, connections) = (Duration::from_secs(5), Connections::default());
    Load { name: "users".into(), mix, model, stages, max_in_flight: 10, drain, connections }
}

fn all(load: &Load, workers: usize) -> Vec<Due> {
    let mut all: Vec<Due> = (0..workers).flat_map(|worker| Arrivals::new(7, 0, load, worker, workers)).collect();
    all.sort_by_key(|due| due.index);
    all
}

#[test]
fn a_constant_rate_is_evenly_spaced_and_starts_at_once() {
    let due = all(&load(Model::OpenConstant, vec![stage(100.0, 100.0, 10.0)]), 1);
    assert_eq!(due.len(), 1000);
    assert_eq!((due[0].at_ns, due[1].at_ns, due[999].at_ns), (0, 10_000_000, 9_990_000_000));
}

#[test]
fn a_rate_that_is_no_whole_number_keeps_its_count() {
    for (rate, seconds, count) in [(33.3, 10.0, 333), (0.1, 30.0, 3), (7.0, 0.5, 4), (20_000.0, 3.0, 60_000)] {
        let due = all(&load(Model::OpenConstant, vec![stage(rate, rate, seconds)]), 1);
        assert_eq!(due.len(), count, "{rate}/s for {seconds} s");
    }
}

#[test]
fn a_ramp_has_no_steps() {
    // 0 to 100/s over 10 s: N(t) = 5 t^2, so arrival i is due at sqrt(i / 5).
    let due = all(&load(Model::OpenConstant, vec![stage(0.0, 100.0, 10.0), stage(100.0, 100.0, 1.0)]), 1);
    assert_eq!(due.len(), 600);
    for i in [0, 1, 20, 125, 499] {
        let expected = (i as f64 / 5.0).sqrt();
        assert!((due[i].at_ns as f64 / 1e9 - expected).abs() < 1e-6, "arrival {i}");
    }
    assert_eq!(due[500].at_ns, 10_000_000_000, "the hold goes on where the ramp ended");
    let down = all(&load(Model::OpenConstant, vec![stage(100.0, 0.0, 10.0)]), 1);
    assert_eq!(down.len(), 500);
    assert!((down[499].at_ns as f64 / 1e9 - (10.0 - (1.0f64 / 5.0).sqrt())).abs() < 1e-6);
}

#[test]
fn a_stage_of_silence_has_no_arrivals() {
    let due =
        all(&load(Model::OpenConstant, vec![stage(10.0, 10.0, 1.0), stage(0.0, 0.0, 5.0), stage(10.0, 10.0, 1.0)]), 1);
    assert_eq!(due.len(), 20);
    assert_eq!(due[9].at_ns, 900_000_000);
    assert_eq!(due[10].at_ns, 6_000_000_000);
}

#[test]
fn warm_up_stages_mark_their_arrivals() {
    let warm = Stage { warmup: true, ..stage(10.0, 10.0, 1.0) };
    let due = all(&load(Model::OpenConstant, vec![warm, stage(10.0, 10.0, 1.0)]), 1);
    assert_eq!(due.iter().filter(|due| due.warmup).count(), 10);
    assert!(due[9].warmup && !due[10].warmup);
}

#[test]
fn any_number_of_workers_has_the_same_schedule() {
    for model in [Model::OpenConstant, Model::OpenPoisson] {
        let load = load(model, vec![stage(0.0, 500.0, 2.0), stage(500.0, 500.0, 2.0), stage(500.0, 50.0, 1.0)]);
        let one = all(&load, 1);
        assert_eq!(one, all(&load, 2), "{model:?}");
        assert_eq!(one, all(&load, 3), "{model:?}");
        assert!(one.windows(2).all(|pair| pair[0].at_ns <= pair[1].at_ns), "in order");
    }
}

#[test]
fn poisson_gaps_are_exponential() {
    let load = load(Model::OpenPoisson, vec![stage(1000.0, 1000.0, 20.0)]);
    let due = all(&load, 1);
    let gaps: Vec<f64> = due.windows(2).map(|pair| (pair[1].at_ns - pair[0].at_ns) as f64 / 1e6).collect();
    let n = gaps.len() as f64;
    let mean = gaps.iter().sum::<f64>() / n;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / n;
    assert!((n - 20_000.0).abs() < 4.0 * 20_000f64.sqrt(), "{n} arrivals");
    assert!((mean - 1.0).abs() < 0.03, "mean gap {mean} ms");
    assert!((variance - 1.0).abs() < 0.1, "the variance of an exponential is its mean squared: {variance}");
}

#[test]
fn an_open_ended_stage_goes_on() {
    let open = Stage { length: None, ..stage(50.0, 50.0, 1.0) };
    let load = load(Model::OpenConstant, vec![stage(0.0, 50.0, 2.0), open]);
    assert_eq!(Curve::new(&load.stages).ends(), None);
    let due = Arrivals::new(7, 0, &load, 0, 1).nth(50 + 50 * 100).unwrap();
    assert_eq!(due.at_ns, 102_000_000_000);
}

#[test]
fn the_curve_counts_what_the_schedule_holds() {
    let load = load(Model::OpenConstant, vec![stage(0.0, 200.0, 1.0), stage(200.0, 200.0, 3.0)]);
    let curve = Curve::new(&load.stages);
    assert_eq!(curve.count(0.5), 25.0);
    assert_eq!(curve.count(4.0), 700.0);
    assert_eq!(curve.count(99.0), 700.0);
    assert_eq!((curve.peak(), curve.level(0.5), curve.level(4.5)), (200.0, 100.0, 0.0));
    assert_eq!(curve.ends(), Some(Duration::from_secs(4)));
}

fn change(seconds: f64, factor: f64) -> Change {
    Change { at: Duration::from_secs_f64(seconds), factor }
}

#[test]
fn a_load_change_goes_on_counting_where_it_was() {
    let load = load(Model::OpenConstant, vec![stage(100.0, 100.0, 10.0)]);
    let mut arrivals = Arrivals::new(7, 0, &load, 0, 1);
    arrivals.change(change(4.0, 2.0));
    arrivals.change(change(6.0, 1.0));
    let due: Vec<Due> = arrivals.collect();
    assert_eq!(due.len(), 1200);
    assert_eq!((due[399].at_ns, due[400].at_ns, due[401].at_ns), (3_990_000_000, 4_000_000_000, 4_005_000_000));
    assert_eq!((due[799].at_ns, due[800].at_ns, due[801].at_ns), (5_995_000_000, 6_000_000_000, 6_010_000_000));
    assert!(due.iter().enumerate().all(|(index, due)| due.index == index as u64));
}

#[test]
fn a_factor_counts_from_the_written_curve_and_a_later_one_replaces_it() {
    let mut curve = Curve::new(&[stage(0.0, 100.0, 10.0), stage(100.0, 100.0, 10.0)]);
    curve.change(change(5.0, 2.0));
    curve.change(change(12.0, 3.0));
    assert_eq!((curve.level(4.0), curve.level(6.0), curve.level(11.0), curve.level(13.0)), (40.0, 120.0, 200.0, 300.0));
    assert_eq!((curve.peak(), curve.ends()), (300.0, Some(Duration::from_secs(20))));
    curve.change(change(13.0, 1.0));
    assert_eq!(curve.level(14.0), 100.0);
}

#[test]
fn nothing_comes_at_no_load_and_all_comes_again_afterwards() {
    let open = Stage { length: None, ..stage(100.0, 100.0, 1.0) };
    let mut arrivals = Arrivals::new(7, 0, &load(Model::OpenConstant, vec![open]), 0, 1);
    arrivals.change(change(1.0, 0.0));
    assert_eq!(arrivals.by_ref().take(100).count(), 100);
    assert_eq!(arrivals.peek(), None);
    arrivals.change(change(3.0, 1.0));
    assert_eq!(arrivals.next().map(|due| (due.index, due.at_ns)), Some((100, 3_000_000_000)));
}
