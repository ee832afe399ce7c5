//! Which journey an iteration takes and which rows it gets: what a real server received.

use std::collections::{BTreeMap, BTreeSet};

use brunt::load::arrivals::schedule_digest;

use crate::rig::{Outcome, plan_of, run, workers};
use crate::server::Server;

/// A folder with a file of so many users.
fn users(count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..count).map(|user| format!("u{user}@example.org,\"Smith, {user}\"\n")).collect();
    std::fs::write(folder.path().join("users.csv"), format!("email,name\n{rows}")).unwrap();
    folder
}

/// Browsers and buyers with data of all kinds; `load` is what differs.
fn shop(folder: &tempfile::TempDir, load: &str) -> String {
    format!(
        "feeders:\n  users: {{ csv: '{}', strategy: shuffle }}\n  skus: {{ values: [A1, B2, C3], weights: [8, 1, 1] }}\n\
         journeys:\n  browse: {{ feed: skus, steps: [ {{ get: '/browse?i={{{{ iteration }}}}&sku={{{{ skus.value }}}}' }} ] }}\n  \
         buy:\n    feed: [users, skus]\n    steps:\n      - {{ post: '/buy?i={{{{ iteration }}}}', \
         json: {{ who: '{{{{ users.email }}}}', what: '{{{{ skus.value }}}}', key: '{{{{ uuid() }}}}' }} }}\n\
         load: {{ main: {{ mix: {{ browse: 70%, buy: 30% }}, {load} }} }}\n",
        folder.path().join("users.csv").display()
    )
}

/// The number of the iteration that a request came from.
fn iteration(request: &str) -> u64 {
    let rest = request.split_once("i=").unwrap().1;
    rest.split(['&', ';']).next().unwrap().parse().unwrap()
}

#[test]
fn the_server_gets_the_same_requests_from_one_worker_and_from_two() {
    let folder = users(17);
    let text = shop(&folder, "arrivals: poisson, rate: 400/s, for: 500ms");
    let received = |count| {
        let server = Server::start();
        let outcome = run(plan_of(&server.url(), &text), &workers(count)).unwrap();
        assert_eq!(outcome.ok() as u64, outcome.end.scheduled, "{:?}", outcome.examples());
        let mut requests = server.requests();
        requests.sort();
        requests
    };
    let one = received(1);
    assert!(one.len() > 120, "{} requests", one.len());
    assert!(one.iter().any(|line| line.contains("/browse")) && one.iter().any(|line| line.contains("/buy")));
    assert_eq!(one, received(2));
}

#[test]
fn an_iteration_of_a_closed_load_does_the_same_whoever_runs_it() {
    let folder = users(17);
    let text = shop(&folder, "users: 4, for: 300ms");
    let received = |count| {
        let server = Server::start();
        run(plan_of(&server.url(), &text), &workers(count)).unwrap();
        server.requests().into_iter().map(|line| (iteration(&line), line)).collect::<BTreeMap<u64, String>>()
    };
    let (one, two) = (received(1), received(2));
    let both: Vec<u64> = one.keys().filter(|iteration| two.contains_key(iteration)).copied().collect();
    assert!(both.len() > 20, "{} iterations ran in both", both.len());
    for iteration in both {
        assert_eq!(one[&iteration], two[&iteration]);
    }
}

#[test]
fn the_digest_covers_shares_rows_and_strategies() {
    let folder = users(3);
    let digest = |text: &str| schedule_digest(&plan_of("http://127.0.0.1:1", text));
    let text = shop(&folder, "rate: 10/s, for: 3s");
    let first = digest(&text);
    assert_eq!(first, digest(&text));
    assert_ne!(first, digest(&text.replace("browse: 70%, buy: 30%", "browse: 60%, buy: 40%")));
    assert_ne!(first, digest(&text.replace("shuffle", "random")));
    assert_ne!(first, digest(&text.replace("[8, 1, 1]", "[8, 1, 2]")));
    assert_ne!(first, digest(&text.replace("A1", "A2")));
    std::fs::write(folder.path().join("users.csv"), "email,name\nother@example.org,x\n").unwrap();
    assert_ne!(first, digest(&text), "another file");
}

