//! Who served what, and that the parts add up to the whole.

use brunt_report::facts::DestinationFacts;
use brunt_report::results::{Results, ServedData};
use brunt_report::sample::{ErrorClass, Request};

use crate::story::{ORDER, Story, request};

/// Two instances take turns; the second is slow and fails now and then while the fault lasts. One request reaches nobody.
fn uneven() -> Results {
    let mut story = Story::with_gates(&[]);
    for number in 0..200_u16 {
        let from_s = f64::from(number) / 20.0;
        let second = number % 2 == 1;
        let broken = second && (4.0..6.0).contains(&from_s);
        story = story.request(Request {
            instance: u16::from(second),
            error: (broken && number % 4 == 1).then_some(ErrorClass::Status5xx),
            ..request(ORDER, from_s, if broken { 400.0 } else { 20.0 })
        });
    }
    story
        .request(Request {
            instance: u16::MAX,
            error: Some(ErrorClass::ConnectRefused),
            sent: None,
            ..request(ORDER, 5.01, 1.0)
        })
        .baseline(0.0, 4.0)
        .fault("slow", 4.0, 6.0)
        .with(|facts| {
            facts.load_ended = crate::story::at(10.0);
            facts.destinations = vec![DestinationFacts {
                target: "api".to_owned(),
                instances: ["api-0", "api-1", "api-2"]
                    .map(|name| (name.to_owned(), Some("127.0.0.1:1".to_owned())))
                    .into(),
            }];
        })
        .judged()
}

fn named<'a>(results: &'a Results, instance: &str) -> &'a ServedData {
    results.served.iter().find(|served| served.instance == instance).expect("it is listed")
}

#[test]
fn the_instances_of_a_window_add_up_to_its_requests() {
    let results = uneven();
    for window in ["run", "baseline", "fault:slow"] {
        let sum = |count: fn(&brunt_report::results::ServedWindow) -> u64| {
            results.served.iter().filter_map(|served| served.windows.get(window)).map(count).sum::<u64>()
        };
        let whole = &results.summary.windows[window];
        assert!(whole.requests > 0);
        assert_eq!((sum(|w| w.requests), sum(|w| w.errors)), (whole.requests, whole.errors), "{window}");
    }
}

#[test]
fn a_slow_instance_stands_out_from_its_sibling() {
    let results = uneven();
    let [fast, slow] = ["api-0", "api-1"].map(|name| named(&results, name).windows["fault:slow"]);
    assert!(fast.p99_ms.is_some_and(|ms| ms < 21.0) && slow.p50_ms.is_some_and(|ms| ms >= 400.0), "{fast:?} {slow:?}");
    assert!(fast.errors == 0 && slow.errors > 0);
    assert!(named(&results, "api-1").windows["baseline"].p99_ms.is_some_and(|ms| ms < 21.0));
}

#[test]
fn an_instance_that_served_nothing_is_listed_and_so_is_what_reached_nobody() {
    let results = uneven();
    assert!(named(&results, "api-2").windows.is_empty());
    let nobody = named(&results, "none reached");
    assert_eq!((nobody.windows["run"].requests, nobody.windows["run"].errors, &nobody.address), (1, 1, &None));
}

#[test]
fn however_many_addresses_a_name_has_memory_has_a_bound() {
    let mut story = Story::with_gates(&[]);
    for number in 0..2_000_u16 {
        story = story.request(Request { instance: number, ..request(ORDER, f64::from(number) / 200.0, 5.0) });
    }
    let results = story.with(|facts| facts.load_ended = crate::story::at(10.0)).judged();
    assert_eq!(results.served.len(), 65);
    assert_eq!(named(&results, "all after the first 64").windows["run"].requests, 2_000 - 64);
}
