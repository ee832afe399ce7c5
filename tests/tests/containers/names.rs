//! `network.dns` on a container: what a program in it learns, and one in the container beside it.

use std::net::SocketAddr;
use std::time::Duration;

use brunt_injector::namespace::Namespace;
use brunt_injector::netlink::nf_tables;
use brunt_tests::docker::{Container, Engine};
use brunt_tests::ended::fault;
use brunt_tests::machine;
use brunt_tests::name_server::{self, Learnt, V4, ask};
use nix::sys::signal::Signal;

use crate::docker::{by_name, run, scenario};

/// Longer than any answer takes, on any machine.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn a_name_is_gone_for_one_container_and_for_no_other_and_comes_back() {
    let _machine = machine::shared();
    let engine = Engine::shared();
    let (db, other) = (engine.container(&[]), engine.container(&[]));
    // The server is where the containers' packets leave for the world.
    let gateway = db.inspect(".NetworkSettings.Gateway");
    let outside = Namespace::named(engine.namespace()).expect("the engine lives there");
    name_server::start(&outside, &gateway, 53);
    let server = SocketAddr::new(gateway.parse().expect("an address"), 53);
    let inside = |container: &Container| Namespace::of_process(container.pid()).expect("root may open it");
    let learn = |container: &Container, name: &str| ask(&inside(container), server, name, false, PATIENCE).0;
    let known = Learnt::Addresses(vec![V4]);

    let timeline = "
          - { id: names, fault: network.dns, target: db, for: 120s, with: { names: db.shop.test, answer: nxdomain } }
        ";
    let run = run(engine, &scenario(&db, &by_name(&db), timeline)).start();
    run.wait_for("event=fault.active fault=names");
    assert_eq!(learn(&db, "db.shop.test."), Learnt::NoSuchName);
    assert_eq!(learn(&db, "web.shop.test."), known);
    assert_eq!(learn(&other, "db.shop.test."), known);
    run.signal(Signal::SIGTERM);
    let results = run.wait().expect_code(143).results();

    let seen = fault(&results, "names");
    assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    assert!(seen.reason.contains("1 of 2 answers of name servers rewritten"), "{seen:?}");
    assert_eq!(learn(&db, "db.shop.test."), known);
    let left = inside(&db).inside(nf_tables::tables).expect("root may enter").expect("the kernel lists them");
    assert_eq!(left, Vec::<String>::new());
}
