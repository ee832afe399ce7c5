//! The load engine against real servers on loopback.

#[path = "load/rig.rs"]
mod rig;
#[path = "load/server.rs"]
mod server;

use brunt::load::Options;
use brunt_scenario::plan::{Model, Plan, Target, Text};

use rig::{get, plan, run, stage, step};
use server::Server;

fn site(server: &Server) -> Target {
    Target::Url(Text::literal(server.url()))
}

/// GET `path` at 200/s for half a second.
fn visits(server: &Server, path: &str) -> Plan {
    plan(site(server), vec![step(get(path))], Model::OpenConstant, vec![stage(200.0, 0.5)])
}

#[test]
fn an_open_load_sends_its_schedule_over_few_connections() {
    let server = Server::start();
    let outcome = run(visits(&server, "/fast"), &Options::default()).unwrap();
    assert_eq!((outcome.end.scheduled, outcome.ok(), server.count()), (100, 100, 100));
    assert_eq!(outcome.end.load_ended.0 - outcome.started, 500_000_000);
    assert!(server.connections() < 20, "kept alive, not {} connections", server.connections());
    for (index, arrival) in outcome.all.arrivals.iter().enumerate() {
        assert_eq!(arrival.intended.0 - outcome.started, index as u64 * 5_000_000);
    }
    let reply = outcome.all.requests[50];
    assert!(reply.sent.unwrap() <= reply.first_byte.unwrap() && reply.first_byte.unwrap() <= reply.done);
    assert_eq!(reply.instance, 0);
    assert!(outcome.end.invalid.is_empty());
}