/// The users that the server saw, in any order.
fn seen(server: &Server) -> Vec<String> {
    let mut seen: Vec<String> = server
        .requests()
        .iter()
        .map(|line| line.split_once("u=").unwrap().1.split(';').next().unwrap().to_owned())
        .collect();
    seen.sort();
    seen
}

fn fed(folder: &tempfile::TempDir, strategy: &str, load: &str) -> String {
    let file = folder.path().join("users.csv");
    format!(
        "feeders: {{ users: {{ csv: '{}', strategy: {strategy} }} }}\n\
         load: {{ main: {{ get: '/seen?u={{{{ users.email }}}}', feed: users, {load} }} }}\n",
        file.display()
    )
}

fn each_once(server: &Server, outcome: &Outcome, count: usize) {
    let seen = seen(server);
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (count, count));
    assert_eq!(outcome.end.scheduled, count as u64);
    assert!(outcome.end.invalid.is_empty());
}

#[test]
fn a_load_whose_unique_rows_are_used_up_ends_and_says_so() {
    let folder = users(40);
    for count in [1, 2] {
        let server = Server::start();
        let text = fed(&folder, "unique", "rate: 200/s, for: 5s");
        let outcome = run(plan_of(&server.url(), &text), &workers(count)).unwrap();
        each_once(&server, &outcome, 40);
        let lasted = outcome.end.load_ended.0 - outcome.started;
        assert!((200_000_000..=205_000_000).contains(&lasted), "40 rows at 200/s are 200 ms, not {lasted} ns");
        let told =
            "load `main` ended after 40 iterations of about 1000 that its stages ask for: `users` has no row left";
        assert!(outcome.end.warnings[0].starts_with(told), "{:?}", outcome.end.warnings);
    }
}

#[test]
fn users_of_a_closed_load_share_the_unique_rows() {
    let folder = users(40);
    for count in [1, 2] {
        let server = Server::start();
        let text = fed(&folder, "unique", "users: 6, for: 60s");
        let outcome = run(plan_of(&server.url(), &text), &workers(count)).unwrap();
        each_once(&server, &outcome, 40);
        assert!(outcome.end.warnings[0].contains("before it was to end"), "{:?}", outcome.end.warnings);
    }
}

#[test]
fn every_user_comes_once_in_each_shuffled_pass_and_in_file_order_in_a_sequence() {
    let folder = users(25);
    let server = Server::start();
    run(plan_of(&server.url(), &fed(&folder, "shuffle", "rate: 250/s, for: 200ms")), &workers(2)).unwrap();
    let seen = seen(&server);
    assert_eq!(seen.len(), 50);
    assert!(seen.chunks(2).all(|twice| twice[0] == twice[1]), "each twice: {seen:?}");

    let server = Server::start();
    let text = fed(&folder, "sequential", "users: 1, for: 50ms");
    run(plan_of(&server.url(), &text), &workers(1)).unwrap();
    let order: Vec<String> =
        server.requests().iter().take(3).map(|line| line.split_once("u=").unwrap().1[..2].to_owned()).collect();
    assert_eq!(order, ["u0", "u1", "u2"]);
}

#[test]
fn values_hold_what_only_the_run_knows() {
    let server = Server::start();
    let text = "feeders: { words: { values: ['a b', c] } }\n\
                load: { main: { post: /x, body: '{{ words.value }}', feed: words, rate: 100/s, for: 20ms } }\n";
    run(plan_of(&server.url(), text), &workers(1)).unwrap();
    let mut bodies: Vec<String> =
        server.requests().iter().map(|line| line.rsplit_once("; ").unwrap().1.to_owned()).collect();
    bodies.sort();
    assert_eq!(bodies, ["a b", "c"]);
}
