//! `docs/performance.md` from what was measured. Its words stand in `page.md`; no figure does.

use crate::accuracy::Case;
use crate::clients::Clients;
use crate::rounds::{Measured, Spread, compared, ratios, table};

const WORDS: &str = include_str!("page.md");
/// What stands for peers that could not be had.
const LEFT_OUT: &str = "(not measured here: the peer is not installed)\n";

/// Everything that was measured.
pub struct Figures {
    /// The machine.
    pub host: String,
    /// How many rounds.
    pub rounds: usize,
    /// As fast as they go.
    pub clients: Clients,
    /// At 5,000/s.
    pub clients_at_a_rate: Option<Clients>,
    /// CPU a request and share of the kernel.
    pub proxies: [Vec<Measured>; 2],
    /// Microseconds at one connection.
    pub added: Vec<Measured>,
    /// 100 ms.
    pub latency: Vec<Case>,
    /// Per cent off 10 Mbit/s.
    pub bandwidth: Vec<Measured>,
    /// Share, lag p50, lag p99, memory.
    pub rates: [Vec<Measured>; 4],
}

/// The page.
pub fn render(figures: &Figures) -> String {
    let Figures { host, rounds, clients, clients_at_a_rate, proxies, added, latency, bandwidth, rates } = figures;
    let at_a_rate = clients_at_a_rate.as_ref().map_or_else(|| LEFT_OUT.to_owned(), |clients| costs(clients, 0));
    let parts = [
        ("{host}", host.clone()),
        ("{rounds}", rounds.to_string()),
        ("{clients}", costs(clients, 0)),
        ("{clients_at_a_rate}", at_a_rate),
        ("{proxies}", carried(proxies)),
        ("{added}", compared("µs", added, 0, 1)),
        ("{latency}", errors(latency)),
        ("{bandwidth}", one("error, %", bandwidth)),
        ("{rates}", reached(rates)),
        ("{where}", where_it_goes(clients, proxies)),
    ];
    parts.iter().fold(WORDS.to_owned(), |page, (place, text)| page.replace(place, text))
}

fn costs([cpu, rate, _]: &Clients, to: usize) -> String {
    let rows: Vec<Vec<String>> = (0..cpu.len())
        .map(|place| {
            vec![
                cpu[place].name.clone(),
                words(&cpu[place], 2),
                ratios(cpu, to)[place].words(2),
                words(&rate[place], 0),
            ]
        })
        .collect();
    table(&["client", "CPU µs a request", &format!("beside {}", cpu[to].name), "requests a second"], &rows)
}

fn carried([cpu, _]: &[Vec<Measured>; 2]) -> String {
    compared("CPU µs a request", cpu, 0, 2)
}

fn errors(cases: &[Case]) -> String {
    let mut rows = Vec::new();
    for Case { what, p50, p99 } in cases {
        for (p50, p99) in p50.iter().zip(p99) {
            rows.push(vec![(*what).to_owned(), p50.name.clone(), words(p50, 2), words(p99, 2)]);
        }
    }
    table(&["", "", "p50, ms off", "p99, ms off"], &rows)
}

fn one(unit: &str, measured: &[Measured]) -> String {
    let rows: Vec<Vec<String>> = measured.iter().map(|one| vec![one.name.clone(), words(one, 2)]).collect();
    table(&["", unit], &rows)
}

fn reached([share, p50, p99, memory]: &[Vec<Measured>; 4]) -> String {
    let rows: Vec<Vec<String>> = (0..share.len())
        .map(|place| {
            let cell = |of: &[Measured], digits| words(&of[place], digits);
            vec![share[place].name.clone(), cell(share, 4), cell(p50, 3), cell(p99, 3), cell(memory, 0)]
        })
        .collect();
    table(&["asked", "reached / asked", "send lag p50, ms", "send lag p99, ms", "memory, MiB"], &rows)
}

/// What each of them spends in the kernel: the part that a better program of the same kind could not save.
fn where_it_goes([client, _, client_kernel]: &Clients, [proxy, proxy_kernel]: &[Vec<Measured>; 2]) -> String {
    let mut rows = Vec::new();
    for (role, cpu, kernel) in [("client", client, client_kernel), ("proxy", proxy, proxy_kernel)] {
        for (cpu, kernel) in cpu.iter().zip(kernel) {
            let of = |share: &dyn Fn(f64) -> f64| -> Spread {
                let pairs = cpu.values.iter().zip(&kernel.values);
                Spread::of(&pairs.map(|(cpu, kernel)| cpu * share(*kernel)).collect::<Vec<_>>())
            };
            let (system, user) = (of(&|kernel| kernel), of(&|kernel| 1.0 - kernel));
            rows.push(vec![role.to_owned(), cpu.name.clone(), system.words(2), user.words(2)]);
        }
    }
    table(&["", "", "in the kernel, µs a request", "in the program, µs a request"], &rows)
}

fn words(measured: &Measured, digits: usize) -> String {
    Spread::of(&measured.values).words(digits)
}
