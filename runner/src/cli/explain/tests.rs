use super::*;

#[test]
fn everything_that_is_listed_can_be_asked() {
    insta::assert_snapshot!("everything", everything());
    let metrics = Metric::all().into_iter().map(|metric| metric.to_string());
    let names = catalogue::ALL.iter().map(|kind| kind.name.to_owned());
    let codes = Code::ALL.iter().map(|code| code.id().to_owned());
    for word in metrics.chain(names).chain(codes).chain(words()) {
        let page = explained(&word).unwrap_or_else(|| panic!("{word}"));
        assert!(page.contains(&word), "{word}: {page}");
        assert!(page.lines().all(|line| line.chars().count() <= 150), "{page}");
    }
}

#[test]
fn a_page_says_what_it_is_and_shows_what_to_write() {
    for word in [
        "E020",
        "E008",
        "W003",
        "latency.p99",
        "recovery_time",
        "network.latency",
        "network.loss",
        "exec",
        "baseline",
        "99",
        "listen",
        "follow",
        "selector",
        "from",
        "jitter",
    ] {
        insta::assert_snapshot!(word, explained(word).expect("it is known"));
    }
}

#[test]
fn a_word_that_nobody_knows_is_exit_2_with_the_nearest() {
    for (word, near) in [
        ("E0020", "E00"),
        ("latency.p9", "latency.p"),
        ("newtork.latency", "network.latency"),
        ("basline", "baseline"),
        ("inconclusiv", "inconclusive"),
        ("qwertz", "`brunt explain` lists"),
    ] {
        let told = run(&Args { word: Some(word.into()) }).expect_err("nobody knows it");
        assert_eq!(told.exit_code(), 2);
        assert!(told.to_string().contains(near), "{told}");
    }
}

#[test]
fn words_of_other_tools_and_families_lead_on() {
    assert!(explained("arrivalRate").expect("known elsewhere").contains("`rate`"));
    assert!(explained("latency").expect("a family").contains("latency.p99_9"));
    assert!(explained("fault:pay-slow").expect("a window").contains("overlaps"));
}
