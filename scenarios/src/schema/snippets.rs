//! What an editor offers to insert: the pieces that people write most, with places to fill in.

use serde_json::{Value, json};

/// The snippets of a type; `None` where there are none.
pub(super) fn of(name: &str) -> Option<Value> {
    let one = |label: &str, about: &str, body: Value| json!({ "label": label, "description": about, "body": body });
    Some(match name {
        "Root" => json!([one(
            "scenario",
            "load, a baseline, a fault, recovery and gates",
            json!({
                "version": 1,
                "name": "${1:shop}",
                "links": { "wire": { "to": "${2:localhost:8080}" } },
                "targets": { "api": { "url": "\\${links.wire.url}" }, "wire": { "link": "wire" } },
                "load": { "main": { "target": "api", "get": "/", "rate": "${3:50/s}", "for": "timeline" } },
                "slos": { "fast": { "metric": "latency.p99", "max": "${4:200ms}" } },
                "steady_state": { "all_of": ["fast"] },
                "timeline": [
                    { "baseline": "20s" },
                    { "id": "slow", "fault": "network.latency", "target": "wire", "for": "30s", "with": { "latency": "${5:200ms}" } },
                    { "recover": { "within": "30s" } },
                ],
                "gates": [{ "metric": "error_rate", "max": "1%" }],
            }),
        )]),
        "Item" => json!([
            one("baseline", "the reference window: nothing is injected", json!({ "baseline": "${1:60s}" })),
            one(
                "fault that lasts",
                "network.latency on a link; other kinds in its place",
                json!({
                    "id": "${1:slow}", "fault": "${2:network.latency}", "target": "${3:wire}", "for": "${4:30s}",
                    "with": { "latency": "${5:200ms}" },
                }),
            ),
            one(
                "kill",
                "a process is gone at once, and comes back",
                json!({ "id": "${1:crash}", "fault": "process.kill", "target": "${2:shop}", "with": { "restart_after": "${3:5s}" } }),
            ),
            one(
                "recover",
                "waits for the steady state, and measures how long it takes",
                json!({ "recover": { "within": "${1:30s}" } })
            ),
            one("pause", "nothing happens for so long", json!({ "pause": "${1:10s}" })),
        ]),
        "Load" => json!([
            one(
                "open model",
                "iterations start by the clock",
                json!({ "get": "${1:/}", "rate": "${2:50/s}", "for": "${3:30s}" }),
            ),
            one(
                "open model with warm-up",
                "a ramp that is not judged, then a plateau",
                json!({
                    "get": "${1:/}",
                    "stages": [
                        { "ramp_to": "${2:50/s}", "over": "10s", "warmup": true },
                        { "hold": "${2:50/s}", "for": "${3:60s}" },
                    ],
                }),
            ),
            one(
                "closed model",
                "users who wait for their replies",
                json!({ "get": "${1:/}", "users": "^${2:20}", "for": "${3:30s}" })
            ),
        ]),
        "Gate" => json!([
            one("latency", "a percentile has a bound", json!({ "metric": "latency.p99", "max": "${1:200ms}" })),
            one(
                "latency against the baseline",
                "at most so many times what it was without faults",
                json!({
                    "metric": "latency.p99", "window": "fault:${1:slow}", "max": { "baseline": "${2:3x}", "floor": "${3:250ms}" },
                }),
            ),
            one("errors", "at most so many requests fail", json!({ "metric": "error_rate", "max": "${1:1%}" })),
            one(
                "recovery",
                "how long it takes until all is well again",
                json!({ "metric": "recovery_time", "window": "fault:${1:slow}", "max": "${2:10s}" }),
            ),
        ]),
        "Service" => json!([one(
            "service",
            "a process that brunt starts, waits for, and stops",
            json!({ "run": ["${1:./shop}", "--port", "\\${port}"], "ready": { "http": "${2:/health}" } }),
        )]),
        _ => return None,
    })
}
