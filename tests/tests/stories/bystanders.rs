//! Who must be told apart by a fault on packets: a ledger that is asked over both families of addresses, its neighbour in the
//! same namespace at another port, and brunt's own service, which shares a namespace with everything that asks.

use brunt_injector::netlink::nf_tables;
use brunt_tests::answering::{Answering, program};
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::{Ended, fault};
use brunt_tests::namespaces::Namespaces;
use brunt_tests::scenario::Scenario;

/// All of them, and the two namespaces in which they are. Dropping it ends them.
pub struct Bystanders {
    network: Namespaces,
    ledger: Answering,
    neighbour: Answering,
}

impl Bystanders {
    /// They answer at once.
    pub fn new() -> Self {
        let network = Namespaces::pair();
        let (ledger, neighbour) = (Answering::inside(&network.server), Answering::inside(&network.server));
        Self { network, ledger, neighbour }
    }

    /// A run in which each is asked a hundred times a second, as the journeys `own`, `ledger`, `twin` (the ledger over IPv6) and
    /// `neighbour`. It passes.
    ///
    /// `timeline` and `gates` are lines of the scenario, whose targets are `own`, `ledger`, `lab` (its namespace) and `client`.
    #[track_caller]
    pub fn run(&self, name: &str, timeline: &str, gates: &str) -> Ended {
        let story = Scenario::new(&format!(
            "
        version: 1
        name: {name}
        seed: 11
        services:
          own: {{ run: [ \"{}\", --port, \"${{port}}\" ] }}
        targets:
          own: {{ service: own }}
          ledger: {{ process: {{ pid: {} }} }}
          lab: {{ netns: {} }}
          client: {{ url: \"http://10.77.0.1\" }}
          at-ledger: {{ url: \"http://10.77.0.2:{}\" }}
          at-twin: {{ url: \"http://[fd77::2]:{}\" }}
          at-neighbour: {{ url: \"http://10.77.0.2:{}\" }}
        load:
          own: {{ target: own, get: /, rate: 100/s, for: timeline, timeout: 5s }}
          ledger: {{ target: at-ledger, get: /, rate: 100/s, for: timeline, timeout: 5s }}
          twin: {{ target: at-twin, get: /, rate: 100/s, for: timeline, timeout: 5s }}
          neighbour: {{ target: at-neighbour, get: /, rate: 100/s, for: timeline, timeout: 5s }}
        timeline:
{timeline}
        gates:
{gates}
        safety: {{ lease: 5s }}
        ",
            program().display(),
            self.ledger.pid(),
            self.network.server,
            self.ledger.port(),
            self.ledger.port(),
            self.neighbour.port(),
        ));
        Brunt::run(&story).under(["ip", "netns", "exec", &self.network.client]).go().expect_code(0)
    }

    /// Each of these faults was seen to do this, and no rule of any is left.
    #[track_caller]
    pub fn all_seen(&self, ended: &Ended, faults: &[(&str, &str)]) {
        let results = ended.results();
        for (id, done) in faults {
            let seen = fault(&results, id);
            assert!(seen.verified && seen.rollback_verified == Some(true) && seen.reason.contains(done), "{seen:?}");
        }
        for namespace in [self.network.of_client(), self.network.of_server()] {
            let left = namespace.inside(nf_tables::tables).expect("root may enter").expect("the kernel lists them");
            assert_eq!(left, Vec::<String>::new());
        }
    }
}

/// Gates, a line each. For each fault: journeys whose replies come as fast as ever.
pub fn spared(faults: &[(&str, &[&str])]) -> String {
    let gates = faults.iter().flat_map(|(fault, journeys)| {
        journeys.iter().map(move |journey| {
            format!(
                "          - {{ id: {fault}-spares-{journey}, journey: {journey}, metric: latency.p95, window: 'fault:{fault}', \
                 max: 100ms }}\n"
            )
        })
    });
    gates.collect()
}
