//! What holds of every schedule, whatever its curve and its changes.

use brunt_scenario::plan::{Connections, Portion};
use proptest::prelude::*;

use super::*;

/// Until when an open-ended schedule is looked at, seconds.
const UNTIL: f64 = 9.0;

/// On a grid of 10 ms, so that the reference below can integrate in steps that no edge cuts.
fn instant() -> impl Strategy<Value = f64> {
    (1u32..800).prop_map(|hundredths| f64::from(hundredths) / 100.0)
}

fn stages() -> impl Strategy<Value = Vec<Stage>> {
    let level = || prop_oneof![Just(0.0), 1.0..400.0f64];
    let stage = (level(), level(), instant(), any::<bool>()).prop_map(|(from, to, seconds, warmup)| Stage {
        from,
        to,
        length: Some(Duration::from_secs_f64(seconds)),
        warmup,
    });
    let last = prop::option::of(level());
    (prop::collection::vec(stage, 1..4), last).prop_map(|(mut stages, last)| {
        stages.extend(last.map(|level| Stage { from: level, to: level, length: None, warmup: false }));
        stages
    })
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let factor = prop_oneof![Just(0.0), Just(1.0), 0.1..5.0f64];
    prop::collection::vec((instant(), factor), 0..4).prop_map(|mut all| {
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let of = |(at, factor)| Change { at: Duration::from_secs_f64(at), factor };
        all.into_iter().map(of).collect()
    })
}

fn load(poisson: bool, stages: Vec<Stage>) -> Load {
    let model = if poisson { Model::OpenPoisson } else { Model::OpenConstant };
    let mix = vec![Portion { journey: 0, share: 1.0 }];
    let (drain, connections) = (Duration::from_secs(5), Connections::default());
    Load { name: "users".into(), mix, model, stages, max_in_flight: 10, drain, connections }
}

fn taken(arrivals: &mut Arrivals, until: f64) -> Vec<Due> {
    let mut all = Vec::new();
    while arrivals.peek().is_some_and(|due| due.at_ns as f64 / 1e9 < until) {
        all.extend(arrivals.next());
    }
    all
}

/// Everything until [`UNTIL`], from a load that knew its changes from the beginning.
fn whole(load: &Load, changes: &[Change]) -> Vec<Due> {
    let mut arrivals = Arrivals::new(7, 0, load, 0, 1);
    changes.iter().for_each(|change| arrivals.change(*change));
    taken(&mut arrivals, UNTIL)
}

/// Arrivals until an instant by the written curve and the factors in force, in steps of 1 ms.
fn integral(stages: &[Stage], changes: &[Change], until: f64) -> f64 {
    let curve = Curve::new(stages);
    let factor =
        |at: f64| changes.iter().rev().find(|change| change.at.as_secs_f64() <= at).map_or(1.0, |it| it.factor);
    let steps = (until * 1000.0).round() as u32;
    (0..steps).map(|step| (f64::from(step) + 0.5) / 1000.0).map(|at| curve.level(at) * factor(at) / 1000.0).sum()
}

proptest! {
    #[test]
    fn arrivals_never_go_back_and_keep_their_numbers(
        stages in stages(), changes in changes(), poisson in any::<bool>(),
    ) {
        let due = whole(&load(poisson, stages), &changes);
        prop_assert!(due.windows(2).all(|pair| pair[0].at_ns <= pair[1].at_ns));
        prop_assert!(due.iter().enumerate().all(|(index, due)| due.index == index as u64));
    }

    #[test]
    fn as_many_come_as_the_changed_curve_adds_up_to(stages in stages(), changes in changes(), until in instant()) {
        let due = whole(&load(false, stages.clone()), &changes);
        let come = due.iter().filter(|due| (due.at_ns as f64) < until * 1e9).count() as f64;
        let wanted = integral(&stages, &changes, until);
        prop_assert!((come - wanted).abs() <= 1.01, "{} came, {} wanted until {}", come, wanted, until);
    }

    #[test]
    fn any_number_of_workers_that_learn_of_a_change_at_any_time_before_it_send_the_same(
        stages in stages(),
        changes in changes(),
        poisson in any::<bool>(),
        workers in 1usize..4,
        // How long before its instant each worker learns of each change.
        early in prop::collection::vec(0.0..3.0f64, 16),
    ) {
        let load = load(poisson, stages);
        let mut union = Vec::new();
        for worker in 0..workers {
            let mut arrivals = Arrivals::new(7, 0, &load, worker, workers);
            let mut mine = Vec::new();
            for (index, change) in changes.iter().enumerate() {
                let learns = change.at.as_secs_f64() - early[(worker * 4 + index) % early.len()];
                mine.extend(taken(&mut arrivals, learns));
                arrivals.change(*change);
            }
            mine.extend(taken(&mut arrivals, UNTIL));
            union.extend(mine);
        }
        union.sort_by_key(|due| due.index);
        prop_assert_eq!(union, whole(&load, &changes));
    }
}
